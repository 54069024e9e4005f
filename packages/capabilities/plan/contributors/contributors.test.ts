import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { mapOf, workbench } from '../testing/workbench.ts';
import { columnComments } from './column-comments.ts';
import { complianceFields } from './compliance-fields.ts';
import { mapNames } from './map-names.ts';
import { rowSecurity } from './row-security.ts';

const VISITS = `
  create table visits (clinic text, number integer, note text, primary key (clinic, number));
  insert into visits values ('north', 1, 'first')`;
const MAP = { 'public.visits': { columns: { note: { category: 'user.content' } } } };

for (const server of testServers()) {
  test(`the compliance fields in the side table follow their row through insert, update, change of key and delete (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: VISITS, server });
    const before = await bench.userState();
    await bench.apply(bench.intent(MAP, [complianceFields(() => 'side-table')]));
    const fields = async () =>
      (
        await bench.pool.query(
          'select table_name, record, version, last_modified_by_id as actor from safekeep.compliance_fields order by record',
        )
      ).rows;
    await bench.pool.query(
      `begin; select safekeep.set_actor('dr-may'); insert into visits values ('south', 2, 'x'); update visits set note = 'y' where clinic = 'south'; commit`,
    );
    assert.deepEqual(await fields(), [{ table_name: 'public.visits', record: 'south,2', version: 2, actor: 'dr-may' }]);
    await bench.pool.query(`update visits set number = 3 where clinic = 'south'`);
    assert.deepEqual(await fields(), [{ table_name: 'public.visits', record: 'south,3', version: 3, actor: null }]);
    await bench.pool.query('delete from visits');
    assert.deepEqual(await fields(), []);
    assert.equal((await bench.unapply()).restored, true);
    assert.deepEqual(await bench.userState(), before);
  });

  test(`the compliance fields as columns stand behind the user's own, count versions, and go again (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: VISITS, server });
    const before = await bench.userState();
    const intent = bench.intent(MAP, [columnComments, complianceFields(() => 'columns')]);
    const { steps } = await bench.apply(intent);
    assert.deepEqual(
      steps.map(({ id, reversible, rewrites }) => ({ id, reversible, rewrites })),
      [
        { id: 'create column-comment:public.visits.note', reversible: true, rewrites: false },
        { id: 'create compliance-columns:public.visits', reversible: false, rewrites: false },
        { id: 'create compliance-trigger:public.visits', reversible: true, rewrites: false },
      ],
    );
    await bench.pool.query(`update visits set note = 'second'; update visits set note = 'third'`);
    assert.deepEqual((await bench.pool.query('select version, legal_hold from visits')).rows, [{ version: 3, legal_hold: false }]);
    assert.equal((await bench.status(intent)).ok, true);
    assert.deepEqual((await bench.apply(intent)).steps, []);
    assert.equal((await bench.unapply()).restored, true);
    assert.deepEqual(await bench.userState(), before);
  });
}

test('compliance columns that a later apply brings are no drift', async (t) => {
  const bench = await workbench(t, { setUp: VISITS });
  await bench.apply(bench.intent(MAP));
  const intent = bench.intent(MAP, [columnComments, complianceFields(() => 'columns')]);
  await bench.apply(intent);
  assert.deepEqual((await bench.status(intent)).drift, []);
});

test('a trigger of ours that is switched off is drift, and apply makes it anew', async (t) => {
  const bench = await workbench(t, { setUp: VISITS });
  const intent = bench.intent(MAP, [complianceFields(() => 'side-table')]);
  await bench.apply(intent);
  await bench.pool.query('alter table visits disable trigger safekeep_compliance');
  const { ok, drift, pending } = await bench.status(intent);
  assert.deepEqual(
    [ok, drift.map(({ object, change }) => [object, change]), pending],
    [false, [['compliance-trigger:public.visits', 'disabled']], []],
  );
  assert.deepEqual(
    (await bench.apply(intent)).steps.map(({ action }) => action),
    ['remove', 'create'],
  );
  assert.equal((await bench.status(intent)).ok, true);
});

test('what cannot carry compliance fields is refused with the reason', async (t) => {
  const bench = await workbench(t, {
    setUp: `${VISITS}; create table notes (version integer); create view recent as select note from visits`,
  });
  const map = { ...MAP, 'public.notes': {}, 'public.recent': {} };
  const reasons = async (form: 'columns' | 'side-table') =>
    (await bench.plan(bench.intent(map, [complianceFields(() => form)]))).problems.map(
      ({ target, reason }) => `${target}: ${reason.slice(0, 30)}`,
    );
  assert.deepEqual(await reasons('columns'), [
    'public.notes: it has a column version of its',
    'public.recent: the compliance fields need a t',
  ]);
  assert.deepEqual(await reasons('side-table'), [
    'public.notes: without a primary key a row ca',
    'public.recent: the compliance fields need a t',
  ]);
  await assert.rejects(bench.apply(bench.intent(map, [complianceFields(() => 'columns')])), (error) =>
    isSafekeepError(error, 'plan-blocked'),
  );
});

