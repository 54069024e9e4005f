import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isSafekeepError, type ErrorCode } from '@safekeep/core';
import { destroyKey, type Destroying } from '../../actions/destroy-key.ts';
import { fieldKeySource } from '../../actions/field-key-source.ts';
import { seeAllRows } from '../../store/transaction.ts';
import { workbench as keysBench, owner } from '../../testing/workbench.ts';
import { agreed, workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { fieldKeys } from './field-keys.ts';
import type { Ground } from './ground.ts';
import { rotateField } from './rotate-field.ts';
import { sealedColumns } from './sealed-columns.ts';

const EMAIL = 'public.people.email';
const is = (code: ErrorCode) => (error: unknown) => isSafekeepError(error, code);

/** An encrypted column under the keys of a home, which lie in the same database. */
async function bench(t: TestContext) {
  const home = await keysBench(t);
  const { pool, database } = home;
  await pool.query(
    `create table people (id integer primary key, email text);
     insert into people select n, 'person' || n || '@example.org' from generate_series(1, 200) as n`,
  );
  const ring = home.ring();
  const { order, ground } = await workbench(t);
  const own: Ground = { ...ground, database, keys: fieldKeys(fieldKeySource(ring)) };
  const { column } = order(EMAIL);
  const destroy = async (
    id: string,
    options: Partial<Pick<Destroying, 'dryRun' | 'leaseMs' | 'patience'>> & { readonly agree?: () => Promise<void> } = {},
  ) =>
    await destroyKey(ring, 'default', {
      keyId: Buffer.from(id, 'hex'),
      places: [sealedColumns],
      dryRun: false,
      leaseMs: 0,
      signal: new AbortController().signal,
      waiting: () => undefined,
      agree: agreed,
      ...options,
    });
  const keyOf = async (where: string): Promise<string> => {
    const { rows } = await pool.query<{ id: string }>(
      `select encode(key_id, 'hex') as id from safekeep.encryption_keys where ${where} order by version limit 1`,
    );
    return rows[0]?.id ?? assert.fail(where);
  };
  return { ...home, ring, order, column, ground: own, destroy, keyOf };
}

test('a key that was replaced is destroyed when no value is under it, and opens nothing afterwards', async (t) => {
  const { ground, order, column, destroy, keyOf, pool, ring } = await bench(t);
  await encryptField(ground, order(EMAIL), agreed);
  const first = await keyOf(`key_purpose = 'data' and scope like 'field.%'`);
  await assert.rejects(destroy(first), is('key-not-retired'), 'the column is sealed under it');
  const { rows } = await pool.query<{ sealed: Buffer }>('select email_encrypted as sealed from people where id = 7');
  await rotateField(ground, column, { agree: agreed, resume: false });
  // One value comes back from a copy.
  await pool.query(`update people set email_encrypted = $1 where id = 7`, [rows[0]?.sealed]);
  await assert.rejects(destroy(first), is('key-in-use'));
  await assert.rejects(destroy(first, { dryRun: true }), is('key-in-use'));
  await rotateField(ground, column, { agree: agreed, resume: true });
  assert.equal((await destroy(first, { dryRun: true })).destroyedAt, null);
  const state = async () =>
    (await pool.query(`select state, wrapped from safekeep.encryption_keys where key_id = $1`, [Buffer.from(first, 'hex')]))
      .rows[0];
  assert.equal((await state()).state, 'decrypt-only', 'a dry run changes nothing');
  await destroy(first);
  assert.deepEqual(await state(), { state: 'shredded', wrapped: null });
  await assert.rejects(ring.openingKey('default', first), is('key-erased'));
  await assert.rejects(destroy(first), is('key-erased'));
  const { rows: told } = await pool.query(
    `select encode(key_id, 'hex') as id from safekeep.encryption_audit_log where operation_type = 'destroy-data'`,
  );
  assert.deepEqual(told, [{ id: first }]);
  await decryptField(ground, column, agreed);
  assert.equal((await pool.query(`select from people where email = 'person' || id || '@example.org'`)).rowCount, 200);
  await destroy(await keyOf(`key_purpose = 'data' and scope like 'field.%' and state = 'active'`));
});

test('a value that is sealed under it while its holders are waited for keeps the key', async (t) => {
  const { ground, order, column, destroy, keyOf, pool } = await bench(t);
  await encryptField(ground, order(EMAIL), agreed);
  const first = await keyOf(`key_purpose = 'data' and scope like 'field.%'`);
  const { rows } = await pool.query<{ sealed: Buffer }>('select email_encrypted as sealed from people where id = 7');
  await rotateField(ground, column, { agree: agreed, resume: false });
  const outcome = destroy(first, {
    leaseMs: 1,
    agree: async () => void (await pool.query(`update people set email_encrypted = $1 where id = 7`, [rows[0]?.sealed])),
  });
  await assert.rejects(outcome, is('key-in-use'));
});

test('neither a rotation nor the end of a key passes a transaction that has written under it and is open', async (t) => {
  const { ground, order, column, destroy, keyOf, pool } = await bench(t);
  const { field } = await encryptField(ground, order(EMAIL), agreed);
  const first = await keyOf(`key_purpose = 'data' and scope like 'field.%'`);
  const [late] = await ground.keys.seal(field, ['person1000@example.org']);
  const writer = await pool.connect();
  const hurried = { ...ground, leaseMs: 1, patience: { tries: 2, lockTimeoutMs: 50, pauseMs: 5 } };
  try {
    await writer.query('begin');
    await writer.query('insert into people (id, email_encrypted) values (1000, $1)', [late]);
    await assert.rejects(rotateField(hurried, column, { agree: agreed, resume: false }), is('field-key-in-use'));
    await assert.rejects(destroy(first, { patience: { tries: 2, pauseMs: 5 } }), is('key-still-held'));
    const destroyed = assert.rejects(destroy(first), is('key-in-use'), 'it waits, and sees what was committed');
    await writer.query('commit');
    await destroyed;
  } finally {
    writer.release();
  }
  const rotated = await rotateField(hurried, column, { agree: agreed, resume: true });
  assert.deepEqual(
    rotated.census.map(({ values }) => values),
    [201],
  );
  await destroy(first);
  await decryptField(ground, column, agreed);
  assert.equal((await pool.query(`select from people where email = 'person' || id || '@example.org'`)).rowCount, 201);
});

test('a key stays while a session that may have unlocked it has a transaction open, and one that was prepared', async (t) => {
  const { ground, order, column, destroy, keyOf, pool } = await bench(t);
  const { field } = await encryptField(ground, order(EMAIL, { mode: 'database' }), agreed);
  const first = await keyOf(`key_purpose = 'data' and scope like 'field.%'`);
  const hurried = { ...ground, patience: { tries: 2, lockTimeoutMs: 50, pauseMs: 5 } };
  const session = await pool.connect();
  try {
    // It has touched no table yet.
    await session.query('begin; select 1');
    await assert.rejects(rotateField(hurried, column, { agree: agreed, resume: false }), is('field-key-in-use'));
    await assert.rejects(destroy(first, { patience: { tries: 2, pauseMs: 5 } }), is('key-still-held'));
    await session.query('commit');
    await rotateField(hurried, column, { agree: agreed, resume: true });
    const { rows } = await pool.query<{ prepared: string }>(`select current_setting('max_prepared_transactions') as prepared`);
    if (rows[0]?.prepared !== '0') {
      const [late] = await ground.keys.seal(field, ['person1000@example.org']);
      await session.query('begin');
      await session.query('insert into people (id, email_encrypted) values (1000, $1)', [late]);
      await session.query(`prepare transaction 'late'`);
      await assert.rejects(destroy(first, { patience: { tries: 2, pauseMs: 5 } }), is('key-still-held'));
      await session.query(`rollback prepared 'late'`);
    }
  } finally {
    session.release();
  }
  await destroy(first);
});

test('a key that comes back into use after it was agreed to is kept: it is looked at again in the transaction that destroys it', async (t) => {
  const { ground, order, column, destroy, keyOf, pool } = await bench(t);
  await encryptField(ground, order(EMAIL), agreed);
  const first = await keyOf(`key_purpose = 'data' and scope like 'field.%'`);
  await rotateField(ground, column, { agree: agreed, resume: false });
  const { rows } = await pool.query<{ sealed: Buffer }>('select email_encrypted as sealed from people where id = 7');
  const under = Buffer.concat([rows[0]?.sealed.subarray(0, 4) ?? Buffer.of(), Buffer.from(first, 'hex'), Buffer.alloc(29)]);
  const sealedUnderIt = async () => void (await pool.query('update people set email_encrypted = $1 where id = 7', [under]));
  await assert.rejects(destroy(first, { agree: sealedUnderIt }), is('key-in-use'));
  const inUseAgain = async () =>
    void (await pool.query(
      `update safekeep.encryption_keys set state = case when state = 'active' then 'decrypt-only' else 'active' end where scope like 'field.%' and key_purpose = 'data'`,
    ));
  await pool.query('update people set email_encrypted = $1 where id = 7', [rows[0]?.sealed]);
  await assert.rejects(destroy(first, { agree: inUseAgain }), is('key-not-retired'));
});

test('a key that a table beside the encrypted one still needs is kept, also when the column is decrypted', async (t) => {
  const { ground, order, column, destroy, keyOf, pool } = await bench(t);
  await encryptField(ground, order(EMAIL), agreed);
  const first = await keyOf(`key_purpose = 'data' and scope like 'field.%'`);
  await pool.query('create table people_copy (like people including all); insert into people_copy select * from people limit 3');
  await rotateField(ground, column, { agree: agreed, resume: false });
  await assert.rejects(destroy(first), is('key-in-use'));
  await decryptField(ground, column, agreed);
  await assert.rejects(destroy(first), is('key-in-use'));
  await pool.query('drop table people_copy');
  await destroy(first);
});

test('keys of people, of indexes that stand and of what nobody counts are not destroyed, nor where row security hides rows', async (t) => {
  const { ground, order, column, destroy, keyOf, pool, ring, inTenant } = await bench(t);
  await encryptField(ground, order(EMAIL, { search: ['exact'], acceptLeak: true }), agreed);
  await inTenant((client) => ring.subjectKeys.forSealing(client, [owner(1)]));
  await ring.dataKey('default', 'user.contact.email');
  for (const where of [
    `key_purpose = 'subject'`,
    `scope = 'owners'`,
    `scope = 'user.contact.email'`,
    `key_purpose = 'index' and scope like 'field.%'`,
  ])
    await assert.rejects(destroy(await keyOf(where)), is('key-not-retired'), where);
  await assert.rejects(destroy('00'.repeat(8)), is('key-unknown'));
  await changeIndexes(ground, column, { renew: ['exact'], acceptLeak: true, agree: agreed });
  await assert.rejects(destroy(await keyOf(`key_purpose = 'index' and scope like '%.index.2'`)), is('key-not-retired'));
  await decryptField(ground, column, agreed);
  for (const like of ['%.index.2', 'field.%'])
    await destroy(await keyOf(`key_purpose = 'index' and scope like '${like}' and state = 'active'`));
  assert.equal((await pool.query(`select from safekeep.encryption_keys where state = 'shredded'`)).rowCount, 2);
  const hidden = inTenant(
    async (client) => {
      await seeAllRows(client);
      await sealedColumns.census(client, 'default');
    },
    { role: 'safekeep_app' },
  );
  await assert.rejects(hidden, /row-level security/);
});
