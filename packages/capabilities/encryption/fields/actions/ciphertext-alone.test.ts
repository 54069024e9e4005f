import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type pg from 'pg';
import { isSafekeepError } from '@safekeep/core';
import { openTexts } from '@safekeep/crypto';
import { testServers } from '@safekeep/postgres/testing';
import type { Field } from '../model.ts';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

// Between `encrypt` and `finish` plaintext and ciphertext stand side by side: whoever writes one alone must not be answered with
// what the other said before.

const PEOPLE = `
  create table people (id integer primary key, email text, code text not null default 'none');
  insert into people select n, 'old' || n || '@example.org', 'code' || n from generate_series(1, 20) as n`;

async function sealedOf({ ground }: Workbench, field: Field, value: string): Promise<Buffer> {
  const [sealed] = await ground.keys.seal(field, [value]);
  assert.ok(sealed);
  return sealed;
}

async function inSession<Result>(
  { pool, keys }: Workbench,
  field: Field,
  run: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('select safekeep.unlock($1)', [keys.bundle(field)]);
    const result = await run(client);
    await client.query('commit');
    return result;
  } finally {
    client.release();
  }
}

for (const server of testServers()) {
  for (const ending of ['decrypt', 'finish'] as const) {
    test(`ciphertext that a client writes alone is what counts, up to ${ending} (PostgreSQL ${server.name})`, async (t) => {
      const bench = await workbench(t, { setUp: PEOPLE, server });
      const { ground, pool } = bench;
      const { column } = bench.order('public.people.email');
      const { field } = await encryptField(ground, bench.order('public.people.email'), agreed);
      await pool.query('update people set email_encrypted = $1 where id = 1', [await sealedOf(bench, field, 'new1@example.org')]);
      await pool.query('update people set email_encrypted = null where id = 2');
      // The same value anew with both columns, as the SDK writes it: the plaintext stays for those who read it.
      await pool.query(`update people set email = 'old3@example.org', email_encrypted = $1 where id = 3`, [
        await sealedOf(bench, field, 'old3@example.org'),
      ]);
      // Written without a key before: the row has no ciphertext when one comes.
      await pool.query(`update people set email = 'loose@example.org' where id = 4`);
      await pool.query('update people set email_encrypted = $1 where id = 4', [await sealedOf(bench, field, 'new4@example.org')]);
      const { rows: between } = await pool.query('select id, email from people where id <= 4 order by id');
      assert.deepEqual(
        between.map(({ email }) => email),
        [null, null, 'old3@example.org', null],
      );
      const wanted = ['new1@example.org', null, 'old3@example.org', 'new4@example.org', 'old5@example.org'];
      if (ending === 'decrypt') {
        await decryptField(ground, column, agreed);
        const { rows } = await pool.query('select email from people where id <= 5 order by id');
        assert.deepEqual(
          rows.map(({ email }) => email),
          wanted,
        );
      } else {
        await finishField(ground, column, agreed);
        const { rows } = await pool.query('select email_encrypted as sealed from people where id <= 5 order by id');
        const opened = await openTexts(
          bench.keys,
          field,
          rows.flatMap(({ sealed }) => (sealed === null ? [] : [sealed])),
        );
        assert.deepEqual(
          opened,
          wanted.filter((each) => each !== null),
        );
        assert.equal(rows[1].sealed, null);
      }
    });

    test(`an upsert of ciphertext alone in database mode takes the plaintext with it, up to ${ending} (PostgreSQL ${server.name})`, async (t) => {
      const bench = await workbench(t, { setUp: PEOPLE, server });
      const { ground, pool } = bench;
      const order = bench.order('public.people.code', { mode: 'database' });
      const { field } = await encryptField(ground, order, agreed);
      const upsert = (set: string) => `insert into people (id, code) values ($1, $2) on conflict (id) do update set ${set}`;
      await inSession(bench, field, async (client) => {
        await client.query(upsert('code_encrypted = excluded.code_encrypted'), [1, 'new1']);
        await client.query(upsert('code = excluded.code, code_encrypted = excluded.code_encrypted'), [2, 'new2']);
      });
      const { rows: between } = await pool.query('select code from people where id <= 2 order by id');
      assert.deepEqual(between, [{ code: 'new1' }, { code: 'new2' }]);
      await assert.rejects(
        pool.query('update people set code_encrypted = $1 where id = 3', [await sealedOf(bench, field, 'new3')]),
        /in which a value must stand until encrypt finish/,
      );
      if (ending === 'finish') await finishField(ground, order.column, agreed);
      else await decryptField(ground, order.column, agreed);
      const { rows } = await (ending === 'decrypt'
        ? pool.query('select code from people where id <= 3 order by id')
        : inSession(bench, field, (client) => client.query('select code from people_decrypted where id <= 3 order by id')));
      assert.deepEqual(rows, [{ code: 'new1' }, { code: 'new2' }, { code: 'code3' }]);
    });
  }
}

test('a value that was written past the triggers stops the way back until somebody says which counts, and neither is lost', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool } = bench;
  const { field } = await encryptField(ground, bench.order('public.people.email'), agreed);
  await pool.query('alter table people disable trigger user');
  await pool.query('update people set email_encrypted = $1 where id = 1', [await sealedOf(bench, field, 'new1@example.org')]);
  await pool.query('alter table people enable trigger user');
  await assert.rejects(decryptField(ground, bench.order('public.people.email').column, agreed), (error) =>
    isSafekeepError(error, 'field-values-differ'),
  );
  const both = 'update people set email = $1, email_encrypted = $2 where id = 1';
  await pool.query(both, ['new1@example.org', await sealedOf(bench, field, 'new1@example.org')]);
  await decryptField(ground, bench.order('public.people.email').column, agreed);
  const { rows } = await pool.query('select email from people where id <= 2 order by id');
  assert.deepEqual(rows, [{ email: 'new1@example.org' }, { email: 'old2@example.org' }]);
});

test('in database mode a login that may write the table and knows nothing of Safekeep goes on', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool } = bench;
  const role = `test_${randomBytes(6).toString('hex')}`;
  await pool.query(`create role ${role}; grant select, insert, update, delete on people to ${role}`);
  const as = async (statement: string): Promise<void> => {
    const client = await pool.connect();
    try {
      await client.query(`begin; set local role ${role}`);
      await client.query(statement);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  };
  const order = bench.order('public.people.email', { mode: 'database', search: ['exact'] });
  await encryptField(ground, order, agreed);
  await as(`insert into people (id, email) values (100, 'plain100@example.org')`);
  await as(`update people set email = 'plain1@example.org' where id = 1`);
  await as(`update people_decrypted set code = 'seen' where id = 2`);
  await finishField(ground, order.column, agreed);
  await assert.rejects(as(`update people set email = 'x@example.org' where id = 1`), /has not unlocked its key/);
  await as(`update people set code = 'still' where id = 1`);
  await decryptField(ground, order.column, agreed);
  const { rows } = await pool.query('select email from people where id in (1, 2, 100) order by id');
  assert.deepEqual(
    rows.map(({ email }) => email),
    ['plain1@example.org', 'old2@example.org', 'plain100@example.org'],
  );
  await pool.query(`drop owned by ${role}; drop role ${role}`);
});
