import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, type ErrorCode } from '@safekeep/core';
import { columnComments } from '../contributors/column-comments.ts';
import { complianceFields } from '../contributors/compliance-fields.ts';
import { wish } from '../testing/contributors.ts';
import { workbench } from '../testing/workbench.ts';

const PATIENTS = `create table patients (id integer primary key, name text not null); comment on column patients.name is 'own'`;
const MAP = { 'public.patients': { columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' } } } };

function refused(code: ErrorCode, part: string) {
  return (error: unknown): boolean => isSafekeepError(error, code) && error.message.includes(part);
}

test('drift is told by object, with what stood and what is found, and only drift is not ok', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const intent = bench.intent(MAP);
  const fresh = await bench.status(intent);
  assert.deepEqual([fresh.ok, fresh.drift, fresh.pending.length], [true, [], 2], 'what is pending has not drifted');
  await bench.apply(intent);
  await bench.pool.query(`
    comment on column patients.name is 'another';
    comment on column patients.id is null;
    alter table patients add column phone text, alter column name type varchar(80)`);
  const { ok, drift, pending } = await bench.status(intent);
  assert.equal(ok, false);
  assert.deepEqual(pending, []);
  assert.deepEqual(
    drift.map(({ object, change, expected, found }) => [object, change, expected, found]),
    [
      ['column-comment:public.patients.id', 'vanished', '[safekeep category=user.unique_id protect=none]', null],
      ['column-comment:public.patients.name', 'changed', 'own\n[safekeep category=user.name protect=none]', 'another'],
      ['column public.patients.name', 'changed', 'text', 'character varying(80)'],
      ['column public.patients.phone', 'added', null, 'text'],
    ],
  );
  for (const { remedy } of drift) assert.ok(remedy.length > 20);
});

test('a column added by hand stays drift until the map names it, whatever else is applied', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  await bench.apply(bench.intent({ 'public.patients': { columns: { name: { category: 'user.name' } } } }));
  await bench.pool.query('alter table patients add column phone text');
  await bench.apply(bench.intent(MAP));
  assert.deepEqual(
    (await bench.status(bench.intent(MAP))).drift.map(({ object }) => object),
    ['column public.patients.phone'],
  );
  const classified = bench.intent({
    'public.patients': { columns: { ...MAP['public.patients'].columns, phone: { category: 'none', note: 'x' } } },
  });
  await bench.apply(classified);
  assert.equal((await bench.status(classified)).ok, true);
});

test('what encryption puts beside a column is neither drift nor known to the next apply; plaintext under such a name is drift', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const { id } = MAP['public.patients'].columns;
  const name = { category: 'user.name', protect: 'client', search: ['exact'] };
  const intent = bench.intent({ 'public.patients': { columns: { id, name } } });
  await bench.apply(intent);
  await bench.pool.query('alter table patients add column name_encrypted bytea, add column name_exact_index bigint');
  assert.deepEqual((await bench.status(intent)).drift, []);
  await bench.apply(bench.intent({ 'public.patients': { columns: { id, name: { ...name, note: 'as encrypted' } } } }));
  await bench.pool.query('alter table patients drop column name_encrypted, drop column name_exact_index');
  assert.deepEqual((await bench.status(intent)).drift, [], 'decrypted again');
  await bench.pool.query('alter table patients add column name_encrypted text, add column name_year_index bigint');
  assert.deepEqual(
    (await bench.status(intent)).drift.map(({ object, change }) => [object, change]),
    [
      ['column public.patients.name_encrypted', 'added'],
      ['column public.patients.name_year_index', 'added'],
    ],
  );
});

test('a table that is dropped or renamed is drift', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  await bench.apply(bench.intent(MAP));
  await bench.pool.query('alter table patients rename to people');
  assert.deepEqual(
    (await bench.status(bench.intent(MAP))).drift.map(({ object, change }) => [object, change]),
    [
      ['column-comment:public.patients.id', 'vanished'],
      ['column-comment:public.patients.name', 'vanished'],
      ['table public.patients', 'vanished'],
    ],
  );
  await assert.rejects(bench.unapply(), refused('unapply-drifted', 'public.patients.name'));
  const renamed = bench.intent({ 'public.people': MAP['public.patients'] });
  await bench.apply(renamed);
  await bench.unapply();
  const { rows } = await bench.pool.query(
    `select col_description('people'::regclass, 1) as id, col_description('people'::regclass, 2) as name`,
  );
  assert.deepEqual(rows, [{ id: null, name: 'own' }], 'the mark came along with the rename and went with it');
});

test('a comment that the user changed since is not overwritten: unapply refuses, and after an apply gives the new one back', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  await bench.apply(bench.intent(MAP));
  await bench.pool.query(`comment on column patients.name is 'own, but better'`);
  await assert.rejects(bench.unapply(), refused('unapply-drifted', 'patients.name'));
  await bench.apply(bench.intent(MAP));
  await bench.unapply();
  assert.equal(
    (await bench.pool.query(`select col_description('patients'::regclass, 2) as comment`)).rows[0]?.comment,
    'own, but better',
  );
});

test('while something is held nothing is taken out', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  await bench.apply(bench.intent(MAP));
  const applied = await bench.userState();
  const held = async () => [{ target: 'patient:42', reason: 'lawsuit' }];
  await assert.rejects(bench.unapply(held), refused('unapply-held', 'patient:42 (lawsuit)'));
  const sealed = async () => [{ target: 'public.patients', reason: 'sealed', remedy: 'Decrypt it.' }];
  await assert.rejects(
    bench.unapply(sealed),
    (error) => isSafekeepError(error, 'unapply-held') && error.remedy.startsWith('Decrypt it. Then'),
  );
  let asked = 0;
  const late = async () => ((asked += 1) === 2 ? [{ target: 'patient:43', reason: 'placed in between' }] : []);
  await assert.rejects(bench.unapply(late), refused('unapply-held', 'patient:43'));
  assert.deepEqual(await bench.userState(), applied);
});

test('what the user built since the first apply is theirs: it stays, and is named', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const intent = bench.intent(MAP, [columnComments, complianceFields(() => 'columns')]);
  await bench.apply(intent);
  await bench.pool.query(
    'alter table patients add column phone text; alter table patients alter column name drop not null; create table extra (id integer)',
  );
  const out = await bench.unapply();
  assert.equal(out.restored, false);
  assert.ok(out.changedSince.includes('added: column public.patients.phone'));
  assert.ok(out.changedSince.includes('added: table public.extra'));
  assert.ok(out.changedSince.includes('changed: column public.patients.name'));
});

test('a way back that does not bring back what was there is found before it is committed', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const sloppy = wish({
    id: 'sloppy:1',
    kind: 'sloppy',
    target: 'public.patients',
    definition: '',
    probe: { sql: 'select 1 as place, $1::text as state, false as disabled', key: [] },
    create: ['alter table public.patients add column ours integer'],
    remove: ['alter table public.patients drop column name'],
    locks: [{ schema: 'public', table: 'patients', mode: 'ACCESS EXCLUSIVE' }],
  });
  await bench.apply(bench.intent(MAP, [() => ({ objects: [sloppy], problems: [], notes: [] })]));
  const applied = await bench.userState();
  await assert.rejects(bench.unapply(), refused('unapply-differs', 'column public.patients.name'));
  assert.deepEqual(await bench.userState(), applied);
});
