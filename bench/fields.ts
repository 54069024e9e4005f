import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import {
  decryptField,
  encryptField,
  encryptFields,
  fieldKeys,
  finishField,
  rotateField,
  type FieldGround,
  type KeySource,
} from '@safekeep/capabilities/encryption';
import { FIRST_INDEX_VERSION, Secret, systemClock } from '@safekeep/core';
import { IndexKey, SealingKey, unlockFields } from '@safekeep/crypto';
import { migrateUp, openDatabase } from '@safekeep/postgres';
import { safekeep, sealedPool } from '@safekeep/sdk';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';

// Each contender has a table of its own of the same rows: 12 columns, of which one, or all eight texts, are encrypted, updated or read.
// The server does not wait for the disk, for all alike.
const READ_ROWS = 10_000;
const SEARCHES = 500;
const WRITERS = 4;
const COLUMN = 'email';
const TEXTS = [COLUMN, 'first', 'last', 'street', 'town', 'zip', 'phone', 'note'];

const agree = async (): Promise<void> => undefined;

/** As in a process that has its keys: made once, in memory. */
function memoryKeys(): KeySource {
  const bytes = (name: string): Buffer => createHash('sha256').update(`bench ${name}`).digest();
  const known = new Map<string, SealingKey>();
  let version = 1;
  const keyOf = (id: string): SealingKey => {
    const key = known.get(id) ?? new SealingKey(id, bytes(id));
    known.set(id, key);
    return key;
  };
  const idOf = (scope: string): string => bytes(`${scope} ${version}`).toString('hex').slice(0, 16);
  return {
    current: async (_tenant, scope) => keyOf(idOf(scope)),
    byId: async (_tenant, ids) => new Map(ids.map((id) => [id, keyOf(id)])),
    index: async (_tenant, scope) => new IndexKey(bytes(`index ${scope}`)),
    prepare: async () => undefined,
    rotate: async () => void (version += 1),
  };
}

async function fill(pool: pg.Pool, table: string, rows: number): Promise<void> {
  await pool.query(`drop table if exists ${table} cascade`);
  await pool.query(
    `create table ${table} (id integer primary key, email text, first text, last text, street text, town text, zip text, phone text, born date, note text,
       visits integer not null default 0, at timestamptz not null default now()) with (autovacuum_enabled = off)`,
  );
  await pool.query(
    `insert into ${table} select n, 'person' || n || '@example.org', 'first' || n, 'last' || n, 'street ' || n, 'town' || n % 500, (n % 90000)::text, '555-' || n,
       date '1950-01-01' + n % 20000, repeat('note ', 8), 0, now() from generate_series(1, $1::integer) as n`,
    [rows],
  );
  await pool.query(`vacuum analyze ${table}`);
}

type Own = {
  readonly pool: pg.Pool;
  readonly ground: FieldGround;
  readonly keys: KeySource;
  readonly column: { readonly schema: string; readonly table: string; readonly column: string };
  readonly encrypt: (mode: 'client' | 'database') => Promise<void>;
  readonly close: () => Promise<void>;
};

async function own({ fixture }: ContenderContext<DatabaseFixture>, table: string): Promise<Own> {
  const database = await openDatabase(new Secret(fixture.url));
  await migrateUp(database);
  const pool = new pg.Pool({ connectionString: fixture.url, max: WRITERS + 2 });
  const keys = memoryKeys();
  const column = { schema: 'public', table, column: COLUMN };
  const ground: FieldGround = {
    database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
    keys: fieldKeys(keys),
    leaseMs: 0,
  };
  return {
    pool,
    ground,
    keys,
    column,
    encrypt: async (mode) => {
      await encryptField(ground, { column, mode, search: mode === 'client' ? ['exact'] : [], card: null, acceptLeak: true }, agree);
    },
    close: async () => {
      await Promise.all([pool.end(), database.close()]);
    },
  };
}

async function walBytes(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as bytes");
  return Number(rows[0]?.bytes ?? 0);
}

