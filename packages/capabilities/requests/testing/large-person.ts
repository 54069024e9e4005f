import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CertificateBody } from '../model.ts';
import { checkSigned } from '../rules/certificate.ts';
import { workbench, type Workbench } from './workbench.ts';

const CHILD = fileURLToPath(new URL('./large-child.ts', import.meta.url));

const none = { category: 'none' };
const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'name' } },
  tables: {
    'public.people': {
      columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' }, email: { category: 'user.contact.email' } },
    },
    'public.readings': {
      of: { person: 'person_id' },
      columns: {
        id: none,
        person_id: { category: 'user.unique_id' },
        at: none,
        value: none,
        note: { category: 'user.health_and_medical' },
      },
    },
  },
};

function schemaOf(rows: number): string {
  return `
    create table public.people (id bigint primary key, name text not null, email text not null unique);
    create table public.readings (id bigint primary key, person_id bigint not null references people, at timestamptz not null, value double precision, note text);
    insert into people select n, 'Name ' || n, 'p' || n || '@example.org' from generate_series(1, 3) as n;
    insert into readings select n, 1, timestamptz '2020-01-01' + n * interval '1 second', n * 0.5, 'a note of the ' || n || 'th reading' from generate_series(1, ${rows}) as n;
    insert into readings select -n, 2, timestamptz '2020-01-01', n, 'of somebody else ' || n from generate_series(1, 2000) as n;
    create index on readings (person_id); analyze`;
}

/** What a process may take for any person: docs of this capability say so. */
const MEMORY_BYTES_AT_MOST = 200 * 1024 * 1024;
/** An erasure holds the keys and texts of one chunk besides. */
const ERASING_BYTES_AT_MOST = 450 * 1024 * 1024;

type Said = Readonly<Record<string, string | number>>;

/** A person with that many rows in one table is exported, planned, and erased by processes of which the first is killed on the way. */
export async function exportAndErase(t: Parameters<typeof workbench>[0], rows: number): Promise<void> {
  const bench = await workbench(t, { schema: schemaOf(rows), map: MAP });
  await writeFile(join(bench.folder, 'map.json'), JSON.stringify(MAP));
  await writeFile(join(bench.folder, 'signing.pem'), bench.pem, { mode: 0o600 });
  const others = await bench.rows('readings', 'person_id = 2');

  const exported = await run(bench, 'export');
  assert.equal(exported[0]?.['rows'], rows + 1);
  assert.ok(Number(exported[0]?.['told']) >= rows / 500, 'progress is told');
  assertMemory(exported, MEMORY_BYTES_AT_MOST);
  await assertZip(join(bench.folder, 'export.zip'), rows);

  const planned = await run(bench, 'plan');
  assert.deepEqual([planned[0]?.['rows'], planned[0]?.['chunks']], [rows + 1, 1 + Math.ceil(rows / 100_000)]);
  assertMemory(planned, ERASING_BYTES_AT_MOST);
  const hash = String(planned[0]?.['hash']);
  const before = await eraseUntilFirstChunk(bench, hash);
  assert.ok(before >= 100_000 && before < rows, 'killed on the way');
  const erased = await run(bench, 'erase', hash);
  const chunks = erased.filter((said) => 'total' in said);
  assert.ok(chunks.length > 0 && Number(chunks[0]?.['rows']) > before, 'it went on where it had stood');
  assert.deepEqual(
    erased.filter((said) => 'state' in said),
    [{ state: 'done', masked: rows + 1 }],
  );
  assertMemory(erased, ERASING_BYTES_AT_MOST);

  const { rowCount } = await bench.pool.query('select from readings where person_id = 1 and note is not null limit 1');
  assert.equal(rowCount, 0);
  assert.deepEqual(await bench.rows('people', "id = 1 and name <> 'erased'"), []);
  assert.deepEqual(await bench.rows('readings', 'person_id = 2'), others, 'nobody else was touched');
  await assertRecords(bench, rows);
}

function assertMemory(said: readonly Said[], atMost: number): void {
  const peak = Number(said.at(-1)?.['peakBytes']);
  assert.ok(peak > 0 && peak <= atMost, `${Math.round(peak / 1024 / 1024)} MB`);
}

async function run({ folder, url }: Workbench, action: string, hash = ''): Promise<readonly Said[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, folder, url.reveal(), action, 'person:1', hash], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return saidIn(stdout);
}

function saidIn(text: string): readonly Said[] {
  // The child writes one flat object a line.
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Said]));
}

/** Kills it when it has told of its first chunk; how many rows it said it had done. */
async function eraseUntilFirstChunk({ folder, url }: Workbench, hash: string): Promise<number> {
  const child = spawn(process.execPath, [CHILD, folder, url.reveal(), 'erase', 'person:1', hash], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
  await Promise.race([once(child.stdout, 'data'), ended]);
  child.kill('SIGKILL');
  await ended;
  return Number(saidIn(told)[0]?.['rows'] ?? 0);
}

/** Read by a program that shares no code with ours. */
async function assertZip(file: string, rows: number): Promise<void> {
  const { stdout } = await promisify(execFile)('python3', [
    '-c',
    `import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(sum(1 for _ in z.open('tables/public.readings.csv')) - 1)
print(sum(1 for line in z.open('data.json') if line.startswith(b'{"id":')))`,
    file,
  ]);
  assert.deepEqual(stdout.trim().split('\n').map(Number), [rows, rows + 1]);
  await rm(file);
}

async function assertRecords({ pool, ground }: Workbench, rows: number): Promise<void> {
  const { rows: records } = await pool.query<{ state: string; certificate: { document: CertificateBody } }>(
    'select state, certificate from safekeep.erasures',
  );
  const [record, ...more] = records;
  assert.ok(record !== undefined && more.length === 0);
  const { state, certificate } = record;
  assert.equal(state, 'done');
  assert.equal(certificate.document.rows.count, rows + 1);
  assert.deepEqual(checkSigned(certificate, ground.signer.verifierKey).faults, []);
  const ended = new Map<string, string[]>();
  for await (const { entry } of ground.ledger.read()) ended.set(entry.id, [...(ended.get(entry.id) ?? []), entry.kind]);
  const done = [...ended.values()].filter((kinds) => kinds.join() === 'intent,done').length;
  assert.equal(done, 1 + Math.ceil(rows / 100_000) + (rows % 100_000 === 0 ? 1 : 0), 'each chunk, and the end, is in the ledger');
  assert.ok(
    [...ended.values()].every((kinds) => kinds.length === 2),
    'nothing stays open',
  );
}
