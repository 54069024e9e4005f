import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSealed } from '../export/sink.ts';
import type { ExportDone } from '../model.ts';
import { DIFFICULT, DIFFICULT_MAP, workbench, type Workbench } from '../testing/workbench.ts';
import { exportSubject, type ExportFormat, type ExportGround } from './export-subject.ts';
import { parseSubject } from './ground.ts';
import { openExport } from './open-export.ts';
import { verifyFile } from './verify-file.ts';

const everything = { from: null, to: null };

function exportGround(bench: Workbench): ExportGround {
  return { ...bench.ground, directory: join(bench.folder, 'exports'), key: randomBytes(32) };
}

async function exported(
  bench: Workbench,
  subject: string,
  more: { readonly format?: ExportFormat; readonly out?: string } = {},
): Promise<ExportDone> {
  const { format = 'zip', out = join(bench.folder, `${subject}.${format}`) } = more;
  return await exportSubject(exportGround(bench), { ...parseSubject(bench.ground.map, subject), format, window: everything, out });
}

test('an export is a ZIP that other programs read, and its manifest proves every file', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  await bench.pool.query(
    `update patients set full_name = '=cmd()' where id = 42; update visits set reason = 'says "hi",\nnew line' where id = 3`,
  );
  const { file, rows } = await exported(bench, 'patient:42');
  assert.ok(rows > 20);
  execFileSync('unzip', ['-tq', file]);
  const document = JSON.parse(execFileSync('unzip', ['-p', file, 'data.json'], { encoding: 'utf8' }));
  assert.equal(
    document.tables
      .find((each: { table: string }) => each.table === 'public.patients')
      .rows.find((row: { full_name: string | null }) => row.full_name !== null).full_name,
    '=cmd()',
    'JSON is as it is',
  );
  const csv = execFileSync('unzip', ['-p', file, 'tables/public.patients.csv'], { encoding: 'utf8' });
  assert.match(csv, /,'=cmd\(\),/, 'a spreadsheet runs no formula');
  assert.match(execFileSync('unzip', ['-p', file, 'tables/public.visits.csv'], { encoding: 'utf8' }), /"says ""hi"",\nnew line"/);
  assert.deepEqual((await verifyFile(file, bench.ground.signer.verifierKey)).faults, []);
});

test('other people in shared rows are left out, and credentials are', async (t) => {
  const map = structuredClone(DIFFICULT_MAP);
  Object.assign(map.tables['public.patients'].columns, { code: { category: 'user.authorization.password' } });
  const bench = await workbench(t, { schema: DIFFICULT, map });
  const { file, withheld } = await exported(bench, 'patient:42', { format: 'json' });
  assert.deepEqual(withheld, [
    { table: 'public.messages', column: 'body', reason: 'in 2 entries not theirs alone, and not marked as theirs in the map' },
    { table: 'public.patients', column: 'code', reason: 'a credential' },
  ]);
  const text = await readFile(file, 'utf8');
  const document = JSON.parse(text);
  const rowsOf = (table: string): Record<string, unknown>[] =>
    document.tables.find((each: { table: string }) => each.table === table).rows;
  assert.deepEqual(
    rowsOf('public.messages').find(({ id }) => id === 1),
    { id: 1, sender_id: 42, recipient_id: null, sender_name: 'Ada Byron', recipient_name: null, body: null },
  );
  assert.ok(
    !text.includes('Ben Cole') && !text.includes('ben@example.org') && !text.includes('AB12'),
    'nobody else, no credential',
  );
  assert.deepEqual((await verifyFile(`${file}.manifest.json`, bench.ground.signer.verifierKey)).faults, []);
});

test('an export that was changed is found out', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  const { file } = await exported(bench, 'patient:42');
  const bytes = await readFile(file);
  const { verifierKey } = bench.ground.signer;
  let found = 0;
  for (let at = 60; at < bytes.length; at += 97) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x55;
    await writeFile(join(bench.folder, 'changed.zip'), changed);
    if (!(await verifyFile(join(bench.folder, 'changed.zip'), verifierKey)).ok) found += 1;
  }
  // A changed byte of a header (a date, a name written twice) changes no content.
  assert.ok(found > 0.6 * ((bytes.length - 60) / 97), `${found}`);
  await writeFile(join(bench.folder, 'cut.zip'), bytes.subarray(0, bytes.length - 300));
  assert.equal((await verifyFile(join(bench.folder, 'cut.zip'), verifierKey)).ok, false);
});

test('without a file of its own an export is kept sealed, and opens with the key of the home alone', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  const ground = exportGround(bench);
  const { file, sealed } = await exportSubject(ground, {
    ...parseSubject(bench.ground.map, 'patient:42'),
    format: 'json',
    window: everything,
  });
  assert.equal(sealed, true);
  const bytes = await readFile(file);
  assert.ok(!bytes.includes('Ada Byron'));
  assert.equal((await openExport(ground.key, file, join(bench.folder, 'open.json'))).subject, 'patient:42');
  assert.match(await readFile(join(bench.folder, 'open.json'), 'utf8'), /^\{.*Ada Byron/s);
  await assert.rejects(openExport(randomBytes(32), file, join(bench.folder, 'other.json')), { code: 'export-broken' });
  await writeFile(`${file}.cut`, bytes.subarray(0, 40));
  await assert.rejects(async () => {
    for await (const chunk of openSealed(`${file}.cut`, ground.key)) assert.ok(chunk);
  });
  assert.deepEqual(
    (await readdir(bench.folder)).filter((name) => name.includes('partial')),
    [],
  );
});

test('a place that cannot be written, or a person who is not there, leaves no file behind', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  await writeFile(join(bench.folder, 'file'), '');
  await assert.rejects(exported(bench, 'patient:42', { out: join(bench.folder, 'file', 'x.zip') }), { code: 'export-unwritable' });
  await assert.rejects(exported(bench, 'patient:99'), { code: 'subject-unknown' });
  assert.deepEqual(
    (await readdir(bench.folder)).filter((name) => name.includes('99')),
    [],
  );
});

test('a PDF holds the values of the person', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  const { file, rows } = await exported(bench, 'patient:42', { format: 'pdf' });
  assert.ok(rows > 20);
  assert.match((await readFile(file)).subarray(0, 8).toString('latin1'), /^%PDF-1/);
});
