import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import {
  auditCapture,
  auditKeys,
  baselineHeads,
  lastCheckpoint,
  sequence,
  type SequencerGround,
} from '@safekeep/capabilities/audit';
import { Secret, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { openLog } from '@safekeep/log';
import { migrateUp, openDatabase, type Database } from '@safekeep/postgres';
import { defineBench, type Contender, type ContenderContext, type Prepared } from './measure/bench.ts';
import { findProgram, programAvailable } from './measure/program.ts';
import { applyMap } from './postgres/apply-map.ts';
import { debianCluster, debianPostgres, initialise, removeCluster, start } from './postgres/debian-cluster.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';
import { fileRing } from './postgres/file-ring.ts';
import { makeFolder, removeFolder } from './postgres/folder.ts';

// The same writes on the same table three times in one database: as it is, with a trigger that writes whole rows as jsonb into an indexed
// table (what most projects do), and with ours. Nothing waits for the disk here, so what an audit costs shows more than it does in use.
type Context = ContenderContext<DatabaseFixture>;

const execute = promisify(execFile);
const PGBENCH = { name: 'pgbench', debianPackage: 'postgresql-15', folders: ['/usr/lib/postgresql/15/bin'] };
const CLIENTS = 8;
const STANDING = 20_000;
const BULK = 50_000;

const columnsOf = `id integer primary key, full_name text not null, email text, phone text, born date, city text, note text, updated_at timestamptz not null default now()`;
const rowsOf = (table: string, from: number, count: number): string => `insert into ${table}
  select n, 'Name of ' || n, 'person' || n || '@example.org', '+49 30 ' || n, date '1970-01-01' + n % 15000, 'Berlin', repeat('note ', 8), now()
    from generate_series(${from}, ${from + count - 1}) as n`;

type Side = 'plain' | 'ours' | 'jsonb' | 'pgaudit';

async function measureWrites(url: string, side: Side, { size, folder }: { readonly size: number; readonly folder: string }) {
  const table = `bench_${side}.patients`;
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    const insert = await pgbench(url, folder, {
      size,
      script: `insert into ${table} (id, full_name, email, phone, born, city, note) values (nextval('bench_${side}.ids'), 'A Name', 'a@example.org', '+49', '1980-01-01', 'Bonn', 'new')`,
    });
    const update = await pgbench(url, folder, {
      size,
      script: `\\set id random(1, ${STANDING})\nupdate ${table} set phone = md5(random()::text), updated_at = now() where id = :id`,
    });
    const remove = await pgbench(url, folder, {
      size,
      script: `delete from ${table} where id = (select nextval('bench_${side}.gone'))`,
    });
    const bulkMs = performance.now();
    await pool.query(`update ${table} set city = city || '!' where id between 10000000 and ${10_000_000 + BULK - 1}`);
    const bulkSeconds = (performance.now() - bulkMs) / 1000;
    const copyMs = performance.now();
    await pool.query(rowsOf(table, 20_000_000, BULK));
    const copySeconds = (performance.now() - copyMs) / 1000;
    return { insert, update, remove, bulkSeconds, copySeconds };
  } finally {
    await pool.end();
  }
}

/** Transactions a second over 8 clients. */
async function pgbench(
  url: string,
  folder: string,
  { size, script }: { readonly size: number; readonly script: string },
): Promise<number> {
  const program = await findProgram(PGBENCH);
  if (program === undefined) throw new Error('pgbench was there when the bench began, and is gone.');
  const file = join(folder, 'script.sql');
  await writeFile(file, `${script};\n`);
  const target = new URL(url);
  const { stdout } = await execute(
    program,
    [
      '-n',
      '-M',
      'prepared',
      '-c',
      String(CLIENTS),
      '-j',
      '2',
      '-t',
      String(Math.ceil(size / CLIENTS)),
      '-f',
      file,
      '-h',
      target.hostname,
      '-p',
      target.port,
      '-U',
      decodeURIComponent(target.username),
      target.pathname.slice(1),
    ],
    { env: { ...process.env, PGPASSWORD: decodeURIComponent(target.password) } },
  );
  const tps = /tps = ([\d.]+)/.exec(stdout)?.[1];
  if (tps === undefined) throw new Error('pgbench told no tps');
  return Number(tps);
}

async function clean(pool: pg.Pool, side: Side): Promise<void> {
  const table = `bench_${side}.patients`;
  await pool.query(`alter table ${table} disable trigger user; truncate ${table}; ${rowsOf(table, 1, STANDING)}; ${rowsOf(table, 10_000_000, BULK)};
    ${rowsOf(table, 30_000_000, 60_000)}; alter table ${table} enable trigger user; alter sequence bench_${side}.ids restart with 1000000;
    alter sequence bench_${side}.gone restart with 30000000`);
  await pool.query(`vacuum analyze ${table}`);
}