/** The same work by a statement, for the rivals. */
function statement(name: string, sql: (rows: number, pgcrypto: string) => readonly string[]) {
  return async (context: ContenderContext<DatabaseFixture>): Promise<Prepared> => {
    const pool = new pg.Pool({ connectionString: context.fixture.url, max: 2 });
    const { size } = context;
    let pgcrypto = 'public';
    return {
      beforeRun: async () => {
        await pool.query('create extension if not exists pgcrypto');
        const { rows } = await pool.query<{ schema: string }>(
          "select extnamespace::regnamespace::text as schema from pg_extension where extname = 'pgcrypto'",
        );
        pgcrypto = rows[0]?.schema ?? 'public';
        await fill(pool, name, size);
        await pool.query(`alter table ${name} ${TEXTS.map((column) => `add column ${column}_encrypted bytea`).join(', ')}`);
      },
      run: async () => {
        const before = await walBytes(pool);
        for (const each of sql(size, pgcrypto)) await pool.query(each);
        return { units: size, extra: { walBytes: (await walBytes(pool)) - before } };
      },
      close: () => pool.end(),
    };
  };
}

type Backfill = { readonly table: string; readonly columns: readonly string[]; readonly together: boolean };

/** Encrypting online, verified: to `switched`. */
async function prepareBackfill(
  context: ContenderContext<DatabaseFixture>,
  { table, columns, together }: Backfill,
): Promise<Prepared> {
  const mine = await own(context, table);
  const orders = columns.map(
    (column) => ({ column: { ...mine.column, column }, mode: 'client', search: [], card: null, acceptLeak: false }) as const,
  );
  return {
    beforeRun: async () => {
      await mine.pool.query('delete from safekeep.fields where table_name = $1', [table]);
      await fill(mine.pool, table, context.size);
    },
    run: async () => {
      const before = await walBytes(mine.pool);
      if (together) await encryptFields(mine.ground, orders, agree);
      else for (const order of orders) await encryptField(mine.ground, order, agree);
      return { units: context.size, extra: { walBytes: (await walBytes(mine.pool)) - before } };
    },
    afterRun: async () => {
      const unsealed = columns.map((column) => `${column} is not null and ${column}_encrypted is null`).join(' or ');
      const { rows } = await mine.pool.query<{ n: number }>(`select count(*)::integer as n from ${table} where ${unsealed}`);
      if (rows[0]?.n !== 0) throw new Error(`${rows[0]?.n} rows are not sealed`);
    },
    close: mine.close,
  };
}

async function prepareWay(context: ContenderContext<DatabaseFixture>, way: 'rotate' | 'decrypt'): Promise<Prepared> {
  const mine = await own(context, way);
  return {
    beforeRun: async () => {
      await mine.pool.query('delete from safekeep.fields where table_name = $1', [way]);
      await fill(mine.pool, way, context.size);
      await encryptField(mine.ground, { column: mine.column, mode: 'client', search: [], card: null, acceptLeak: false }, agree);
      if (way === 'decrypt') await finishField(mine.ground, mine.column, agree);
      await mine.pool.query(`vacuum analyze ${way}`);
    },
    run: async () => {
      if (way === 'rotate') await rotateField(mine.ground, mine.column, { agree, resume: false });
      // From `finished`: every plaintext has to be given back.
      else await decryptField(mine.ground, mine.column, agree);
      return { units: context.size };
    },
    close: mine.close,
  };
}

