import assert from 'node:assert/strict';
import { access, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { readZip } from '../export/zip.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { exportSubject, type ExportFormat } from './export-subject.ts';
import { parseSubject } from './ground.ts';
import { verifyFile } from './verify-file.ts';

const columns = { id: { category: 'user.unique_id' }, name: { category: 'user.name' } };
const note = {
  columns: { person_id: { category: 'user.unique_id' }, text: { category: 'user.content' } },
  of: { person: 'person_id' },
};
const MAP = {
  version: 1,
  tenant: 'fixed',
  region: 'EU',
  controller: { name: 'Practice', contact: 'privacy@example.org', data_protection_officer: 'dpo@example.org' },
  purposes: {
    care: { use: 'essential.service', basis: 'contract', retention: '10y', recipients: ['Tax office'], cite: 'BGB 630f' },
  },
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': { columns, purposes: ['care'] },
    'public."a b"': note,
    'public."a+b"': note,
    'public.empty': { ...note, purposes: ['never'] },
  },
  outside: { crm: { kind: 'webhook', of: 'person', at: 'https://crm.example/{key}', export: true, erase: true } },
};

async function* looked() {
  yield { at: '2026-11-20T10:00:00Z', action: 'read', actor: 'staff', sentence: 'staff looked' };
}

async function exporting(
  t: Parameters<typeof workbench>[0],
  accessLog = looked,
): Promise<{
  readonly bench: Workbench;
  readonly folder: string;
  readonly write: (format: ExportFormat, name: string) => ReturnType<typeof exportSubject>;
}> {
  const tables = ['"a b"', '"a+b"', 'empty'].map((name) => `create table ${name} (person_id bigint references people, text text);`);
  const bench = await workbench(t, {
    schema: `create table people (id bigint primary key, name text); ${tables.join(' ')}
      insert into people values (1, 'Ada'); insert into "a b" values (1, 'x;=1+1'); insert into "a+b" values (1, 'y')`,
    map: { ...MAP, purposes: { ...MAP.purposes, never: { use: 'marketing', basis: 'consent' } } },
    ports: { participants: [], accessLog },
  });
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-export-'));
  t.after(() => rm(folder, { recursive: true }));
  const ground = { ...bench.ground, directory: folder, key: Buffer.alloc(32, 1) };
  const order = { ...parseSubject(bench.ground.map, 'person:1'), window: { from: null, to: null } };
  return { bench, folder, write: (format, name) => exportSubject(ground, { ...order, format, out: join(folder, name) }) };
}

async function textsOf(path: string): Promise<ReadonlyMap<string, string>> {
  const { files, close } = await readZip(path);
  const texts = new Map<string, string>();
  for (const { name, read } of files) {
    const chunks: Buffer[] = [];
    for await (const chunk of read()) chunks.push(chunk);
    texts.set(name, Buffer.concat(chunks).toString());
  }
  await close();
  return texts;
}

test('an export tells why the data is there, who gets it and how long, what else is held, and who looked, in every format', async (t) => {
  const { bench, folder, write } = await exporting(t);
  const { elsewhere } = await write('zip', 'all.zip');
  assert.deepEqual(elsewhere, [{ place: 'crm', kind: 'webhook' }]);
  const texts = await textsOf(join(folder, 'all.zip'));
  const { processing, accessLog } = JSON.parse(texts.get('data.json') ?? '');
  assert.deepEqual(processing.purposes, [
    { purpose: 'care', use: 'essential.service', basis: 'contract', condition: null, retention: '10y', cite: 'BGB 630f' },
  ]);
  assert.deepEqual([processing.recipients, processing.regions], [['Tax office'], ['EU']]);
  assert.deepEqual(processing.elsewhere, [{ place: 'crm', kind: 'webhook', note: null }]);
  assert.equal(processing.rights.length, 5);
  assert.equal(accessLog.length, 1);
  const schema = /```json\n(?<schema>[^]+?)\n```/.exec(
    await readFile(new URL('../../../../docs/export.md', import.meta.url), 'utf8'),
  );
  assert.deepEqual(Object.keys(processing), JSON.parse(schema?.groups?.['schema'] ?? '').properties.processing.required);
  const readme = texts.get('README.txt') ?? '';
  for (const word of ['Tax office', 'contract', '10y', 'dpo@example.org', 'Art. 77', 'crm (webhook)', '1 time(s) on record'])
    assert.ok(readme.includes(word), word);
  assert.ok(!readme.includes('marketing'), 'a table without rows of the person is none of theirs');
  await write('csv', 'csv.zip');
  const csv = await textsOf(join(folder, 'csv.zip'));
  assert.match(csv.get('accessLog.csv') ?? '', /^at,action,actor,sentence\r\n2026-11-20T10:00:00Z,read,staff,staff looked\r\n$/);
  assert.match(csv.get('README.txt') ?? '', /Tax office/);
  await write('pdf', 'one.pdf');
  const { verifierKey } = bench.ground.signer;
  for (const name of ['all.zip', 'csv.zip', 'one.pdf.manifest.json', 'one.pdf'])
    assert.deepEqual((await verifyFile(join(folder, name), verifierKey)).faults, [], name);
  await writeFile(join(folder, 'other.pdf'), 'forged');
  await copyFile(join(folder, 'one.pdf.manifest.json'), join(folder, 'other.pdf.manifest.json'));
  assert.deepEqual((await verifyFile(join(folder, 'other.pdf'), verifierKey)).faults, [
    'other.pdf is not in the manifest beside it',
  ]);
});