async function write(url: string, side: Side, { size, folder }: { readonly size: number; readonly folder: string }) {
  const { insert, update, remove, bulkSeconds, copySeconds } = await measureWrites(url, side, { size, folder });
  return {
    units: 3 * size,
    extra: {
      insertPerSecond: insert,
      updatePerSecond: update,
      deletePerSecond: remove,
      bulkUpdateSeconds: bulkSeconds,
      bulkInsertSeconds: copySeconds,
    },
  };
}

function writes(name: string, side: Side, kind: Contender['kind']): Contender<DatabaseFixture> {
  return {
    name,
    kind,
    available: () => programAvailable(PGBENCH),
    prepare: async ({ fixture, size }): Promise<Prepared> => {
      const pool = new pg.Pool({ connectionString: fixture.url, max: 2 });
      const folder = await makeFolder();
      return {
        beforeRun: async () => {
          await clean(pool, side);
          if (side === 'ours') await pool.query('truncate safekeep.audit_inbox_even, safekeep.audit_inbox_odd');
          if (side === 'jsonb') await pool.query('truncate bench_jsonb.log');
        },
        run: () => write(fixture.url, side, { size, folder }),
        afterRun: async () => {
          if (side !== 'ours') return;
          const { rows } = await pool.query<{ events: string }>(
            `select sum(coalesce(events, 1)) as events
               from (select events from safekeep.audit_inbox_even union all select events from safekeep.audit_inbox_odd) as i`,
          );
          const wanted = 3 * Math.ceil(size / CLIENTS) * CLIENTS + 2 * BULK;
          if (Number(rows[0]?.events) !== wanted) throw new Error(`${rows[0]?.events} of ${wanted} events were captured`);
        },
        close: async () => {
          await pool.end();
          await removeFolder(folder);
        },
      };
    },
  };
}

// As its manual has it for changes, with what was changed. Its lines go to the server's log.
const PGAUDIT = ['shared_preload_libraries=pgaudit', 'pgaudit.log=write', 'pgaudit.log_parameter=on', 'pgaudit.log_catalog=off'];
const LIBRARY = '/usr/lib/postgresql/15/lib/pgaudit.so';

