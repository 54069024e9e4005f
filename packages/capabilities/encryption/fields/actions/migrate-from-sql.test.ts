import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import { openTexts } from '@safekeep/crypto';
import { testServers } from '@safekeep/postgres/testing';
import type { Field } from '../model.ts';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const ROWS = 600;
const PEOPLE = `create table "Our People" (id integer primary key, "E-mail" varchar(80), note text);
  insert into "Our People" select n, case when n % 50 = 0 then null when n % 50 = 1 then '' else 'person' || n || '@example.org' end, 'n'
    from generate_series(1, ${ROWS}) as n`;
const EMAIL = 'public."Our People"."E-mail"';
const SEALED = ROWS - ROWS / 50;
// Found by the caller's search_path.
const PLACE = [`"Our People"`, 'E-mail', 'E-mail_encrypted'] as const;

/** A field of which columns and triggers stand, with its key known to the database by its id. */
async function prepared(bench: Workbench, search: readonly 'exact'[] = ['exact']): Promise<{ field: Field; keyId: string }> {
  const { field } = await encryptField(
    bench.ground,
    bench.order(EMAIL, { mode: 'database', search, acceptLeak: true, until: 'dual-write' }),
    agreed,
  );
  assert.equal(field.phase, 'dual-write');
  const { id: keyId } = await bench.keys.current('default', field.keyScope);
  await bench.pool.query(
    `insert into safekeep.encryption_keys (tenant_id, key_id, key_purpose, scope, algorithm, version, state, epoch, wrapped, created_at)
     values ('default', decode($1, 'hex'), 'data', $2, 'AES-256-GCM', 1, 'active', 1, decode(repeat('00', 48), 'hex'), now())`,
    [keyId, field.keyScope],
  );
  return { field, keyId };
}

