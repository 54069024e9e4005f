import assert from 'node:assert/strict';
import { test } from 'node:test';
import { livedIn } from './lived-in.ts';

const FIELD_KEYS = `select k.key_id from safekeep.fields f, safekeep.field_keys(f.tenant_id, 'data', f.key_scope) k`;

test('an application that was taken over reads the wrapped keys of its encrypted columns, and gets no further', async (t) => {
  const { loginOf, pool } = await livedIn(t);
  const thief = await loginOf('safekeep_client');
  const outcomeOf = async (statement: string, values: readonly unknown[] = [], tenant = 'default'): Promise<string | number> => {
    await thief.query('begin');
    await thief.query(`select set_config('safekeep.tenant', $1, true)`, [tenant]);
    const outcome = await thief.query(statement, [...values]).then(
      ({ rowCount }) => rowCount ?? 0,
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown'),
    );
    await thief.query('rollback');
    return outcome;
  };
  const { rows: keys } = await pool.query<{ id: Buffer; mark: Buffer | null; purpose: string; scope: string | null }>(
    'select key_id as id, owner_mark as mark, key_purpose as purpose, scope from safekeep.encryption_keys',
  );
  const people = keys.filter(({ purpose }) => purpose === 'subject');
  const marks = people.map(({ mark }) => mark);
  assert.ok(people.length > 0, 'there are keys of people to steal');
  assert.ok(Number(await outcomeOf(FIELD_KEYS)) > 0, 'the keys of the encrypted columns are what it lives on');

  const denied: readonly (readonly [statement: string, values?: readonly unknown[]])[] = [
    [`insert into safekeep.hold_releases select * from safekeep.hold_releases`],
    [`insert into safekeep.holds select * from safekeep.holds`],
    ['select * from safekeep.holds'],
    ['select * from safekeep.audit_events'],
    ['select * from safekeep.encryption_keys'],
    ['select key_id from safekeep.encryption_keys'],
    ['select * from safekeep.encryption_audit_log'],
    ['select * from safekeep.keys_of_owners($1, $2)', ['default', marks]],
    ['select * from safekeep.keys_by_id($1, $2)', ['default', people.map(({ id }) => id)]],
    [`select safekeep.open_keys('default', null)`],
    [`select safekeep.is_field_scope('default', 'data', 'owners')`],
    [`update safekeep.fields set phase = 'switched'`],
    [`update safekeep.fields set mode = 'database', phase = 'planned'`],
    ['delete from safekeep.field_indexes'],
    [`update safekeep.encryption_keys set state = 'shredded', wrapped = null, destroyed_at = now()`],
    [`insert into safekeep.tenants (tenant_id, name) values ('mine', 'Mine')`],
    [`select safekeep.record_audit_event(gen_random_uuid(), 'a', 'b', 'c', 'd', 'e', '{}')`],
  ];
  for (const [statement, values] of denied) assert.equal(await outcomeOf(statement, values), '42501', statement);

  // What it may call answers of fields alone.
  const owners = keys.filter(({ purpose, scope }) => purpose !== 'subject' && !(scope ?? '').startsWith('field.'));
  for (const { purpose, scope } of owners)
    assert.equal(await outcomeOf('select * from safekeep.field_keys($1, $2, $3)', ['default', purpose, scope]), 0, scope ?? '');
  assert.equal(await outcomeOf(`select * from safekeep.field_keys('default', 'subject', 'owners')`), 0);
  const others = [...people, ...owners].map(({ id }) => id);
  assert.equal(await outcomeOf('select * from safekeep.field_keys_by_id($1, $2)', ['default', others]), 0);
  const uses = async () => (await pool.query('select sum(usage_count)::text as n from safekeep.encryption_keys')).rows;
  const before = await uses();
  const count = `select safekeep.count_field_key_uses('default', gen_random_uuid(), $1, $2)`;
  await thief.query(`begin; select set_config('safekeep.tenant', 'default', true)`);
  await thief.query(count, [others, others.map(() => 9)]);
  await thief.query(count, [keys.map(({ id }) => id), keys.map(() => -9)]);
  await thief.query('commit');
  assert.deepEqual(await uses(), before, 'it counts only uses of what it may have, and takes none off');

  // One call does not spend a key, which would stop sealing for everybody, however large the number and however often it is said.
  const { rows: ofFields } = await pool.query<{ id: Buffer }>(
    `select key_id as id from safekeep.encryption_keys where key_purpose = 'data' and scope like 'field.%'`,
  );
  const fieldKeyIds = ofFields.map(({ id }) => id);
  assert.ok(fieldKeyIds.length > 0);
  const most = async () =>
    (
      await pool.query<{ n: string }>('select max(usage_count)::text as n from safekeep.encryption_keys where key_id = any ($1)', [
        fieldKeyIds,
      ])
    ).rows[0]?.n;
  const counted = Number(await most());
  await thief.query(`begin; select set_config('safekeep.tenant', 'default', true)`);
  const often = Array.from({ length: 200 }, () => fieldKeyIds).flat();
  await thief.query(count, [often, often.map(() => '9223372036854775807')]);
  await thief.query('commit');
  assert.ok(Number(await most()) <= counted + 2 ** 24, 'what a call counts at most');
  await pool.query('update safekeep.encryption_keys set usage_count = 9223372036854775807 where key_id = any ($1)', [fieldKeyIds]);
  await thief.query(`begin; select set_config('safekeep.tenant', 'default', true)`);
  await thief.query(count, [fieldKeyIds, fieldKeyIds.map(() => 9)]);
  await thief.query('commit');
  assert.equal(await most(), '9223372036854775807', 'what is at its end stays there, without an error');

  // Nor of another tenant, whichever it says that it is.
  await pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Another practice')`);
  assert.equal(await outcomeOf(`select * from safekeep.field_keys('default', 'data', 'x')`, [], 'other'), '42501');
  assert.equal(await outcomeOf(FIELD_KEYS, [], 'other'), 0);
  assert.equal(await outcomeOf(`select * from safekeep.field_keys('default', 'data', 'x')`, [], ''), '42501');
});