test('tables whose names would be one file are two, and a part of a cell that another list separator frees is no formula', async (t) => {
  const { folder, write } = await exporting(t);
  await write('csv', 'all.zip');
  const texts = await textsOf(join(folder, 'all.zip'));
  assert.deepEqual(
    [...texts.keys()].filter((name) => name.startsWith('tables/public._a')),
    ['tables/public._a_b_.csv', 'tables/public._a_b_-2.csv'],
  );
  assert.match(texts.get('tables/public._a_b_.csv') ?? '', /"x;'=1\+1"/);
});

test('an erasure waits until an export of the person has its file', async (t) => {
  const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { bench, write } = await exporting(t, async function* () {
    reached.resolve();
    await goOn.promise;
    yield* looked();
  });
  const ended: string[] = [];
  const writing = write('json', 'all.json').then(() => ended.push('exported'));
  await reached.promise;
  const { hash } = await bench.plan('person:1');
  const erasing = bench.approve('person:1', hash).then(() => ended.push('erased'));
  const waiting = async (): Promise<number | null> =>
    (await bench.pool.query("select from pg_locks where locktype = 'advisory' and not granted")).rowCount;
  while ((await waiting()) !== 1) await wait(20);
  goOn.resolve();
  await Promise.all([writing, erasing]);
  assert.deepEqual(ended, ['exported', 'erased']);
});

test('a ZIP that another reader may read otherwise is not genuine: a byte of its frame, a second directory, bytes between or behind', async (t) => {
  const { bench, folder, write } = await exporting(t);
  await write('csv', 'all.zip');
  const bytes = await readFile(join(folder, 'all.zip'));
  const directory = Number(bytes.readBigUInt64LE(bytes.length - 50));
  const faultsOf = async (changed: Uint8Array): Promise<readonly string[]> => {
    await writeFile(join(folder, 'forged.zip'), changed);
    return (await verifyFile(join(folder, 'forged.zip'), bench.ground.signer.verifierKey)).faults;
  };
  const frame = [...Array(50).keys(), ...Array.from({ length: bytes.length - directory }, (_, at) => directory + at)];
  const unseen: number[] = [];
  for (const at of frame) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    if ((await faultsOf(changed)).length === 0) unseen.push(at);
  }
  assert.deepEqual(unseen, []);
  const [files, end] = [bytes.subarray(0, directory), bytes.subarray(-98)];
  assert.notDeepEqual(await faultsOf(Buffer.concat([files, bytes.subarray(directory, -98), bytes, end])), []);
  assert.notDeepEqual(await faultsOf(Buffer.concat([bytes, Buffer.from('behind')])), []);
  assert.notDeepEqual(await faultsOf(Buffer.concat([Buffer.from('before'), bytes])), []);
});

test('an export never takes the place of a file', async (t) => {
  const { folder, write } = await exporting(t);
  await writeFile(join(folder, 'mine.zip'), 'mine');
  await assert.rejects(write('zip', 'mine.zip'), { code: 'file-exists' });
  assert.equal(await readFile(join(folder, 'mine.zip'), 'utf8'), 'mine');
  await writeFile(join(folder, 'one.json.manifest.json'), 'mine');
  await assert.rejects(write('json', 'one.json'), { code: 'file-exists' });
  await assert.rejects(access(join(folder, 'one.json')));
});

test('lists are given as JSON, which any program takes apart', async (t) => {
  const tags = { category: 'user.content' };
  const bench = await workbench(t, {
    schema: `create domain labels as text[];
      create table people (id bigint primary key, name text, tags text[], days date[][], labels labels, none text[]);
      insert into people values (1, 'Ada', '{vip,"a, \\"b\\"",null}', '{{2026-01-02},{2026-03-04}}', '{x}', null)`,
    map: {
      ...MAP,
      tables: { 'public.people': { columns: { ...columns, tags, days: tags, labels: tags, none: tags } } },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-export-'));
  t.after(() => rm(folder, { recursive: true }));
  const ground = { ...bench.ground, directory: folder, key: Buffer.alloc(32, 1) };
  const order = { ...parseSubject(bench.ground.map, 'person:1'), window: { from: null, to: null } };
  const { file } = await exportSubject(ground, { ...order, format: 'json', out: join(folder, 'ada.json') });
  const { tables } = JSON.parse(await readFile(file, 'utf8'));
  const { id, name, ...lists } = tables[0].rows[0];
  assert.deepEqual(lists, { tags: ['vip', 'a, "b"', null], days: [['2026-01-02'], ['2026-03-04']], labels: ['x'], none: null });
  assert.deepEqual([id, name], [1, 'Ada']);
});
