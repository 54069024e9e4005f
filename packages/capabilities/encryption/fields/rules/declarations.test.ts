import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { declarationsOf } from './declarations.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..', '..', '..', '..');

const DECLARED = declarationsOf([
  { name: 'public.people.email', type: 'text', nullable: true, mode: 'client', search: ['exact', 'last4'] },
  { name: 'public.people.born', type: 'date', nullable: false, mode: 'client', search: ['year'] },
  { name: 'public.people.note', type: 'text', nullable: true, mode: 'client', search: [] },
]);

test('declarations name each encrypted column, what it holds and what it can be searched by', () => {
  const text = declarationsOf([
    { name: 'public.people.email', type: 'text', nullable: true, mode: 'client', search: ['exact', 'last4'] },
    { name: 'public."People"."Born"', type: 'date', nullable: false, mode: 'database', search: [] },
  ]);
  assert.match(text, /"public\.people\.email": \{ value: string \| null; search: "exact" \| "last4"; mode: "client" \};/);
  assert.match(text, /"public\.\\"People\\"\.\\"Born\\"": \{ value: string \| Date; search: never; mode: "database" \};/);
});

const USE = `import pg from 'pg';
import { safekeep, sealedPool, type Safekeep } from '@safekeep/sdk';
import type { EncryptedColumns, SearchOf, ValueOf } from './safekeep-fields.d.ts';
declare const keys: Parameters<typeof safekeep>[1]['keys'];
const pool = new pg.Pool();
const sdk: Safekeep<EncryptedColumns> = safekeep<EncryptedColumns>(pool, { tenant: 'default', keys });
export const db = sealedPool(pool, sdk);
`;

const RIGHT = [
  `await sdk.seal('public.people.email', 'ann@example.org');`,
  `await sdk.seal('public.people.email', null);`,
  `await sdk.sealRow('public.people.born', new Date());`,
  `await sdk.sealAll('public.people.born', ['2000-02-29', null]);`,
  `await sdk.search('public.people.email', 'last4', '0042');`,
  `await sdk.search('public.people.born', 'year', '1984');`,
  `const one: ValueOf<'public.people.email'> = 'a'; const two: SearchOf<'public.people.born'> = 'year'; console.log(one, two);`,
  `await safekeep(pool, { tenant: 'default', keys }).seal('any.at.all', 7);`,
];

const WRONG = [
  `await sdk.seal('public.people.emial', 'ann@example.org');`,
  `await sdk.seal('public.people.email', 42);`,
  `await sdk.sealRow('public.people.born', true);`,
  `await sdk.sealAll('public.people.born', [7]);`,
  `await sdk.search('public.people.email', 'year', '1984');`,
  `await sdk.search('public.people.note', 'exact', 'x');`,
  `await sdk.open('public.people.phone', null);`,
  `const two: SearchOf<'public.people.note'> = 'exact'; console.log(two);`,
];

test('an application that is compiled against the declarations cannot misname a column, its value or its search', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-types-'));
  t.after(() => rm(folder, { recursive: true }));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'safekeep-fields.d.ts'), DECLARED);
  await writeFile(join(folder, 'right.ts'), USE + RIGHT.join('\n'));
  await writeFile(join(folder, 'wrong.ts'), USE + WRONG.join('\n'));
  const options = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--allowImportingTsExtensions',
    '--module',
    'nodenext',
    '--target',
    'esnext',
    '--skipLibCheck',
    '--types',
    'node',
  ];
  const compile = async (file: string): Promise<readonly string[]> => {
    const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
    const said = await run(compiler, [...options, join(folder, file)], { cwd: folder }).then(
      ({ stdout }) => stdout,
      (error: unknown) => (error instanceof Error && 'stdout' in error ? String(error.stdout) : assert.fail(String(error))),
    );
    return said.split('\n').filter((line) => line.includes('error TS'));
  };
  assert.deepEqual(await compile('right.ts'), []);
  const errors = await compile('wrong.ts');
  const first = USE.split('\n').length;
  const lines = errors.map((line) => Number(/wrong\.ts\((\d+),/.exec(line)?.[1]));
  assert.deepEqual(
    [...new Set(lines)],
    WRONG.map((_, place) => first + place),
    errors.join('\n'),
  );
});
