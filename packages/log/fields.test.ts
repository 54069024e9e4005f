import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..', '..');

const DECLARATIONS = `
import { catalogName, homePath, type Log } from '@safekeep/log';
import { newId, Secret, SafekeepError, type ErrorCode, type Id } from '@safekeep/core';
declare const log: Log;
declare const text: string;
declare const maybe: string | undefined;
declare const row: { readonly id: string; readonly email: string; readonly age: number };
declare const state: 'waiting' | 'done';
declare const code: ErrorCode;
declare const ids: readonly Id<'job'>[];
declare const caught: unknown;
declare const prefixed: \`user-\${string}\`;
declare const branded: string & { readonly email: true };
declare const table: Record<string, number>;
declare const anything: any;
`;

const ALLOWED = [
  `log.info('started');`,
  `log.warn('job-finished', { job: newId<'job'>(), done: 12, durationMs: 3.5, isLast: true, bytes: 12n, at: new Date() });`,
  `log.debug('state-changed', { state, code, next: row.age > 3 ? 'done' : 'failed' });`,
  `log.error('run-failed', { error: caught });`,
  `log.error('run-failed', { error: new Error(text), run: undefined });`,
  `log.info('table-read', { table: catalogName(text), file: homePath(text, text), rows: row.age });`,
  `log.info('jobs-found', { jobs: ids, counts: [1, 2, 3], states: ['waiting', 'done'] });`,
  `log.child({ request: newId<'request'>() }).child({ job: newId<'job'>() }).fatal('stopped');`,
  `log.info(row.age > 3 ? 'one-thing' : 'other-thing-2');`,
];

const REFUSED = [
  `log.info('row-read', { email: row.email });`,
  `log.info('row-read', row);`,
  `log.info('row-read', { row });`,
  `log.info('row-read', { ...row });`,
  `log.info('row-read', { maybe });`,
  `log.info('row-read', { list: [row.email] });`,
  `log.info('row-read', { list: [[1]] });`,
  `log.info('row-read', { list: anything as any[] });`,
  `log.info('row-read', { shown: \`email \${row.email}\` });`,
  `log.info('row-read', { prefixed });`,
  `log.info('row-read', { branded });`,
  `log.info('row-read', { anything });`,
  `log.info('row-read', { caught });`,
  `log.info('row-read', { nested: { count: 1 } });`,
  `log.info('row-read', { [text]: 1 });`,
  `log.info('row-read', table);`,
  `log.info('row-read', row as object);`,
  `log.child({});`,
  `log.info('row-read', [text]);`,
  `log.info('row-read', text);`,
  `log.info('row-read', { secret: new Secret(text) });`,
  `log.info('row-read', { problem: new SafekeepError('database-read-only') });`,
  `log.info('row-read', { message: (caught as Error).message });`,
  `log.info('row-read', { pairs: new Map([[text, text]]) });`,
  `log.info('row-read', { bytes: Buffer.from(text) });`,
  `log.info('row-read', { read: () => text });`,
  `log.info('row-read', { boxed: new String(text) });`,
  `log.info('row-read', { time: 1 });`,
  `log.info('row-read', { event: 'other' });`,
  `log.info(text);`,
  `log.info(prefixed);`,
  `log.info(\`read-\${row.id}\`);`,
  `log.info('Row read');`,
  `log.info('row_read');`,
  `log.info('row--read');`,
  `log.info('-row');`,
  `log.child({ job: row.id });`,
  `log.child(row);`,
];

test('whatever may hold a value of a row is a type error, and ids, counts, durations and states are none', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-log-types-'));
  t.after(() => rm(folder, { recursive: true }));
  const statements = [...ALLOWED, ...REFUSED];
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'calls.ts'), `${statements.join('\n')}\n${DECLARATIONS}`);
  // The packages as this checkout resolves them, and its own strictness.
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const settings = { extends: join(ROOT, 'tsconfig.json'), include: [], files: ['calls.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));

  const complaints = await typeCheck(folder);

  const lines = new Set([...complaints.matchAll(/^calls\.ts\((\d+),/gm)].map(([, line]) => Number(line)));
  const refused = statements.filter((_, index) => lines.has(index + 1));
  assert.deepEqual(refused, REFUSED, complaints);
  // The declarations below the statements are sound: nothing was refused for another reason.
  assert.ok(!complaints.includes('Cannot find'), complaints);
  assert.ok(Math.max(...lines) <= statements.length, complaints);
});

function typeCheck(folder: string): Promise<string> {
  return new Promise((done) => {
    execFile(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', folder], { cwd: folder }, (_error, stdout) => done(stdout));
  });
}
