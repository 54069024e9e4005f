import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { codeOf, isSafekeepError } from '@safekeep/core';
import { openTexts } from '@safekeep/crypto';
import { inTenant } from '@safekeep/postgres';
import { testServers } from '@safekeep/postgres/testing';
import type { Field } from '../model.ts';
import { findField } from '../store/records.ts';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { decryptAll } from './decrypt-all.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { fieldStatus } from './field-status.ts';
import { finishField } from './finish-field.ts';
import { reading, type Ground } from './ground.ts';
import { rotateField } from './rotate-field.ts';
import { sealedColumns } from './sealed-columns.ts';

const EMAIL = 'public.people.email';
const ROWS = 3_000;
const PEOPLE = `
  create schema archive;
  create table people (id integer not null, year integer not null, gone text, email text, primary key (id, year)) partition by range (year);
  create table people_old partition of people for values from (0) to (2000);
  -- Its columns lie in another order.
  create table archive.people_new (email text, other text, year integer not null, gone text, id integer not null);
  alter table archive.people_new drop column other;
  alter table people attach partition archive.people_new for values from (2000) to (2020);
  create table people_now partition of people for values from (2020) to (3000) partition by list (id);
  create table people_now_one partition of people_now for values in (1);
  create table people_now_rest partition of people_now default;
  alter table people drop column gone;
  insert into people select n, 1990 + n % 40, 'person' || n || '@example.org' from generate_series(1, ${ROWS}) as n`;

/** Every value stands once, as it was written last. */
async function compare(bench: Workbench, values: ReadonlyMap<number, string>): Promise<void> {
  const { rows } = await bench.pool.query<{ id: number; email: string | null; email_encrypted: Buffer | null }>(
    'select id, email, email_encrypted from people',
  );
  const field = await fieldOf(bench);
  const sealed = rows.filter((row) => row.email_encrypted !== null);
  const opened = await openTexts(
    bench.keys,
    field,
    sealed.flatMap((row) => row.email_encrypted ?? []),
  );
  const texts = new Map(sealed.map(({ id }, place) => [id, opened[place]]));
  assert.equal(rows.length, values.size);
  for (const { id, email } of rows) {
    if (email !== null && texts.has(id)) assert.equal(email, texts.get(id), `row ${id} has one value`);
    assert.equal(texts.get(id) ?? email, values.get(id), `row ${id}`);
  }
}

async function fieldOf(bench: Workbench): Promise<Field> {
  const found = await reading(bench.ground, (client) => findField(client, 'default', bench.order(EMAIL).column));
  return found ?? assert.fail('the field is not recorded');
}

/** Writers move their rows from partition to partition, and write new values; `until` says what becomes of the run beside them. */
async function whileRowsMove(bench: Workbench, values: Map<number, string>, run: () => Promise<unknown>): Promise<number> {
  const stop = new AbortController();
  let moves = 0;
  const writers = [0, 1].map(async (writer) => {
    for (let turn = 0; !stop.signal.aborted; turn += 1) {
      const id = 1 + writer + 2 * Math.floor(Math.random() * (ROWS / 2));
      const year = 1990 + Math.floor(Math.random() * 40);
      const value = `moved${writer}-${turn}@example.org`;
      try {
        if (turn % 2 === 0) await bench.pool.query('update people set year = $2 where id = $1', [id, year]);
        else {
          await bench.pool.query('update people set year = $2, email = $3 where id = $1', [id, year, value]);
          values.set(id, value);
        }
        moves += 1;
      } catch (error) {
        // Another transaction had moved the row: PostgreSQL lets the application try again (manual, 5.12.6).
        if (codeOf(error) !== '40001') throw error;
      }
    }
  });
  try {
    await run();
  } finally {
    stop.abort();
    await Promise.all(writers);
  }
  return moves;
}