/** Reading 10,000 rows, as many times as make the run long enough. */
async function prepareRead(context: ContenderContext<DatabaseFixture>, by: 'plain' | 'sdk' | 'view'): Promise<Prepared> {
  const table = `read_${by}`;
  const mine = await own(context, table);
  await mine.pool.query('delete from safekeep.fields where table_name = $1', [table]);
  await fill(mine.pool, table, READ_ROWS);
  if (by !== 'plain') await mine.encrypt(by === 'sdk' ? 'client' : 'database');
  const { rows } = await mine.pool.query<{ id: string; scope: string }>(
    'select field_id as id, key_scope as scope from safekeep.fields where table_name = $1',
    [table],
  );
  const reader = sealedPool(mine.pool, safekeep(mine.pool, { tenant: 'default', keys: mine.keys }));
  return {
    run: async () => {
      if (by === 'plain') await mine.pool.query(`select id, email, last from ${table}`);
      else if (by === 'sdk') {
        const found = await reader.query(`select id, email, email_encrypted, last from ${table}`);
        if (found.rows[7]?.['email'] === null) throw new Error('The SDK opened nothing');
      } else {
        const client = await mine.pool.connect();
        await client.query('begin');
        const fields = rows.map(({ id, scope }) => ({
          id,
          tenant: 'default',
          keyScope: scope,
          valueType: 'text' as const,
          earlier: [],
          indexVersions: [FIRST_INDEX_VERSION],
        }));
        await client.query('select safekeep.unlock($1)', [await unlockFields(mine.keys, fields)]);
        const found = await client.query<{ email: string | null }>(`select id, email, last from ${table}_decrypted`);
        await client.query('commit');
        client.release();
        if (typeof found.rows[7]?.email !== 'string') throw new Error('The view opened nothing');
      }
      return { units: READ_ROWS };
    },
    close: mine.close,
  };
}

/** Single searches by the blind index over all rows of the scale. */
async function prepareSearch(context: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const mine = await own(context, 'searched');
  await mine.pool.query(`delete from safekeep.fields where table_name = 'searched'`);
  await fill(mine.pool, 'searched', context.size);
  await mine.encrypt('client');
  await mine.pool.query('vacuum analyze searched');
  const sdk = safekeep(mine.pool, { tenant: 'default', keys: mine.keys });
  const reader = sealedPool(mine.pool, sdk);
  return {
    run: async () => {
      const times: number[] = [];
      for (let search = 0; search < SEARCHES; search += 1) {
        const wanted = `person${1 + Math.floor(Math.random() * context.size)}@example.org`;
        const startedMs = performance.now();
        const found = await sdk.search('public.searched.email', 'exact', wanted);
        const { rows } = await reader.query('select id, email, email_encrypted from searched where email_exact_index = $1', [
          found?.number,
        ]);
        const hits = rows.filter((row) => row['email'] === wanted);
        times.push(performance.now() - startedMs);
        if (hits.length !== 1) throw new Error(`${hits.length} rows were found`);
      }
      times.sort((one, other) => one - other);
      return { units: SEARCHES, extra: { p95Ms: times[Math.floor(times.length * 0.95)] ?? 0 } };
    },
    close: mine.close,
  };
}

/** Four writers, in a thread of their own, for three seconds; with `beside` while the table is being encrypted. */
async function prepareWriters(context: ContenderContext<DatabaseFixture>, beside: boolean): Promise<Prepared> {
  const table = beside ? 'written_beside' : 'written';
  const mine = await own(context, table);
  const rows = Math.max(context.size, 100_000);
  return {
    beforeRun: async () => {
      await mine.pool.query('delete from safekeep.fields where table_name = $1', [table]);
      await fill(mine.pool, table, rows);
    },
    run: async () => {
      const writers = new Worker(new URL('postgres/fields-writers.ts', import.meta.url), {
        workerData: { url: context.fixture.url, table, rows, writers: WRITERS },
      });
      const stopped = once(writers, 'message');
      await once(writers, 'online');
      const startedMs = performance.now();
      if (beside) await mine.encrypt('client');
      else await new Promise((done) => setTimeout(done, 3_000));
      writers.postMessage('stop');
      // The count that the thread sends before it ends.
      const [writes] = (await stopped) as [number];
      return { units: 1, extra: { writesPerSecond: writes / ((performance.now() - startedMs) / 1_000) } };
    },
    close: mine.close,
  };
}

