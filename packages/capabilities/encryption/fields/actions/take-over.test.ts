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
  // A role that every server has.
  await pool.query(
    `grant select on people_decrypted to pg_monitor with grant option; comment on view people_decrypted is 'addresses, in the clear'`,
  );
  await pool.query('create view addresses as select email from people_decrypted');
  await pool.query('alter table people rename column email to mail');
  const column = parseColumnName('public.people.mail');
  await assert.rejects(takeOver(ground, column, { agree: agreed }), (error) => isSafekeepError(error, 'field-unfit'));
  await pool.query('drop view addresses');
  await takeOver(ground, column, { agree: agreed });
  const rightsOn = async (view: string) =>
    await pool.query(
      `select has_table_privilege('pg_monitor', $1, 'select with grant option') as readable, obj_description($1::regclass, 'pg_class') as comment`,
      [view],
    );
  const given = [{ readable: true, comment: 'addresses, in the clear' }];
  assert.deepEqual((await rightsOn('people_decrypted')).rows, given);
  await pool.query('alter table people rename to "Persons"');
  await takeOver(ground, parseColumnName('public."Persons".mail'), { agree: agreed });
  assert.deepEqual((await rightsOn('"Persons_decrypted"')).rows, given, 'also under the name of a table that was renamed');
  await pool.query('alter table "Persons" rename to people');
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

test('nothing is taken over while two tables have the triggers of one field, and the one that is recorded keeps it', async (t) => {
  const { ground, pool, order } = await workbench(t, { setUp: PEOPLE });
  const { column } = order('public.people.email');
  await encryptField(ground, order('public.people.email', { search: ['exact'] }), agreed);
  await finishField(ground, column, agreed);
  // What pg_dump of the schema, put back under another name, leaves beside the original.
  const { rows: made } = await pool.query<{ statement: string }>(
    `select replace(pg_get_triggerdef(oid), 'public.people', 'copy.people') as statement from pg_trigger where tgrelid = 'people'::regclass and not tgisinternal
     union all select format('alter table copy.people add constraint %I %s', conname, pg_get_constraintdef(oid)) from pg_constraint where conrelid = 'people'::regclass and conname like 'zz_safekeep_%'`,
  );
  await pool.query('create schema copy; create table copy.people (like people including defaults)');
  for (const { statement } of made) await pool.query(statement);
  const copy = parseColumnName('copy.people.email');
  const isRefused = (error: unknown): boolean =>
    isSafekeepError(error, 'field-unfit') && error.message.includes('copy.people') && error.message.includes('public.people');
  await assert.rejects(takeOver(ground, copy, { agree: agreed }), isRefused);
  const recorded = await reading(ground, (client) => findField(client, 'default', column));
  assert.ok(recorded, 'it stays what it was');
  await pool.query('alter table people rename column email to mail');
  const renamed = parseColumnName('public.people.mail');
  await assert.rejects(takeOver(ground, renamed, { agree: agreed }), isRefused);
  await pool.query('drop schema copy cascade');
  assert.equal((await takeOver(ground, renamed, { agree: agreed })).column, 'mail');
});
