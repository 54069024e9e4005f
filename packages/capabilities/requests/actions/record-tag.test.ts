import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { newId } from '@safekeep/core';
import { formatKey, onRelease, releaseHold } from '../../holds/index.ts';
import type { ErasureId } from '../model.ts';
import { insertErasure, type ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { personMark } from './decide.ts';
import { planDue } from './due-erasures.ts';
import { endErasure } from './end-erasure.ts';
import { checkErasures } from './check-erasures.ts';
import { requeueErasures, runErasures } from './open-erasures.ts';

const none = { category: 'none' };
const SCHEMA = `create table people (id bigint primary key, name text not null, email text not null unique);
  create table orders (id bigint primary key, person_id bigint not null references people, note text);
  insert into people values (1, 'Ada Byron', 'ada@example.org'), (2, 'Ben Cole', 'ben@example.org');
  insert into orders values (1, 1, 'of Ada'), (2, 2, 'of Ben')`;
const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'name' } },
  outside: { crm: { kind: 'command', of: 'person', at: '/bin/false {key}', export: false, erase: true } },
  tables: {
    'public.people': { columns: { id: none, name: { category: 'user.name' }, email: { category: 'user.contact.email' } } },
    'public.orders': { of: { person: 'person_id' }, columns: { id: none, person_id: none, note: { category: 'user' } } },
  },
};

/** Ada is erased, and the place outside does not answer: a record is open that whoever writes to our tables may copy from. */
async function openErasure(t: TestContext): Promise<Workbench & { readonly real: ErasureRecord }> {
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  assert.equal((await bench.erase('person:1')).state, 'outside');
  const { rows } = await bench.pool.query(
    `select erasure_id as id, plan_hash as "planHash", state, mode, subject_type as type, subject_key as key, subject_mark as mark, holds,
       progress, certificate, planned_by as "plannedBy", approved_by as "approvedBy", started_at as "startedAt",
       finished_at as "finishedAt", due_at as due, is_undated as "isUndated", tag from safekeep.erasures`,
  );
  return { ...bench, real: rows[0] };
}

/** As the login of the worker could write it, who is no member of the owner. */
async function forge(bench: Workbench, record: ErasureRecord): Promise<ErasureId> {
  await inTransaction(bench.database, { tenant: 'default' }, async (client) => {
    await client.query('set local role safekeep_app');
    await insertErasure(client, 'default', record);
  });
  return record.id;
}

test('a record that this home did not write is named; nothing is signed, told outside or erased because of it, and it can be taken away', async (t) => {
  const bench = await openErasure(t);
  const { real, ground } = bench;
  const { document } = real.certificate as { readonly document: object };
  const ben = { key: formatKey(['2']), mark: personMark(ground.ledger, 'default', { type: 'person', key: ['2'] }) };
  const forged = [
    // An erasure that never was, to have it signed; with and without the tag of a real one.
    { state: 'committed', certificate: { document: { ...document, subject: { type: 'person', mark: ben.mark } } }, ...ben },
    { state: 'committed', certificate: { document }, ...ben, tag: null },
    // One that a hold is said to have put off, so that it is carried out unasked; and places outside of a stranger.
    { state: 'due', certificate: null, ...ben },
    { state: 'outside', key: ben.key },
    { state: 'running', certificate: null, progress: { large: [], finished: [], tables: [], rows: 0, roots: [] }, ...ben },
  ] as const;
  const ids: ErasureId[] = [];
  for (const part of forged) ids.push(await forge(bench, { ...real, ...part, id: newId<'erasure'>() }));
  const before = [await bench.rows('people'), await bench.rows('orders'), await readdir(ground.certificateDirectory)];
  const { erasures } = await runErasures(ground);
  const faults = new Map(erasures.map(({ id, error }) => [id, error]));
  assert.deepEqual(
    ids.map((id) => faults.get(id)),
    ids.map(() => 'erasure-unproven'),
  );
  assert.equal(faults.get(real.id), null, 'the real one goes on');
  const after = [await bench.rows('people'), await bench.rows('orders'), await readdir(ground.certificateDirectory)];
  assert.deepEqual(after, before);
  const checked = await checkErasures(ground);
  assert.deepEqual(checked.erasures.map(({ id }) => id).toSorted(), ids.toSorted());
  assert.deepEqual(checked.missing, []);
  const { hash } = await bench.plan('person:2');
  await assert.rejects(bench.approve('person:2', hash), { code: 'erasure-unproven' }, 'what is begun is theirs to go on with');
  for (const erasure of ids) await endErasure(ground, { erasure, because: 'not-ours', actor: { by: 'ann' } });
  assert.equal((await bench.approve('person:2', hash)).state, 'outside');
});

