import pg from 'pg';
import { rollEpoch, type Keyring } from '@safekeep/capabilities/encryption';
import { Secret } from '@safekeep/core';
import { migrateUp, openDatabase, type Database } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';
import { fileRing } from './postgres/file-ring.ts';
import { makeFolder, removeFolder } from './postgres/folder.ts';

const TENANT = 'default';
const BATCH = 20_000;
const FETCHED = 1_000;
const TEN_MILLION = 10_000_000;

async function inTransaction<Result>(database: Database, action: (client: pg.ClientBase) => Promise<Result>): Promise<Result> {
  return await database.withClient(async (client) => {
    await client.query('begin');
    await client.query("select set_config('safekeep.tenant', $1, true)", [TENANT]);
    const result = await action(client);
    await client.query('commit');
    return result;
  });
}

async function fill(database: Database, ring: Keyring, size: number): Promise<void> {
  for (let at = 0; at < size; at += BATCH) {
    const owners = Array.from({ length: Math.min(BATCH, size - at) }, (_, number) => ({
      tenant: TENANT,
      subject: `patient:${at + number}`,
      fate: 'erasable' as const,
    }));
    await inTransaction(database, (client) => ring.subjectKeys.forSealing(client, owners));
  }
}

/** A thousand people's keys for a process that has none of them: with the query, and what of it is not the query. */
async function fetchCold(
  database: Database,
  folder: string,
): Promise<{ readonly fetchMs: number; readonly coldKeyMicroseconds: number }> {
  const ring = fileRing(database, folder);
  const { rows } = await database.withClient((client) =>
    client.query<{ id: string }>(
      "select encode(key_id, 'hex') as id from safekeep.encryption_keys where key_purpose = 'subject' order by key_id limit $1",
      [2 * FETCHED],
    ),
  );
  const ids = rows.map(({ id }) => id);
  // The epoch is opened once in the life of a process: not what is measured.
  await inTransaction(database, (client) => ring.subjectKeys.forOpening(client, ids.slice(0, FETCHED)));
  const wanted = ids.slice(FETCHED);
  return await inTransaction(database, async (client) => {
    const began = performance.now();
    await ring.subjectKeys.forOpening(client, wanted);
    const coldMs = performance.now() - began;
    await ring.subjectKeys.forOpening(client, wanted);
    const againMs = performance.now() - began - coldMs;
    return { fetchMs: coldMs, coldKeyMicroseconds: (Math.max(0, coldMs - againMs) * 1_000) / wanted.length };
  });
}

async function prepareRoll({ fixture, size }: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const folder = await makeFolder();
  const database = await openDatabase(new Secret(fixture.url));
  await migrateUp(database);
  const ring = fileRing(database, folder);
  const began = performance.now();
  await fill(database, ring, size);
  const madePerSecond = (size * 1_000) / (performance.now() - began);
  const { rows } = await database.withClient((client) =>
    client.query<{ bytes: string }>("select pg_total_relation_size('safekeep.encryption_keys') as bytes"),
  );
  const bytesAKey = Number(rows[0]?.bytes) / size;
  return {
    beforeRun: () => database.withClient(async (client) => void (await client.query('vacuum analyze safekeep.encryption_keys'))),
    run: async () => {
      const startedMs = performance.now();
      const { rewrapped } = await rollEpoch(ring, TENANT);
      const seconds = (performance.now() - startedMs) / 1_000;
      // The key that marks owners is wrapped anew too.
      if (rewrapped !== size + 1) throw new Error(`${rewrapped} keys instead of ${size + 1} were wrapped anew`);
      const cold = await fetchCold(database, folder);
      return { units: size, extra: { ...cold, bytesAKey, madePerSecond, tenMillionMinutes: (seconds * TEN_MILLION) / size / 60 } };
    },
    close: async () => {
      ring.forget();
      await database.close();
      await removeFolder(folder);
    },
  };
}

/** The same rows changed by one statement, with nothing unwrapped, exported or read back: the least a roll in place could cost. */
async function preparePlain({ fixture, size }: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const pool = new pg.Pool({ connectionString: fixture.url, max: 1 });
  await pool.query(`create table if not exists public.plain_keys (tenant_id text, key_id bytea, owner_mark bytea, epoch int, wrapped bytea, primary key (tenant_id, key_id));
    create index if not exists plain_owner on public.plain_keys (tenant_id, owner_mark)`);
  await pool.query(
    `insert into public.plain_keys select 'default', substring(sha256(n::text::bytea) for 8), substring(sha256(n::text::bytea) from 9 for 16), 1, sha256(n::text::bytea) || substring(sha256(n::text::bytea) for 16)
       from generate_series(1, $1::int) as n`,
    [size],
  );
  return {
    beforeRun: async () => void (await pool.query('vacuum analyze public.plain_keys')),
    run: async () => ({
      units: (await pool.query("update public.plain_keys set epoch = epoch + 1, wrapped = wrapped || ''")).rowCount ?? 0,
    }),
    close: async () => {
      await pool.query('drop table public.plain_keys');
      await pool.end();
    },
  };
}

export const bench = defineBench<DatabaseFixture>({
  question: 'How long does a new epoch take, with export and reading back, and how long does it take to get at a person’s key?',
  unit: 'keys',
  sizes: { small: 20_000, medium: 100_000, large: 1_000_000 },
  stage: () => stageDatabase(async () => {}),
  contenders: [
    { name: 'epoch roll', kind: 'ours', isolate: true, prepare: prepareRoll },
    { name: 'plain update', kind: 'limit', isolate: true, prepare: preparePlain },
  ],
  limits: [
    { contender: 'epoch roll', measure: 'extra.coldKeyMicroseconds', relation: 'at-most', bound: 15, source: 'issue 8' },
    { contender: 'epoch roll', measure: 'extra.fetchMs', relation: 'at-most', bound: 15, source: 'issue 8' },
    { contender: 'epoch roll', measure: 'extra.tenMillionMinutes', relation: 'at-most', bound: 4, source: 'issue 8' },
  ],
});