test('a login that does not own the table sees its tenant’s rows only, and the note says whom that does not bind', async (t) => {
  const bench = await workbench(t, { setUp: VISITS });
  await bench.pool.query(`insert into visits values ('south', 1, 'theirs')`);
  const before = await bench.userState();
  const read = mapOf({ tables: MAP, tenant: { column: 'clinic' } });
  const intent = { tenant: 'default', read, contributors: [rowSecurity(() => ({ isolate: true, hideDeleted: false }))] };
  const plan = await bench.plan(intent);
  assert.match(plan.notes[0]?.text ?? '', /^Reads not enforced for its owner postgres/);
  await bench.apply(intent);
  assert.equal((await bench.status(intent)).ok, true);
  const role = `test_${randomBytes(6).toString('hex')}`;
  await bench.pool.query(`create role ${role}; grant select, insert on visits to ${role}`);
  const app = await bench.pool.connect();
  const seen = async (tenant: string) => {
    await app.query(`begin; set local role ${role}; set local safekeep.tenant = '${tenant}'`);
    const { rows } = await app.query('select clinic from visits');
    await app.query('rollback');
    return rows.map(({ clinic }) => clinic);
  };
  assert.deepEqual(await seen('north'), ['north']);
  assert.deepEqual(await seen(''), []);
  await app.query(`begin; set local role ${role}; set local safekeep.tenant = 'north'`);
  await assert.rejects(app.query(`insert into visits values ('south', 9, 'x')`), /row-level security/);
  await app.query('rollback');
  app.release();
  await bench.pool.query(`drop owned by ${role}; drop role ${role}`);
  await bench.unapply();
  assert.deepEqual(await bench.userState(), before);
});

test('row security that the user has on already stays on, with their policies, when ours go', async (t) => {
  const bench = await workbench(t, {
    setUp: `${VISITS}; alter table visits enable row level security; create policy theirs on visits using (number > 0)`,
  });
  const before = await bench.userState();
  const intent = {
    tenant: 'default',
    read: mapOf({ tables: MAP, tenant: { column: 'clinic' } }),
    contributors: [rowSecurity(() => ({ isolate: true, hideDeleted: false }))],
  };
  assert.deepEqual(
    (await bench.apply(intent)).steps.map(({ id }) => id),
    ['create row-policy:public.visits:safekeep_tenant'],
  );
  await bench.unapply();
  assert.deepEqual(await bench.userState(), before);
});

test('rows that were deleted softly are hidden from readers only where the map asks', async (t) => {
  const bench = await workbench(t, { setUp: VISITS });
  const before = await bench.userState();
  const columns = complianceFields(() => 'columns');
  const role = `test_${randomBytes(6).toString('hex')}`;
  await bench.pool.query(`create role ${role}; grant select on visits to ${role}`);
  const seen = async () => {
    const app = await bench.pool.connect();
    await app.query(`begin; set local role ${role}`);
    const { rowCount } = await app.query('select from visits');
    await app.query('rollback');
    app.release();
    return rowCount;
  };
  await bench.apply(bench.intent(MAP, [columns]));
  await bench.pool.query('update visits set deleted_at = now()');
  assert.equal(await seen(), 1);
  await bench.apply(bench.intent(MAP, [columns, rowSecurity(() => ({ isolate: false, hideDeleted: true }))]));
  assert.equal(await seen(), 0);
  await bench.pool.query(`drop owned by ${role}; drop role ${role}`);
  await bench.unapply();
  assert.deepEqual(await bench.userState(), before);
});

test('a path or a key of the map that names what is not there is a problem of the plan, and nothing is applied', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key); create table orders (id integer primary key, person_id integer references people)`,
  });
  const subjects = { person: { table: 'public.people', key: 'id' } };
  const orders = (of: object) => ({ 'public.orders': { of, columns: { id: { category: 'none' } } } });
  const intentOf = (tables: object, people: object = subjects) => ({
    tenant: 'default',
    contributors: [columnComments, mapNames],
    read: mapOf({ subjects: people, tables }),
  });
  const problemsOf = async (...given: Parameters<typeof intentOf>) =>
    (await bench.plan(intentOf(...given))).problems.map(({ target, reason }) => `${target}: ${reason}`);
  assert.deepEqual(await problemsOf(orders({ person: 'person_id' })), []);
  for (const [of, told] of [
    [{ person: 'nocol' }, /^public\.orders: the path nocol of the map leads to no person: .*nocol/],
    [{ person: 'person_id -> persons.id' }, /^public\.orders: the path .* leads to no person: there is no table public\.persons/],
  ] as const) {
    const [problem = '', ...others] = await problemsOf(orders(of));
    assert.match(problem, told);
    assert.deepEqual(others, []);
    await assert.rejects(bench.apply(intentOf(orders(of))), (error) => isSafekeepError(error, 'plan-blocked'));
  }
  const strange = { person: { table: 'public.people', key: 'number' }, ghost: { table: 'public.ghosts', key: 'id' } };
  assert.deepEqual(await problemsOf(orders({ person: 'person_id' }), strange), [
    'public.people: the key of the subject person names number, a column that is not there',
    'public.ghosts: the subject ghost of the map names a table that is not there',
  ]);
});