test('a record whose plan, person or certificate is changed is named, and so is one that is taken away', async (t) => {
  const bench = await openErasure(t);
  await bench.pool.query('create table kept as select * from safekeep.erasures');
  for (const change of [
    `subject_key = '2'`,
    `subject_mark = repeat('a', 64)`,
    `plan_hash = repeat('b', 64)`,
    `certificate = jsonb_set(certificate, '{document,mode}', '"delete"')`,
    `certificate = certificate - 'signature'`,
    `tag = null`,
  ]) {
    await bench.pool.query(`update safekeep.erasures set ${change}`);
    assert.deepEqual((await runErasures(bench.ground)).erasures[0]?.error, 'erasure-unproven', change);
    assert.equal((await checkErasures(bench.ground)).erasures.length, 1, change);
    await bench.pool.query(`update safekeep.erasures as e set subject_key = k.subject_key, subject_mark = k.subject_mark,
      plan_hash = k.plan_hash, certificate = k.certificate, tag = k.tag from kept as k`);
  }
  assert.deepEqual((await checkErasures(bench.ground)).erasures, []);
  const { real } = bench;
  await bench.pool.query('delete from safekeep.erasure_calls; delete from safekeep.erasures');
  assert.deepEqual(await checkErasures(bench.ground), { erasures: [], missing: [real.id] });
});

test('an erasure that is said to be done, and was not, is named; one that a later one ended, or somebody, is not', async (t) => {
  const bench = await openErasure(t);
  const { ground } = bench;
  const forget = (state = 'done'): Promise<unknown> =>
    inTransaction(bench.database, { tenant: 'default' }, async (client) => {
      await client.query('set local role safekeep_app');
      await client.query(`update safekeep.erasures set state = $1, subject_key = null where state <> 'done'`, [state]);
    });
  await forget('unfulfilled');
  assert.equal((await checkErasures(ground)).erasures.length, 1, 'it stands in no list of what is open');
  await forget();
  const open = await checkErasures(ground);
  assert.deepEqual(
    open.erasures.map(({ id, error }) => [id, error]),
    [[bench.real.id, 'erasure-unproven']],
    'a place outside was never told',
  );
  await bench.pool.query(
    `update safekeep.erasures set decision = '{"because": "gone", "by": "x", "at": "2026-06-01", "proof": null}'`,
  );
  assert.deepEqual((await checkErasures(ground)).erasures, []);
  const approvers = { ...ground, approvers: [ground.signer.verifierKey] };
  assert.equal((await checkErasures(approvers)).erasures.length, 1, 'a decision that no approver signed');
  await bench.pool.query('update safekeep.erasures set decision = null');
  const inside = await bench.refresh({ ...MAP, outside: {} });
  assert.equal((await bench.erase('person:1', 'anonymise', inside)).state, 'done');
  assert.deepEqual((await checkErasures(ground)).erasures, [], 'what a later one had in its plan');
  await bench.hold('person:2');
  await assert.rejects(bench.erase('person:2', 'anonymise', inside), { code: 'erasure-held' });
  await forget();
  assert.equal((await checkErasures(ground)).erasures.length, 1, 'what a hold put off');
});

test('what somebody wrote into the same rows after an erasure whose place outside does not answer is erased by the approval that follows', async (t) => {
  const people = { ...MAP.tables['public.people'], on_erasure: { keep: 'legal_obligation' } };
  const bench = await workbench(t, { schema: SCHEMA, map: { ...MAP, tables: { ...MAP.tables, 'public.people': people } } });
  const { hash } = await bench.plan('person:1');
  const first = await bench.approve('person:1', hash);
  assert.equal(first.state, 'outside');
  await bench.pool.query(`update orders set note = 'of Ada again' where id = 1`);
  // Their own row stays as it is, and so do the plan and its hash.
  assert.equal((await bench.plan('person:1')).hash, hash);
  const second = await bench.approve('person:1', hash);
  assert.notEqual(second.erasure, first.erasure);
  assert.deepEqual(await bench.rows('orders', 'note is not null'), ['(2,2,"of Ben")']);
  assert.equal((await bench.approve('person:1', hash)).erasure, second.erasure, 'asked again it is the answer');
});

const DUTY = {
  ...MAP,
  outside: {},
  tables: {
    ...MAP.tables,
    'public.orders': {
      of: { person: 'person_id' },
      on_erasure: { keep: 'legal_obligation', until: 'at + 1y' },
      columns: { id: none, person_id: none, note: { category: 'user' }, at: none },
    },
  },
};

