import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { smallDisks } from '@safekeep/postgres/testing';
import { DIFFICULT, DIFFICULT_MAP, workbench, type Workbench } from '../testing/workbench.ts';
import { exportsPart } from './delete-exports.ts';
import { exportSubject, type ExportGround } from './export-subject.ts';
import { parseSubject } from './ground.ts';
import { runErasures } from './open-erasures.ts';
import { openExport } from './open-export.ts';

const everything = { from: null, to: null };
const DAY_MS = 86_400_000;

async function difficult(t: TestContext, map: object = DIFFICULT_MAP): Promise<Workbench> {
  return await workbench(t, { schema: DIFFICULT, map });
}

function exportGround(bench: Workbench, directory = join(bench.folder, 'exports')): ExportGround {
  return { ...bench.ground, directory, key: randomBytes(32) };
}

test('on a full disk an export is refused in clear words, leaves no file, and can be made elsewhere', async (t) => {
  const { mount } = smallDisks(t);
  const bench = await difficult(t);
  await bench.pool.query(
    `insert into visits (id, patient_id, reason) select n, 42, encode(sha256(n::text::bytea), 'hex') from generate_series(1000, 9000) as n`,
  );
  const small = join(bench.folder, 'small');
  await mkdir(small);
  if (!mount(small, '256k')) return;
  const ground = exportGround(bench, small);
  const order = parseSubject(bench.ground.map, 'patient:42');
  for (const format of ['zip', 'json', 'csv'] as const) {
    await assert.rejects(exportSubject(ground, { ...order, format, window: everything }), { code: 'disk-full' }, format);
    assert.deepEqual(await readdir(small), [], format);
    await assert.rejects(exportSubject(ground, { ...order, format, window: everything, out: join(small, 'x') }), {
      code: 'disk-full',
    });
    assert.deepEqual(await readdir(small), [], format);
  }
  const kept = await exportSubject(
    { ...ground, directory: join(bench.folder, 'exports') },
    { ...order, format: 'json', window: everything },
  );
  await assert.rejects(openExport(ground.key, kept.file, join(small, 'open.json')), { code: 'disk-full' });
  assert.deepEqual(await readdir(small), []);
  // No connection was left within the transaction of an export that failed.
  const { rows } = await bench.pool.query(
    `select count(*)::int as open from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
  );
  assert.equal(rows[0].open, 0);
});

test('a deadlock with the application ends with both of them done, or with one told and nothing half erased', async (t) => {
  const bench = await difficult(t);
  const { hash } = await bench.plan('patient:42');
  const booking = await bench.pool.connect();
  try {
    await booking.query(`begin; set local deadlock_timeout = '1min'; update visits set prior = prior where id = 3 and tenant = 1`);
    const erasing = bench.approve('patient:42', hash);
    await untilSomebodyWaits(bench);
    // The erasure has the person's row and waits for the visit; this one has the visit and waits for the person.
    const answered = booking.query(`update patients set primary_visit = primary_visit where id = 42`);
    await answered;
    await booking.query('commit');
    assert.equal((await erasing).state, 'kept');
  } finally {
    booking.release();
  }
  const kinds: string[] = [];
  for await (const { entry } of bench.ground.ledger.read()) kinds.push(entry.kind);
  assert.deepEqual(
    kinds,
    ['intent', 'abandoned', 'intent', 'done'],
    'the server ended the first try (40P01), the second went through',
  );
  assert.equal((await bench.rows('visits', "patient_id = 42 and reason <> 'erased'")).length, 0);
});

async function untilSomebodyWaits({ pool }: Workbench): Promise<void> {
  for (let waiting = 0; waiting === 0;) {
    // On the same server others wait too.
    const { rows } = await pool.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    waiting = rows[0]?.waiting ?? 0;
  }
}

test('a place outside that is down for a day is told each time with the same name for it, until it answers', async (t) => {
  let isUp = false;
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers['idempotency-key']?.toString());
    request.resume().on('end', () => response.writeHead(isUp ? 204 : 503).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const crm = { kind: 'webhook', of: 'patient', at: `http://127.0.0.1:${port}/erase/{key}`, export: false, erase: true };
  const bench = await difficult(t, { ...DIFFICULT_MAP, outside: { crm } });
  assert.equal((await bench.erase('patient:42')).state, 'outside');
  for (let hour = 0; hour < 24; hour += 1) {
    bench.clock.advanceMs(DAY_MS / 24);
    const { erasures } = await runErasures(bench.ground);
    assert.deepEqual(
      erasures.map(({ state }) => state),
      ['outside'],
    );
  }
  isUp = true;
  assert.equal((await runErasures(bench.ground)).erasures[0]?.state, 'kept');
  assert.equal(new Set(keys).size, 1, 'who is told twice can tell');
  assert.equal(keys.length, 26);
  const { rows } = await bench.pool.query('select certificate, finished_at from safekeep.erasures');
  assert.equal(rows[0].certificate.document.externalCopies[0].state, 'done');
  assert.equal(rows[0].finished_at.toISOString(), '2026-11-22T10:00:00.000Z');
});

test("files of a person outside are removed, nobody else's are, and a path that could lead elsewhere is not followed", async (t) => {
  const placed = { bench: await difficult(t) };
  const files = join(placed.bench.folder, 'files');
  for (const person of ['42', '43', '44']) await mkdir(join(files, person), { recursive: true });
  await writeFile(join(files, '42', 'x-ray.txt'), 'Ada');
  const outside = {
    archive: { kind: 'files', of: 'patient', at: join(files, '{key}'), export: false, erase: true },
    all: { kind: 'files', of: 'patient', at: files, export: false, erase: true },
    relative: { kind: 'files', of: 'patient', at: 'files/{key}', export: false, erase: true },
  };
  const ground = await placed.bench.refresh({ ...DIFFICULT_MAP, outside });
  const done = await placed.bench.erase('patient:42', 'anonymise', ground);
  assert.equal(done.state, 'kept', 'what nobody but a person can do is not tried for ever');
  assert.deepEqual(
    Object.fromEntries(done.externalCopies.filter(({ kind }) => kind === 'files').map(({ place, state }) => [place, state])),
    { archive: 'done', all: 'by-hand', relative: 'by-hand' },
  );
  assert.match(
    done.externalCopies.find(({ place }) => place === 'all')?.note ?? '',
    /no \{key\}.*correct the map, or remove it by hand/,
  );
  assert.match(done.externalCopies.find(({ place }) => place === 'relative')?.note ?? '', /not absolute/);
  assert.deepEqual((await readdir(files)).toSorted(), ['43', '44']);
});

test('the key of a person cannot lead out of the folder of files', async (t) => {
  const bench = await workbench(t, {
    schema: `create table people (id text primary key, name text); insert into people values ('../43', 'Mallory'), ('43', 'Ben'), ('..', 'Eve')`,
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
      tables: { 'public.people': { columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' } } } },
    },
  });
  const files = join(bench.folder, 'files');
  await mkdir(join(files, 'of', '43'), { recursive: true });
  await mkdir(join(files, '43'));
  const at = join(files, 'of', '{key}');
  const ground = await bench.refresh({
    version: 1,
    tenant: 'fixed',
    subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
    tables: { 'public.people': { columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' } } } },
    outside: { archive: { kind: 'files', of: 'person', at, export: false, erase: true } },
  });
  for (const person of ['person:../43', 'person:..']) {
    const { state, externalCopies } = await bench.erase(person, 'anonymise', ground);
    assert.deepEqual([state, externalCopies[0]?.state], ['done', 'by-hand'], person);
    assert.match(externalCopies[0]?.note ?? '', /could lead elsewhere/);
  }
  for (const folder of [join(files, '43'), join(files, 'of', '43')]) await access(folder);
});

test('exports that nobody fetches are deleted after 30 days, and what a killed one left after one', async (t) => {
  const bench = await difficult(t);
  const ground = exportGround(bench);
  const order = { format: 'json', window: everything } as const;
  const first = await exportSubject(ground, { ...parseSubject(ground.map, 'patient:42'), ...order });
  const half = `${first.file}.0a1b2c3d.partial`;
  await writeFile(half, '');
  const made = bench.clock.now();
  assert.equal(first.expiresAt, new Date(made.getTime() + 30 * DAY_MS).toISOString());
  for (const file of [first.file, half]) await utimes(file, made, made);
  bench.clock.advanceMs(2 * DAY_MS);
  const second = await exportSubject(ground, { ...parseSubject(ground.map, 'patient:43'), ...order });
  assert.equal(second.expired, 0);
  await assert.rejects(access(half), { code: 'ENOENT' });
  await utimes(second.file, bench.clock.now(), bench.clock.now());
  bench.clock.advanceMs(28 * DAY_MS);
  assert.equal((await exportSubject(ground, { ...parseSubject(ground.map, 'patient:44'), ...order })).expired, 1);
  await assert.rejects(access(first.file), { code: 'ENOENT' });
  await access(second.file);
});

test('an erasure takes the kept exports of the person with it, and of nobody else', async (t) => {
  const bench = await difficult(t);
  const exporting = exportGround(bench);
  const participants = [exportsPart(exporting.directory, async () => exporting.key)];
  const ground = { ...bench.ground, ports: { participants } };
  const exported = async (subject: string): Promise<string> =>
    (await exportSubject(exporting, { ...parseSubject(ground.map, subject), format: 'json', window: everything })).file;
  const [mine, others] = [await exported('patient:42'), await exported('patient:43')];
  const plan = await bench.plan('patient:42', 'anonymise', ground);
  assert.ok(plan.notes.some((note) => note.includes('deletes 1 export')));
  assert.equal((await bench.approve('patient:42', plan.hash, { ground })).verified, true);
  await assert.rejects(access(mine), { code: 'ENOENT' });
  await access(others);
  const { rows } = await bench.pool.query('select certificate from safekeep.erasures');
  assert.deepEqual(rows[0].certificate.document.participants[0].counts, { 'kept exports': 1 });
});