for (const server of testServers()) {
  test(`a column of a partitioned table goes all the way in while rows move between partitions and others come and go, and comes back (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    const { ground, pool, order } = bench;
    const { column } = order(EMAIL);
    const before = await bench.fingerprint();
    const values = new Map(Array.from({ length: ROWS }, (_, at): [number, string] => [at + 1, `person${at + 1}@example.org`]));
    const detach: string[] = [
      'alter table people detach partition people_old',
      `alter table people attach partition people_old for values from (0) to (2000)`,
    ];
    const moving: Promise<unknown>[] = [];
    const observe: Ground['observe'] = (moment, { phase }) => {
      // While pages are walked one partition leaves and comes again.
      if (moment === 'committed' && phase === 'backfilling' && detach.length === 2)
        moving.push(pool.query(`begin; ${detach.splice(0).join(';')}; commit`));
    };
    const moves = await whileRowsMove(bench, values, () =>
      encryptField({ ...ground, observe }, order(EMAIL, { search: ['exact'] }), agreed),
    );
    await Promise.all(moving);
    assert.ok(moves > 10 && moving.length === 1);
    await encryptField(ground, order(EMAIL, { search: ['exact'] }), agreed);
    await compare(bench, values);
    const { rows: valid } = await pool.query(
      `select i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname like 'zz\\_safekeep\\_exact1\\_%' and i.indrelid = 'people'::regclass`,
    );
    assert.deepEqual(valid, [{ valid: true }], 'the index of the table is whole, so every partition has its own');

    await pool.query(
      `create table people_late partition of people for values from (3000) to (4000); insert into people (id, year, email) values (9000, 3500, 'late@example.org')`,
    );
    values.set(9000, 'late@example.org');
    const [standing] = await fieldStatus(ground);
    assert.equal(
      standing?.unsealed,
      (await pool.query('select from people where email is not null and email_encrypted is null')).rowCount,
    );
    assert.ok((standing?.unsealed ?? 0) >= 1, 'the row in the new partition was written without a key');

    await finishField(ground, column, agreed);
    await compare(bench, values);
    assert.deepEqual((await pool.query('select count(email)::integer as plain from people')).rows, [{ plain: 0 }]);
    for (const table of ['people', 'people_old', 'archive.people_new', 'people_now_rest', 'people_late'])
      await assert.rejects(
        pool.query(`insert into ${table} (id, year, email) values (9001, (select min(year) from ${table}), 'plain@example.org')`),
        /takes no plaintext/,
        table,
      );
    await pool.query('create table people_later (like people including all)');
    await pool
      .query(`insert into people_later (id, year, email) values (9002, 5000, 'plain@example.org')`)
      .catch((error: unknown) => assert.equal(codeOf(error), '23514'));
    await pool.query('drop table people_later');
    await pool.query(
      'create table people_later (id integer not null, year integer not null, email text, email_encrypted bytea, email_exact_index int8)',
    );
    await assert.rejects(
      pool.query('alter table people attach partition people_later for values from (5000) to (6000)'),
      /is missing constraint/,
    );
    await pool.query('drop table people_later');

    const { census, currentKeyId } = await rotateField(ground, column, { agree: agreed, resume: false });
    assert.deepEqual(census, [{ keyId: currentKeyId, values: ROWS + 1 }]);
    await changeIndexes(ground, column, { renew: ['exact'], acceptLeak: true, agree: agreed });
    await pool.query('update people set year = year + 17 where year < 2003');
    await compare(bench, values);
    await decryptField(ground, column, agreed);
    assert.deepEqual(
      new Map(
        (await pool.query<{ id: number; email: string }>('select id, email from people')).rows.map(({ id, email }) => [id, email]),
      ),
      values,
    );
    await pool.query('drop table people_late');
    assert.equal(await bench.fingerprint(), before);
  });
}

test('whoever takes a partition out and in while an index is made waits for nobody, and every partition gets its own', async (t) => {
  const { ground, pool, order } = await workbench(t, { setUp: PEOPLE });
  const reader = await pool.connect();
  // CREATE INDEX CONCURRENTLY waits for every snapshot that is older than its own.
  await reader.query('begin isolation level repeatable read; select 1');
  const encrypted = encryptField(ground, order(EMAIL, { search: ['exact'] }), agreed);
  const isWaiting = async () =>
    (await pool.query(`select from pg_stat_activity where query like 'create index concurrently%' and wait_event = 'virtualxid'`))
      .rowCount === 1;
  try {
    while (!(await isWaiting())) await setImmediate();
    await pool.query(`begin; set local lock_timeout = '20s'; ${DETACH}; ${ATTACH}; commit`);
  } finally {
    await reader.query('commit');
    reader.release();
  }
  assert.equal((await encrypted).field.phase, 'switched');
  const { rows } = await pool.query(
    `select c.relname as name, (select count(*)::integer from pg_index i where i.indrelid = c.oid and i.indisvalid
               and (select attname from pg_attribute a where a.attrelid = c.oid and a.attnum = i.indkey[0]) = 'email_exact_index') as indexes
       from pg_partition_tree('people') p join pg_class c on c.oid = p.relid where p.isleaf order by 1`,
  );
  assert.deepEqual(rows, [
    { name: 'people_new', indexes: 1 },
    { name: 'people_now_one', indexes: 1 },
    { name: 'people_now_rest', indexes: 1 },
    { name: 'people_old', indexes: 1 },
  ]);
});

test('in database mode the view over a partitioned table shows, writes and moves rows, and SQL alone can seal them', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool, order, keys } = bench;
  await encryptField(ground, order(EMAIL, { mode: 'database', search: ['exact'], until: 'dual-write' }), agreed);
  const field = await fieldOf(bench);
  const unlocked = async <Row extends object>(sql: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      await client.query(`select set_config('safekeep.tenant', 'default', true), safekeep.unlock($1)`, [keys.bundle(field)]);
      const { rows } = await client.query<Row>(sql, [...parameters]);
      await client.query('commit');
      return rows;
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  };
  const { id: keyId } = await keys.current('default', field.keyScope);
  await pool.query(
    `insert into safekeep.encryption_keys (tenant_id, key_id, key_purpose, scope, algorithm, version, state, epoch, wrapped, created_at)
     values ('default', decode($1, 'hex'), 'data', $2, 'AES-256-GCM', 1, 'active', 1, decode(repeat('00', 48), 'hex'), now())`,
    [keyId, field.keyScope],
  );
  assert.deepEqual(
    await unlocked(`select safekeep.migrate_plaintext_to_encrypted('people', 'email', 'email_encrypted', $1)::integer as sealed`, [
      keyId,
    ]),
    [{ sealed: ROWS }],
  );
  await encryptField(ground, order(EMAIL, { mode: 'database' }), agreed);
  await finishField(ground, order(EMAIL).column, agreed);
  assert.deepEqual(await unlocked(`select email from people_decrypted where id = 7`), [{ email: 'person7@example.org' }]);
  assert.deepEqual(
    await unlocked(`update people_decrypted set year = 2025, email = 'new@example.org' where id = 7 returning email, year`),
    [{ email: 'new@example.org', year: 2025 }],
  );
  assert.deepEqual(
    await unlocked(`insert into people_decrypted (id, year, email) values (1, 2500, 'one@example.org') returning email`),
    [{ email: 'one@example.org' }],
  );
  assert.deepEqual(
    await unlocked(
      `select tableoid::regclass::text as part, email is null as empty from people where id in (1, 7) and year > 2020 order by id`,
    ),
    [
      { part: 'people_now_one', empty: true },
      { part: 'people_now_rest', empty: true },
    ],
  );
  assert.deepEqual((await pool.query(`select email from people_decrypted where id = 7`)).rows, [{ email: null }]);
  await decryptField(ground, order(EMAIL).column, agreed);
});

const isDetached = (error: unknown) => isSafekeepError(error, 'field-partition-detached') && /people_old/.test(error.message);
const DETACH = 'alter table people detach partition people_old';
const ATTACH = 'alter table people attach partition people_old for values from (0) to (2000)';

test('a partition that is detached stops what would leave its values behind, and its key counts as in use', async (t) => {
  const { ground, pool, order, database } = await workbench(t, { setUp: PEOPLE });
  const { column } = order(EMAIL);
  const census = async () => await inTenant(database, 'default', (client) => sealedColumns.census(client, 'default'));
  let opened = 0;
  const open: Ground['keys']['open'] = async (field, values) => {
    opened += values.length;
    return await ground.keys.open(field, values);
  };
  await encryptField({ ...ground, keys: { ...ground.keys, open } }, order(EMAIL), agreed);
  assert.equal(opened, ROWS, 'no partition was gone for a while: each value is opened once, to verify it');
  const before = await census();
  assert.deepEqual([...before.values()], [ROWS]);

  await pool.query(DETACH);
  await assert.rejects(finishField(ground, column, agreed), isDetached, 'its plaintext would stay');
  await assert.rejects(rotateField(ground, column, { agree: agreed, resume: false }), isDetached);
  await assert.rejects(decryptField(ground, column, agreed), isDetached);
  await assert.rejects(
    decryptAll(ground, async () => undefined),
    isDetached,
  );
  assert.deepEqual(await census(), before, 'what it holds is counted with the rest');
  assert.equal((await fieldStatus(ground))[0]?.phase, 'switched', 'nothing was begun');

  await pool.query(ATTACH);
  await finishField(ground, column, agreed);
  await pool.query(`${DETACH}; create table people_copy (like people including all)`);
  await assert.rejects(rotateField(ground, column, { agree: agreed, resume: false }), isDetached);
  await assert.rejects(decryptField(ground, column, agreed), isDetached);
  await pool.query(ATTACH);
  await rotateField(ground, column, { agree: agreed, resume: false });
  assert.deepEqual([...(await census()).values()], [ROWS], "the empty copy is in nobody's way");

  // It goes while the run is on its way.
  const leaving: Promise<unknown>[] = [];
  const observe: Ground['observe'] = (moment) => {
    if (moment === 'committed' && leaving.length === 0) leaving.push(pool.query(DETACH));
  };
  await assert.rejects(decryptField({ ...ground, observe }, column, agreed), isDetached);
  await Promise.all(leaving);
  await pool.query(ATTACH);
  await decryptField(ground, column, agreed);
  assert.deepEqual((await pool.query('select count(email)::integer as plain from people')).rows, [{ plain: ROWS }]);
});

/** A ground on which the run ends when the field has come to a phase. */
function stoppedAt(ground: Ground, at: Field['phase']): Ground {
  const stop = new AbortController();
  const observe: Ground['observe'] = (moment, { phase }) => {
    if (moment === 'phase' && phase === at) stop.abort(new Error('stopped'));
  };
  return { ...ground, observe, signal: stop.signal };
}

const differs = (error: unknown) =>
  isSafekeepError(error, 'field-values-differ') && /^1 or more rows of public.people_old .*\(\d+,\d+\)/.test(error.message);

test('what was written into a partition while it was detached is written over by no step', async (t) => {
  const { ground, pool, order } = await workbench(t, { setUp: PEOPLE });
  const { column } = order(EMAIL);
  const writeApart = async (value: string) =>
    await pool.query(`begin; ${DETACH}; update people_old set email = '${value}' where id = 7; ${ATTACH}; commit`);
  const takePlaintext = 'update people set email = email, email_encrypted = null where id = 7';
  const stored = async () => (await pool.query<{ email: string }>('select email from people where id = 7')).rows[0]?.email;

  await assert.rejects(encryptField(stoppedAt(ground, 'verified'), order(EMAIL), agreed), /stopped/);
  await writeApart('newer@example.org');
  await assert.rejects(encryptField(ground, order(EMAIL), agreed), differs, 'before readers take the ciphertext');
  await pool.query(takePlaintext);
  await encryptField(ground, order(EMAIL), agreed);

  await writeApart('newest@example.org');
  await assert.rejects(decryptField(ground, column, agreed), differs);
  assert.equal(await stored(), 'newest@example.org');
  await pool.query(takePlaintext);
  await decryptField(ground, column, agreed);
  assert.equal(await stored(), 'newest@example.org');
});

test('a partition with plaintext that comes while the plaintext goes is sealed and emptied with the rest', async (t) => {
  const { ground, pool, order } = await workbench(t, { setUp: `${PEOPLE}; alter table people alter column email set not null` });
  const { column } = order(EMAIL);
  await encryptField(ground, order(EMAIL), agreed);
  // Made before plaintext is refused, so it has neither our checks nor a column that may be empty.
  await pool.query('create table people_apart (like people including all); create table people_late (like people including all)');
  const attach = (table: string, year: number) =>
    `insert into ${table} (id, year, email) values (${year}, ${year}, 'apart@example.org');
     alter table people attach partition ${table} for values from (${year}) to (${year + 1000})`;
  await assert.rejects(finishField(stoppedAt(ground, 'nulled'), column, agreed), /stopped/);
  await pool.query(attach('people_apart', 3000));

  // As a run before this mend left it: checks stand that the new rows break.
  await pool.query(attach('people_late', 4000));
  const { rows: checks } = await pool.query<{ id: string }>(
    `update safekeep.fields set phase = 'checked' returning right(replace(field_id::text, '-', ''), 12) as id`,
  );
  const id = checks[0]?.id ?? assert.fail('the field is recorded');
  await pool.query(
    `alter table people add constraint zz_safekeep_empty_${id} check (email is null) not valid,
       add constraint zz_safekeep_present_${id} check (email_encrypted is not null) not valid`,
  );
  const { field } = await finishField(ground, column, agreed);
  assert.equal(field.phase, 'finished');
  assert.deepEqual(
    (await pool.query('select count(email)::integer as plain, count(email_encrypted)::integer as sealed from people')).rows,
    [{ plain: 0, sealed: ROWS + 2 }],
  );
  await decryptField(ground, column, agreed);
  assert.equal((await pool.query(`select from people where email = 'apart@example.org'`)).rowCount, 2);
});
