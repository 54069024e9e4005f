import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, parseColumnName } from '@safekeep/core';
import { openTexts } from '@safekeep/crypto';
import { findField } from '../store/records.ts';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';
import { reading } from './ground.ts';
import { takeOver } from './take-over.ts';

const ROWS = 4_000;
const PEOPLE = `create table people (id integer primary key, email text, phone text);
  insert into people select n, 'person' || n || '@example.org', '+41 44 ' || n from generate_series(1, ${ROWS}) as n`;

async function opened({ pool, keys, ground }: Workbench, name: string): Promise<readonly string[]> {
  const ref = parseColumnName(name);
  const field = await reading(ground, (client) => findField(client, 'default', ref));
  assert.ok(field);
  const { rows } = await pool.query<{ sealed: Buffer }>(
    `select ${field.encryptedColumn} as sealed from ${ref.table} where ${field.encryptedColumn} is not null order by id`,
  );
  return await openTexts(
    keys,
    field,
    rows.map(({ sealed }) => sealed),
  );
}

test('a column that was renamed after it was finished is taken over with its ciphertext, indexes, triggers and neighbours, and comes back under its new name', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool, order } = bench;
  for (const name of ['email', 'phone']) {
    await encryptField(ground, order(`public.people.${name}`, { search: [] }), agreed);
    await finishField(ground, order(`public.people.${name}`).column, agreed);
  }
  await changeIndexes(ground, order('public.people.email').column, { searchWith: ['phone'], acceptLeak: true, agree: agreed });
  const before = await opened(bench, 'public.people.email');
  const { rows: stored } = await pool.query('select email_encrypted as sealed from people order by id');

  await pool.query('alter table people rename column email to mail');
  await pool.query('alter table people rename to persons');
  const column = parseColumnName('public.persons.mail');
  await assert.rejects(takeOver(ground, parseColumnName('public.persons.id'), { agree: agreed }), (error) =>
    isSafekeepError(error, 'field-unknown'),
  );
  const was: string[] = [];
  const field = await takeOver(ground, column, {
    agree: async (fields) => void was.push(...fields.map((each) => `${each.table.table}.${each.column}`)),
  });
  assert.deepEqual(was.toSorted(), ['people.email', 'people.phone']);
  assert.deepEqual(
    [field.column, field.encryptedColumn, ...field.indexes.map((index) => index.column)],
    ['mail', 'mail_encrypted', 'mail_compound_index'],
  );
  assert.deepEqual(await opened(bench, 'public.persons.mail'), before);
  assert.deepEqual(
    (await pool.query('select mail_encrypted as sealed from persons order by id')).rows,
    stored,
    'nothing was sealed anew',
  );
  await assert.rejects(pool.query(`update persons set mail = 'plain@example.org' where id = 1`), /column mail takes no plaintext/);
  await assert.rejects(
    pool.query(`update persons set mail_encrypted = (select mail_encrypted from persons where id = 2) where id = 1`),
    /mail_compound_index/,
  );
  await takeOver(ground, column, { agree: () => assert.fail('it is taken over') });

  await changeIndexes(ground, column, { searchWith: [], acceptLeak: true, agree: agreed });
  await decryptField(ground, column, agreed);
  await decryptField(ground, parseColumnName('public.persons.phone'), agreed);
  const { rows } = await pool.query('select mail, phone from persons order by id');
  assert.deepEqual(
    rows,
    before.map((mail, at) => ({ mail, phone: `+41 44 ${at + 1}` })),
  );
});

test('in database mode the view goes by the new names, and nothing is taken over while others read it', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool, order, keys } = bench;
  const { field } = await encryptField(ground, order('public.people.email', { mode: 'database' }), agreed);
  await pool.query('create view addresses as select email from people_decrypted');
  await pool.query('alter table people rename column email to mail');
  const column = parseColumnName('public.people.mail');
  await assert.rejects(takeOver(ground, column, { agree: agreed }), (error) => isSafekeepError(error, 'field-unfit'));
  await pool.query('drop view addresses');
  await takeOver(ground, column, { agree: agreed });
  await finishField(ground, column, agreed);
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(`select set_config('safekeep.tenant', 'default', true), safekeep.unlock($1)`, [keys.bundle(field)]);
    await client.query(`update people_decrypted set mail = 'new@example.org' where id = 7`);
    const { rows } = await client.query('select mail from people_decrypted where id in (7, 8) order by id');
    assert.deepEqual(rows, [{ mail: 'new@example.org' }, { mail: 'person8@example.org' }]);
    await client.query('commit');
  } finally {
    client.release();
  }
  await decryptField(ground, column, agreed);
});