/** The same writes on a Debian server of its own, which like the bench's does not wait for the disk. */
function onPostgres15(name: string, settings: readonly string[]): Contender<DatabaseFixture> {
  return {
    name,
    kind: settings.length === 0 ? 'limit' : 'rival',
    available: async () => {
      const missing = [await programAvailable(PGBENCH), await debianPostgres.available()].find((each) => each !== true);
      if (missing !== undefined) return missing;
      return existsSync(LIBRARY) ? true : 'pgaudit is not installed (Debian: apt-get install postgresql-15-pgaudit)';
    },
    version: () => debianPostgres.version(),
    prepare: async ({ size }): Promise<Prepared> => {
      const folder = await makeFolder();
      const cluster = await debianCluster(await makeFolder());
      let pool: pg.Pool | undefined;
      const close = async (): Promise<void> => {
        await pool?.end();
        await removeCluster(cluster);
        await removeFolder(folder);
      };
      try {
        await initialise(cluster);
        const url = await start(cluster, ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', ...settings]);
        pool = new pg.Pool({ connectionString: url, max: 2 });
        const open = pool;
        await open.query(
          `create schema bench_pgaudit; create table bench_pgaudit.patients (${columnsOf}); create sequence bench_pgaudit.ids; create sequence bench_pgaudit.gone`,
        );
        return {
          beforeRun: () => clean(open, 'pgaudit'),
          run: () => write(url, 'pgaudit', { size, folder }),
          close,
        };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/** Events of updates from the inbox into the signed tree; then one event after the other, from its commit to its checkpoint. */
async function prepareSequencer({ fixture, size }: Context): Promise<Prepared> {
  const folder = await makeFolder();
  const log = openLog({ directory: folder, level: 'error', clock: systemClock, component: 'bench', environment: {} });
  const database = await openDatabase(new Secret(fixture.url));
  const pool = new pg.Pool({ connectionString: fixture.url, max: 2 });
  const signer = signingKeyFromPem(createSigningKey(), 'bench');
  const ground: SequencerGround = {
    database,
    keys: await auditKeys(folder, fileRing(database, folder)),
    signer,
    last: lastCheckpoint(folder),
    heads: baselineHeads(folder),
    clock: systemClock,
    log,
  };
  return {
    beforeRun: async () => {
      await sequence(ground);
      await clean(pool, 'ours');
      await pool.query('truncate safekeep.audit_inbox_even, safekeep.audit_inbox_odd, safekeep.audit_events');
      // A baseline that is missing now is ordered and taken, which is an event too, before the clock runs.
      while ((await sequence(ground)).events > 0);
      for (let left = 3 * size; left > 0; left -= BULK)
        await pool.query(
          `update bench_ours.patients set phone = md5(random()::text) where id between 10000000 and ${10_000_000 + Math.min(left, BULK) - 1}`,
        );
    },
    run: async () => {
      const startMs = performance.now();
      const { events } = await sequence(ground);
      const seconds = (performance.now() - startMs) / 1000;
      const { rows } = await pool.query<{ bytes: string }>(
        'select sum(size_bytes)::text as bytes from safekeep.audit_partition_health',
      );
      const times: number[] = [];
      for (let at = 0; at < 100; at += 1) {
        await pool.query('update bench_ours.patients set note = $1 where id = 1', [`note ${at}`]);
        const committedMs = performance.now();
        const { events: moved } = await sequence(ground);
        if (moved !== 1) throw new Error(`${moved} events instead of one`);
        times.push(performance.now() - committedMs);
      }
      const p99 = times.toSorted((one, other) => one - other)[98] ?? Number.NaN;
      if (events !== 3 * size) throw new Error(`${events} of ${3 * size} events were sequenced`);
      // 200 ms: how long the sequencer rests at most before it looks again.
      return {
        units: 3 * size,
        extra: { sequencedPerSecond: events / seconds, bytesPerEvent: Number(rows[0]?.bytes) / events, checkpointP99Ms: p99 + 200 },
      };
    },
    close: async () => {
      await database.close();
      await pool.end();
      log.close();
      await removeFolder(folder);
    },
  };
}

async function stage() {
  const staged = await stageDatabase(async (pool) => {
    for (const side of ['plain', 'ours', 'jsonb'] as const) {
      await pool.query(
        `create schema bench_${side}; create table bench_${side}.patients (${columnsOf}); create sequence bench_${side}.ids; create sequence bench_${side}.gone`,
      );
    }
    await pool.query(`create table bench_jsonb.log (id bigint generated always as identity primary key, at timestamptz not null default now(), table_name text, record text,
        action text, old jsonb, new jsonb);
      create index on bench_jsonb.log (table_name, record, at);
      create function bench_jsonb.write() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        insert into bench_jsonb.log (table_name, record, action, old, new)
          values (tg_table_name, coalesce(new.id, old.id)::text, tg_op, to_jsonb(old), to_jsonb(new));
        return null;
      end $$;
      create trigger write after insert or update or delete on bench_jsonb.patients for each row execute function bench_jsonb.write()`);
  });
  const database = await openDatabase(new Secret(staged.fixture.url));
  try {
    await migrateUp(database);
    await applyOurs(database);
  } finally {
    await database.close();
  }
  return staged;
}

async function applyOurs(database: Database): Promise<void> {
  const personal = { category: 'user.contact.email' };
  const plain = { category: 'none', note: 'no data of a person' };
  const file = {
    version: 1,
    tenant: 'fixed',
    subjects: { patient: { table: 'bench_ours.patients', key: 'id' } },
    tables: {
      'bench_ours.patients': {
        audit: { writes: true },
        columns: {
          id: plain,
          full_name: personal,
          email: personal,
          phone: personal,
          born: personal,
          city: personal,
          note: personal,
          updated_at: plain,
        },
      },
    },
  };
  await applyMap(database, file, [auditCapture]);
}

const SOURCE = 'issue 7';
const PLAIN = 'no audit';
const OURS = 'audit';

export const bench = defineBench<DatabaseFixture>({
  question: 'What does auditing every change cost the application, and how fast do events reach the signed log?',
  unit: 'changes',
  sizes: { small: 2_000, medium: 16_000, large: 48_000 },
  stage,
  contenders: [
    writes(OURS, 'ours', 'ours'),
    writes(PLAIN, 'plain', 'limit'),
    writes('whole rows as jsonb', 'jsonb', 'rival'),
    // Two servers of PostgreSQL 15, for which Debian has it: only with each other are they to be compared.
    onPostgres15('no audit, PostgreSQL 15', []),
    onPostgres15('pgaudit, PostgreSQL 15', PGAUDIT),
    { name: 'sequencer', kind: 'ours', prepare: prepareSequencer },
  ],
  limits: [
    ...(['insertPerSecond', 'updatePerSecond', 'deletePerSecond'] as const).map((measure) => ({
      contender: OURS,
      measure: `extra.${measure}` as const,
      relation: 'at-least' as const,
      bound: 0.8,
      against: PLAIN,
      source: SOURCE,
    })),
    { contender: OURS, measure: 'extra.bulkUpdateSeconds', relation: 'at-most', bound: 1.6, against: PLAIN, source: SOURCE },
    { contender: OURS, measure: 'extra.bulkInsertSeconds', relation: 'at-most', bound: 1.4, against: PLAIN, source: SOURCE },
    { contender: 'sequencer', measure: 'extra.bytesPerEvent', relation: 'at-most', bound: 332, source: SOURCE },
    { contender: 'sequencer', measure: 'extra.sequencedPerSecond', relation: 'at-least', bound: 30_000, source: SOURCE },
    { contender: 'sequencer', measure: 'extra.checkpointP99Ms', relation: 'at-most', bound: 1000, source: SOURCE },
  ],
});
