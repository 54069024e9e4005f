import assert from 'node:assert/strict';
import { chown, mkdir, mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { smallDisks } from '@safekeep/postgres/testing';
import { readLog } from '../testing/read-log.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { exportTiles } from '../verification/export-tiles.ts';
import { verifyDirectory } from '../verification/verify-files.ts';

const plain = { category: 'none', note: 'looked at' };
const THINGS = { 'public.things': { of: 'none', note: 'x', columns: { id: plain, v: plain } } };
const TABLE = 'create table things (id integer primary key, v text)';

const full = (error: unknown): boolean => isSafekeepError(error, 'disk-full');

async function fill(directory: string): Promise<string> {
  const ballast = join(directory, 'ballast');
  const growing = async (): Promise<never> => {
    for (let size = 1; ; size = 4096) await writeFile(ballast, Buffer.alloc(size), { flag: 'a' });
  };
  // A small disk in memory counts by processor and refuses a little early: full is what it sums up to.
  do await assert.rejects(growing(), /ENOSPC/);
  while ((await statfs(directory)).bfree > 0);
  return ballast;
}

async function captured(t: TestContext): Promise<Workbench> {
  const bench = await workbench(t, { setUp: TABLE });
  await bench.capture(THINGS);
  return bench;
}

test('where the disk of the home is full nothing is published that does not lie there, and the next call goes on', async (t) => {
  const { mount } = smallDisks(t);
  const bench = await captured(t);
  const directory = join(bench.home, 'audit');
  await mkdir(directory, { mode: 0o700 });
  if (!mount(directory, '64k')) return;
  await bench.pool.query(`insert into things values (1, 'a')`);
  await bench.sequence();
  const [file = ''] = (await readdir(directory)).filter((name) => name.endsWith('.checkpoint'));
  const kept = await readFile(join(directory, file), 'utf8');
  const ballast = await fill(directory);
  await bench.pool.query(`insert into things values (2, 'b')`);
  await assert.rejects(bench.sequence(), full);
  // What the failed attempt took away again may have left room for one more.
  await fill(directory);
  await assert.rejects(bench.sequence(), full, 'as often as it is tried');
  assert.equal(await readFile(join(directory, file), 'utf8'), kept, 'the last one is whole');
  const { rows } = await bench.pool.query('select size::integer from safekeep.audit_checkpoints');
  assert.deepEqual(rows, [{ size: 1 }]);
  await rm(ballast);
  const { logs } = await bench.sequence();
  assert.equal(logs[0]?.size, 2);
  assert.deepEqual((await readLog(bench.pool)).faults, []);
});

test('an export to a full disk says so and keeps the export that was there', async (t) => {
  const { mount, remount } = smallDisks(t);
  const bench = await captured(t);
  const directory = join(bench.home, 'exported');
  await mkdir(directory);
  if (!mount(directory, '512k')) return;
  const order = { tenant: 'default', directory, signal: new AbortController().signal, progress: () => undefined };
  await bench.pool.query(`insert into things select n, 'v' from generate_series(1, 300) as n`);
  await bench.sequence();
  await exportTiles(bench.database, order);
  const { verifierKey } = bench.sequencer.signer;
  await bench.pool.query(`insert into things select n, 'v' from generate_series(1001, 3000) as n`);
  await bench.sequence();
  await assert.rejects(exportTiles(bench.database, order), full);
  const before = await verifyDirectory(directory, verifierKey);
  assert.deepEqual([before.ok, before.size], [true, 300], 'the checkpoint comes last');
  remount(directory, 'size=8m');
  await exportTiles(bench.database, order);
  const after = await verifyDirectory(directory, verifierKey);
  assert.deepEqual([after.ok, after.size], [true, 2300]);
});

test('where the disk of the database is full a batch leaves nothing behind, an application is told, and nothing is lost', async (t) => {
  let leave = async (): Promise<void> => undefined;
  t.after(() => leave());
  const { mount, remount } = smallDisks(t);
  const place = await mkdtemp(join(tmpdir(), 'safekeep-tight-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  const bench = await captured(t);
  if (!mount(place, '2m')) return;
  const { rows: where } = await bench.pool.query<{ directory: string }>(`select current_setting('data_directory') as directory`);
  const { uid, gid } = await stat(where[0]?.directory ?? '');
  await chown(place, uid, gid);
  const space = `tight_${process.pid}`;
  await bench.pool.query(`create tablespace ${space} location '${place}'`);
  const moveTo = async (target: string): Promise<void> => {
    for (const table of ['audit_inbox_even', 'audit_inbox_odd', ...(await partitionsOf(bench))])
      await bench.pool.query(`alter table safekeep.${table} set tablespace ${target}`);
  };
  leave = async () => {
    await moveTo('pg_default');
    await bench.pool.query(`drop tablespace ${space}`);
  };
  for (const table of await partitionsOf(bench)) await bench.pool.query(`alter table safekeep.${table} set tablespace ${space}`);
  const wide = `repeat(md5(n::text), 8)`;
  await bench.pool.query(`insert into things select n, ${wide} from generate_series(1, 6000) as n`);
  await assert.rejects(bench.sequence(), { code: '53100' });
  assert.deepEqual(await bench.events(), []);
  remount(place, 'size=64m');
  assert.equal((await bench.sequence()).events, 6000);

  // An inbox that is full stops the change that it could not hold, and that one alone.
  for (const table of ['audit_inbox_even', 'audit_inbox_odd'])
    await bench.pool.query(`truncate safekeep.${table}; alter table safekeep.${table} set tablespace ${space}`);
  const ballast = await fill(place);
  await assert.rejects(bench.pool.query(`update things set v = v || '!'`), { code: '53100' });
  await rm(ballast);
  await bench.pool.query(`update things set v = v || '?' where id <= 10`);
  assert.equal((await bench.sequence()).events, 10);
  const { rows } = await bench.pool.query(`select count(*)::integer as n from things where v like '%!'`);
  assert.deepEqual(rows, [{ n: 0 }]);
  assert.deepEqual((await readLog(bench.pool)).faults, []);
});

async function partitionsOf({ pool }: Workbench): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'safekeep.audit_events'::regclass`,
  );
  return rows.map(({ name }) => name.replace(/^safekeep\./, ''));
}