test('of whom a program cannot say whose what is left is, somebody says it, and it is not asked again', async (t) => {
  const bench = await workbench(t, { schema: `${SCHEMA}; alter table orders add at date default '2026-06-01'`, map: DUTY });
  const { ground } = bench;
  const { erasure: text } = await bench.erase('person:1');
  const erasure = text as ErasureId; // As the record has it.
  const end = { erasure, because: 'came-back', actor: { by: 'ann' } } as const;
  await assert.rejects(endErasure(ground, end), { code: 'erasure-certain' }, 'a duty that goes on');
  bench.clock.set('2027-06-01T00:00:00Z');
  await assert.rejects(endErasure(ground, end), { code: 'erasure-certain', message: /it can go on/ });
  await bench.pool.query(`update people set name = 'Ada Byron', email = 'ada@new.example' where id = 1`);
  const { persons } = await planDue(ground, { by: 'ann' });
  assert.deepEqual([persons[0]?.state, persons[0]?.erasure], ['ambiguous', erasure]);
  const wrong = { ...end, because: 'gone' } as const;
  await assert.rejects(endErasure(ground, wrong), { code: 'erasure-certain', message: /--because came-back or somebody-else/ });
  const approvers = { ...ground, approval: 'second-person', approvers: [ground.signer.verifierKey] } as const;
  await assert.rejects(endErasure(approvers, end), { code: 'approval-unproven' });
  const rows = [await bench.rows('people'), await bench.rows('orders')];
  assert.deepEqual(await endErasure(approvers, { ...end, actor: { by: 'x', signer: ground.signer } }), {
    erasure,
    because: 'came-back',
    by: ground.signer.keyName,
    state: 'done',
  });
  assert.deepEqual([await bench.rows('people'), await bench.rows('orders')], rows, 'nothing is erased');
  assert.deepEqual((await planDue(ground, { by: 'ann' })).persons, []);
  await assert.rejects(endErasure(ground, end), { code: 'erasure-unknown' });
  const { rows: decided } = await bench.pool.query(
    `select state, decision ->> 'because' as because, subject_key from safekeep.erasures`,
  );
  assert.deepEqual(decided, [{ state: 'done', because: 'came-back', subject_key: null }]);
});

test('of whom no row is there any more is asked about no longer once somebody has looked', async (t) => {
  const bench = await workbench(t, {
    schema: `${SCHEMA}; alter table orders add at date default '2026-06-01', drop constraint orders_person_id_fkey`,
    map: DUTY,
  });
  const { erasure: text } = await bench.erase('person:1');
  const erasure = text as ErasureId; // As the record has it.
  bench.clock.set('2027-06-01T00:00:00Z');
  await bench.pool.query('delete from people where id = 1');
  assert.equal((await planDue(bench.ground, { by: 'ann' })).persons[0]?.error, 'subject-unknown');
  const end = { erasure, because: 'gone', actor: { by: 'ann' } } as const;
  assert.equal((await endErasure(bench.ground, end)).state, 'done');
  assert.deepEqual((await planDue(bench.ground, { by: 'ann' })).persons, []);
});

for (const [how, goOn] of [
  ['that somebody approved', async (bench: Workbench) => (await bench.erase('person:1')).state],
  ['that went on by itself', async (bench: Workbench) => (await runErasures(bench.ground)).erasures[0]?.state],
] as const)
  test(`what a hold had put off stays due where the erasure after it ${how} is unfulfilled, and ends with one that is not`, async (t) => {
    t.after(onRelease(requeueErasures));
    const late: { row?: string; pool?: Workbench['pool'] } = {};
    const part = {
      name: 'late',
      plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
      within: async (_client: unknown, moment: string) => {
        if (moment === 'after-rows' && late.row !== undefined) await late.pool?.query(late.row);
        return { counts: {}, keysDestroyed: [], horizon: null };
      },
      after: async () => undefined,
      recheck: async () => [],
    };
    const bench = await workbench(t, {
      schema: `${SCHEMA}; alter table orders drop constraint orders_person_id_fkey`,
      map: { ...MAP, outside: {} },
      ports: { participants: [part] },
    });
    const hold = await bench.hold('person:1');
    const { hash } = await bench.plan('person:1');
    await assert.rejects(bench.approve('person:1', hash), { code: 'erasure-held' });
    await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id: hold, by: 'ann', reason: 'over' });
    late.pool = bench.pool;
    late.row = `insert into orders select max(id) + 1, 1, 'late' from orders`;
    assert.equal(await goOn(bench), 'unfulfilled');
    delete late.row;
    const states = async (): Promise<string[]> => {
      const { rows } = await bench.pool.query('select state from safekeep.erasures order by erasure_id');
      return rows.map(({ state }) => state);
    };
    assert.deepEqual(await states(), ['due', 'unfulfilled']);
    assert.equal((await runErasures(bench.ground)).erasures[0]?.state, 'done');
    assert.deepEqual(await bench.rows('orders', 'note is not null'), ['(2,2,"of Ben")']);
    assert.deepEqual((await runErasures(bench.ground)).erasures, []);
  });

test('where the machine stopped after the commit, what a hold had put off is not carried out a second time', async (t) => {
  t.after(onRelease(requeueErasures));
  const bench = await workbench(t, { schema: SCHEMA, map: { ...MAP, outside: {} } });
  const hold = await bench.hold('person:1');
  const { hash } = await bench.plan('person:1');
  await assert.rejects(bench.approve('person:1', hash), { code: 'erasure-held' });
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id: hold, by: 'ann', reason: 'over' });
  const again = await bench.plan('person:1');
  const onCommitted = (): void => {
    throw new Error('no certificate yet');
  };
  await assert.rejects(bench.approve('person:1', again.hash, { onCommitted }), /no certificate yet/);
  await runErasures(bench.ground);
  const { rows } = await bench.pool.query('select state from safekeep.erasures order by erasure_id');
  assert.deepEqual(
    rows.map(({ state }) => state),
    ['done', 'done'],
  );
});