export const bench = defineBench<DatabaseFixture>({
  question: 'What does encrypting a column of a table in use cost, and reading, searching and writing it afterwards?',
  unit: 'rows',
  sizes: { small: 20_000, medium: 200_000, large: 1_000_000 },
  runs: 5,
  spreadLimit: 0.25,
  stage: () => stageDatabase(async () => undefined),
  contenders: [
    {
      name: 'backfill',
      kind: 'ours',
      prepare: (context) => prepareBackfill(context, { table: 'ours', columns: [COLUMN], together: true }),
    },
    // One UPDATE by the server itself, of a value of the same length: the least that could do it.
    {
      name: 'plain UPDATE',
      kind: 'limit',
      prepare: statement('plain', () => [`update plain set email_encrypted = decode(rpad(md5(email), 124, 'ab'), 'hex')`]),
    },
    {
      name: 'eight columns',
      kind: 'ours',
      prepare: (context) => prepareBackfill(context, { table: 'eight', columns: TEXTS, together: true }),
    },
    {
      name: 'plain UPDATE of eight',
      kind: 'limit',
      prepare: statement('plain_eight', () => [
        `update plain_eight set ${TEXTS.map((column) => `${column}_encrypted = decode(rpad(md5(${column}), 124, 'ab'), 'hex')`).join(', ')}`,
      ]),
    },
    {
      name: 'eight one by one',
      kind: 'rival',
      prepare: (context) => prepareBackfill(context, { table: 'apart', columns: TEXTS, together: false }),
    },
    {
      name: 'pgp_sym_encrypt',
      kind: 'rival',
      prepare: statement('pgp', (_rows, pgcrypto) => [
        `update pgp set email_encrypted = ${pgcrypto}.pgp_sym_encrypt(email, 'a passphrase of the bench')`,
      ]),
    },
    {
      name: 'row by row',
      kind: 'rival',
      prepare: statement('rows', (rows) =>
        Array.from(
          { length: rows },
          (_, id) => `update rows set email_encrypted = decode(rpad(md5(email), 124, 'ab'), 'hex') where id = ${id + 1}`,
        ),
      ),
    },
    { name: 'rotate', kind: 'ours', prepare: (context) => prepareWay(context, 'rotate') },
    { name: 'decrypt', kind: 'ours', prepare: (context) => prepareWay(context, 'decrypt') },
    { name: 'read plain', kind: 'limit', prepare: (context) => prepareRead(context, 'plain') },
    { name: 'read by SDK', kind: 'ours', prepare: (context) => prepareRead(context, 'sdk') },
    { name: 'read by view', kind: 'ours', prepare: (context) => prepareRead(context, 'view') },
    { name: 'search', kind: 'ours', prepare: prepareSearch },
    { name: 'writers alone', kind: 'limit', prepare: (context) => prepareWriters(context, false) },
    { name: 'writers beside', kind: 'ours', prepare: (context) => prepareWriters(context, true) },
  ],
  limits: [
    { contender: 'backfill', measure: 'seconds', relation: 'at-most', bound: 1.25, against: 'plain UPDATE', source: 'issue 9' },
    {
      contender: 'backfill',
      measure: 'extra.walBytes',
      relation: 'at-most',
      bound: 1.06,
      against: 'plain UPDATE',
      source: 'issue 9',
    },
    {
      contender: 'eight columns',
      measure: 'seconds',
      relation: 'at-most',
      bound: 1.25,
      against: 'plain UPDATE of eight',
      source: 'issue 9',
    },
    {
      contender: 'eight columns',
      measure: 'seconds',
      relation: 'at-most',
      bound: 0.6,
      against: 'eight one by one',
      source: 'our own aim: together they take no more than their sealing and one UPDATE',
    },
    { contender: 'rotate', measure: 'seconds', relation: 'at-most', bound: 1.5, against: 'plain UPDATE', source: 'issue 9' },
    { contender: 'decrypt', measure: 'seconds', relation: 'at-most', bound: 1.5, against: 'plain UPDATE', source: 'issue 9' },
    { contender: 'read by SDK', measure: 'seconds', relation: 'at-most', bound: 5, against: 'read plain', source: 'issue 9' },
    { contender: 'read by view', measure: 'seconds', relation: 'at-most', bound: 10, against: 'read plain', source: 'issue 9' },
    { contender: 'search', measure: 'extra.p95Ms', relation: 'at-most', bound: 2, source: 'issue 9' },
    {
      contender: 'writers beside',
      measure: 'extra.writesPerSecond',
      relation: 'at-least',
      bound: 0.7,
      against: 'writers alone',
      source: 'issue 9',
    },
  ],
});