async function within<Result>(bench: Workbench, run: (client: pg.ClientBase) => Promise<Result>): Promise<Result> {
  const client = await bench.pool.connect();
  try {
    await client.query(`begin; set local safekeep.tenant = 'default'`);
    const result = await run(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

async function unsealed({ pool }: Workbench): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::integer as n from "Our People" where "E-mail" is not null and "E-mail_encrypted" is null`,
  );
  return rows[0]?.n ?? -1;
}

/** Every value opens to its plaintext, and is found by its index. */
async function assertSealed(bench: Workbench, field: Field): Promise<void> {
  const { rows } = await bench.pool.query(
    'select "E-mail" as plain, "E-mail_encrypted" as sealed, "E-mail_exact_index" as number from "Our People" where "E-mail" is not null order by id',
  );
  assert.equal(rows.length, SEALED);
  const opened = await openTexts(
    bench.keys,
    field,
    rows.map(({ sealed }) => sealed),
  );
  assert.deepEqual(
    opened,
    rows.map(({ plain }) => plain),
  );
  const key = await bench.keys.index('default', field.keyScope);
  const [index] = field.indexes;
  assert.ok(index);
  for (const { plain, number } of rows)
    assert.equal(number, key.index(`${field.id} exact 1`, plain, index.bits).toString(), 'the index that the SDK looks for');
}

for (const server of testServers()) {
  test(`migrate_plaintext_to_encrypted seals every value with its index, and the rest of the way goes on from there (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    const { field, keyId } = await prepared(bench);
    await within(bench, async (client) => {
      await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
      const { rows } = await client.query('select safekeep.migrate_plaintext_to_encrypted($1, $2, $3, $4) as rows', [
        ...PLACE,
        keyId,
      ]);
      assert.deepEqual(rows, [{ rows: String(SEALED) }]);
      const again = await client.query('select safekeep.migrate_plaintext_to_encrypted($1, $2, $3, $4) as rows', [...PLACE, keyId]);
      assert.deepEqual(again.rows, [{ rows: '0' }], 'nothing is sealed twice');
      assert.notEqual((await client.query(`select current_setting('safekeep.engine', true) as on`)).rows[0].on, 'on');
    });
    await assertSealed(bench, field);
    const before = (await bench.pool.query('select id, "E-mail_encrypted" from "Our People" order by id')).rows;
    await encryptField(bench.ground, bench.order(EMAIL), agreed);
    const { field: finished } = await finishField(bench.ground, bench.order(EMAIL).column, agreed);
    assert.deepEqual([finished.phase, finished.verified], ['finished', SEALED]);
    assert.deepEqual((await bench.pool.query('select id, "E-mail_encrypted" from "Our People" order by id')).rows, before);
  });

  test(`the procedure commits batch by batch, leaves rows that others hold, and goes on with them (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    const { field, keyId } = await prepared(bench);
    const client = await bench.pool.connect();
    const holder = await bench.pool.connect();
    try {
      const warnings: string[] = [];
      client.on('notice', ({ message = '' }) => warnings.push(message));
      await client.query(`set safekeep.tenant = 'default'`);
      await holder.query('begin; select from "Our People" where id in (7, 8) for update');
      const call = () =>
        client.query('call safekeep.migrate_plaintext_to_encrypted_in_batches($1, $2, $3, $4, $5, 100)', [
          ...PLACE,
          keyId,
          bench.keys.bundle(field),
        ]);
      await call();
      assert.equal(await unsealed(bench), 2);
      assert.match(warnings.join(), /2 rows were held by others/);
      await holder.query('commit');
      await call();
      assert.equal(await unsealed(bench), 0);
      await assertSealed(bench, field);
      // A batch ends with its keys.
      assert.equal(
        (await client.query('select safekeep.open_value("E-mail_encrypted") as v from "Our People" where id = 9')).rows[0].v,
        null,
      );
      await assert.rejects(
        client.query('call safekeep.migrate_plaintext_to_encrypted_in_batches($1, $2, $3, $4, $5, 0)', [
          ...PLACE,
          keyId,
          bench.keys.bundle(field),
        ]),
        /a batch has 1 to 100000 rows/,
      );
    } finally {
      client.release(true);
      holder.release(true);
    }
  });
}

test('without its key, under another key, in another column or for another tenant nothing is sealed', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { field, keyId } = await prepared(bench);
  const migrate = (parameters: readonly string[], wrapped?: Buffer) =>
    within(bench, async (client) => {
      if (wrapped !== undefined) await client.query('select safekeep.unlock($1)', [wrapped]);
      await client.query('select safekeep.migrate_plaintext_to_encrypted($1, $2, $3, $4)', [...parameters]);
    });
  const bundle = bench.keys.bundle(field);
  await assert.rejects(migrate([...PLACE, keyId]), /is not unlocked for sealing/);
  await assert.rejects(migrate([...PLACE, '00'.repeat(8)], bundle), /is the key of no field/);
  await assert.rejects(migrate([...PLACE, 'the key'], bundle), /16 hex digits/);
  await assert.rejects(
    migrate([PLACE[0], 'note', 'note_encrypted', '00'.repeat(8)], bundle),
    (error: Error & { hint?: string }) => /is the key of no field/.test(error.message) && /--prepare/.test(error.hint ?? ''),
    'a column that was not prepared',
  );
  // Bound to the field: in another column or table it would never open.
  await assert.rejects(migrate([PLACE[0], 'note', PLACE[2], keyId], bundle), /belongs to column E-mail/);
  await bench.pool.query('create table other (note text, "E-mail" text, "E-mail_encrypted" bytea)');
  await assert.rejects(migrate(['other', PLACE[1], PLACE[2], keyId], bundle), /belongs to column E-mail/);
  await assert.rejects(
    migrate(['"Our People"; drop table other', PLACE[1], PLACE[2], keyId], bundle),
    /invalid name|syntax|does not exist/i,
  );
  await assert.rejects(
    within(bench, async (client) => {
      await client.query('select safekeep.unlock($1)', [bundle]);
      await client.query(`set local role safekeep_app; set local safekeep.tenant = 'elsewhere'`);
      await client.query('select safekeep.migrate_plaintext_to_encrypted($1, $2, $3, $4)', [...PLACE, keyId]);
    }),
    /is the key of no field|permission denied/,
  );
  assert.equal(await unsealed(bench), SEALED);
});

test('for more rows than one transaction should hold the function refuses and names the procedure', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table "Our People" (id integer primary key, "E-mail" varchar(80), note text);
      insert into "Our People" select n, 'person' || n from generate_series(1, 100001) as n`,
  });
  const { field, keyId } = await prepared(bench, []);
  await assert.rejects(
    within(bench, async (client) => {
      await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
      await client.query('select safekeep.migrate_plaintext_to_encrypted($1, $2, $3, $4)', [...PLACE, keyId]);
    }),
    (error: Error & { hint?: string }) => /too many for one transaction/.test(error.message) && /in_batches/.test(error.hint ?? ''),
  );
});
