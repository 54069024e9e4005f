import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { onRelease, releaseHold } from '../../holds/index.ts';
import type { ErasureParticipant } from '../model.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { checkErasures } from './check-erasures.ts';
import { eraseDue, planDue, whatIsDue } from './due-erasures.ts';
import { dateUndated } from './undated.ts';
import { listErasures, requeueErasures, runErasures } from './open-erasures.ts';

const none = { category: 'none' };
/** No foreign key leads from the invoices to the person. */
const SCHEMA = `create table people (id bigint primary key, name text not null);
  create table invoices (id bigint primary key, person_id bigint not null, payer text, issued_on date);
  insert into people values (1, 'Ada Byron'), (2, 'Ben Cole');
  insert into invoices values (1, 1, 'Ada B.', '2017-01-31'), (2, 1, 'Ada B.', '2020-05-02'), (3, 1, 'Ada B.', '2010-01-01'), (4, 2, 'Ben C.', '2017-01-31')`;
const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': { columns: { id: none, name: { category: 'user.name' } } },
    'public.invoices': {
      of: { person: 'person_id' },
      on_erasure: { keep: 'legal_obligation', cite: 'tax code', until: 'issued_on + 10y' },
      columns: { id: none, person_id: none, payer: { category: 'user.name' }, issued_on: none },
    },
  },
};

async function erasedOnce(t: TestContext, mode: 'anonymise' | 'delete' = 'anonymise'): Promise<Workbench> {
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  const { state, due } = await bench.erase('person:1', mode);
  assert.deepEqual([state, due], ['kept', '2027-01-31T00:00:00.000Z']);
  return bench;
}

test('what a duty keeps is due on the day on which it ends, planned first and erased then; what is kept longer is due later', async (t) => {
  const bench = await erasedOnce(t);
  const { ground, clock } = bench;
  assert.deepEqual(await bench.rows('invoices'), [
    '(1,1,"Ada B.",2017-01-31)',
    '(2,1,"Ada B.",2020-05-02)',
    '(3,1,,2010-01-01)',
    '(4,2,"Ben C.",2017-01-31)',
  ]);
  const dates: (string | undefined)[] = [];
  for await (const { entry } of ground.ledger.read()) if (entry.kind === 'done') dates.push(entry.ids['due']);
  assert.deepEqual(dates, ['2027-01-31'], 'the ledger knows the day');

  clock.set('2027-01-30T23:59:59Z');
  assert.deepEqual(await planDue(ground, { by: 'ann' }), {
    hash: null,
    persons: [],
    more: false,
    next: '2027-01-31T00:00:00.000Z',
  });
  clock.set('2027-01-31T00:00:00Z');
  assert.deepEqual(await whatIsDue(ground), { due: 1, next: null, undated: 0 });
  assert.deepEqual((await runErasures(ground)).erasures, [], 'nobody has looked at it');
  const planned = await planDue(ground, { by: 'ann' });
  assert.deepEqual(
    planned.persons.map(({ subject, state }) => [subject, state]),
    [['person:1', 'planned']],
  );
  assert.equal((await bench.rows('invoices', 'payer is null')).length, 1, 'a plan changes nothing');
  const done = await eraseDue(ground, { hash: planned.hash ?? '', by: 'ben' });
  assert.deepEqual(
    done.persons.map(({ state, error }) => [state, error]),
    [['kept', null]],
  );
  assert.deepEqual(await bench.rows('invoices', 'payer is not null'), ['(2,1,"Ada B.",2020-05-02)', '(4,2,"Ben C.",2017-01-31)']);

  clock.set('2030-05-02T08:00:00Z');
  const last = await planDue(ground, { by: 'ann' });
  assert.equal(last.persons.length, 1, 'one erasure of a person waits, not one for each time');
  assert.deepEqual(
    (await eraseDue(ground, { hash: last.hash ?? '', by: 'ben' })).persons.map(({ state }) => state),
    ['done'],
  );
  assert.deepEqual(await bench.rows('invoices', 'payer is not null'), ['(4,2,"Ben C.",2017-01-31)']);
  const { erasures } = await listErasures(ground, { open: false });
  assert.deepEqual(
    erasures.map(({ state }) => state),
    ['done', 'done', 'done'],
  );
});

test('the row of a person whose rows are kept stays, empty, so that they are found when the duty ends, and goes with the last of them', async (t) => {
  const bench = await erasedOnce(t, 'delete');
  assert.deepEqual(await bench.rows('people'), ['(1,erased)', '(2,"Ben Cole")']);
  assert.equal((await bench.rows('invoices', 'person_id = 1')).length, 2);
  bench.clock.set('2040-01-01T00:00:00Z');
  const { hash } = await planDue(bench.ground, { by: 'ann' });
  const { persons } = await eraseDue(bench.ground, { hash: hash ?? '', by: 'ben' });
  assert.deepEqual(
    persons.map(({ state }) => state),
    ['done'],
  );
  assert.deepEqual(
    [...(await bench.rows('people')), ...(await bench.rows('invoices'))],
    ['(2,"Ben Cole")', '(4,2,"Ben C.",2017-01-31)'],
  );
});

test('where a second person is asked for, who planned what is due cannot approve it', async (t) => {
  const bench = await erasedOnce(t);
  bench.clock.set('2027-02-01T00:00:00Z');
  const ground = { ...bench.ground, approval: 'second-person' } as const;
  const hash = (await planDue(ground, { by: 'ann' })).hash ?? '';
  const alone = await eraseDue(ground, { hash, by: 'ann' });
  assert.deepEqual(
    alone.persons.map(({ state, error }) => [state, error]),
    [['failed', 'second-person-needed']],
  );
  assert.equal((await bench.rows('invoices', 'payer is null')).length, 1);
  assert.equal((await eraseDue(ground, { hash, by: 'ben' })).persons[0]?.state, 'kept');
});

test('rows that came since, and a hold since, are not erased under an approval of before', async (t) => {
  const bench = await erasedOnce(t);
  bench.clock.set('2027-02-01T00:00:00Z');
  const hash = (await planDue(bench.ground, { by: 'ann' })).hash ?? '';
  await bench.pool.query("insert into invoices values (9, 1, 'Ada B.', '2026-12-31')");
  await assert.rejects(eraseDue(bench.ground, { hash, by: 'ben' }), { code: 'erasure-plan-changed' });
  await bench.hold('person:1');
  const held = await planDue(bench.ground, { by: 'ann' });
  assert.deepEqual([held.hash, held.persons[0]?.state], [null, 'held']);
  await assert.rejects(eraseDue(bench.ground, { hash, by: 'ben' }), { code: 'erasure-plan-changed' });
  assert.equal((await bench.rows('invoices', 'payer is null')).length, 1);
});

test('somebody who is erased again meanwhile waits once, and one who cannot be planned is told', async (t) => {
  const bench = await erasedOnce(t);
  await bench.pool.query("update people set name = 'Ada again' where id = 1");
  assert.equal((await bench.erase('person:1')).state, 'kept');
  const { erasures } = await listErasures(bench.ground, { open: true });
  assert.deepEqual(
    erasures.map(({ state, due }) => [state, due]),
    [['kept', '2027-01-31T00:00:00.000Z']],
  );
  bench.clock.set('2027-02-01T00:00:00Z');
  await bench.pool.query('delete from people where id = 1');
  const { persons, hash } = await planDue(bench.ground, { by: 'ann' });
  assert.deepEqual([hash, persons.map(({ state, error }) => [state, error])], [null, [['failed', 'subject-unknown']]]);
});

for (const [type, far] of [
  ['date', '9999-12-31'],
  ['date', '5874897-12-31'],
  ['timestamptz', '9999-12-31'],
] as const)
  test(`a duty that begins on a day that stands for never (${type} ${far}) is due on no day, and what ends before is due first`, async (t) => {
    const schema = SCHEMA.replace('issued_on date', `issued_on ${type}`).replace('2017-01-31', far);
    const bench = await workbench(t, { schema, map: MAP });
    const { kept } = await bench.plan('person:1');
    assert.deepEqual(
      kept.map(({ until }) => until),
      ['infinity'],
    );
    assert.equal((await bench.erase('person:1')).due, '2030-05-02T00:00:00.000Z');
  });

test('a duty that never ends is due on no day', async (t) => {
  const schema = SCHEMA.replaceAll(/'2017-01-31'|'2020-05-02'|'2010-01-01'/g, "'infinity'");
  const bench = await workbench(t, { schema, map: MAP });
  const { state, due } = await bench.erase('person:1');
  assert.deepEqual([state, due], ['done', null]);
  assert.deepEqual((await checkErasures(bench.ground)).erasures, [], 'its certificate leaves nothing open');
});

async function undated(t: TestContext): Promise<Workbench> {
  const bench = await workbench(t, { schema: SCHEMA.replace("'Ada B.', '2017-01-31'", "'Ada B.', null"), map: MAP });
  await bench.pool.query('delete from invoices where id = 2');
  const { state, due } = await bench.erase('person:1');
  assert.deepEqual([state, due], ['kept', null]);
  assert.deepEqual(await whatIsDue(bench.ground), { due: 0, next: null, undated: 1 });
  const { persons, next } = await planDue(bench.ground, { by: 'ann' });
  assert.deepEqual([persons, next], [[], null]);
  return bench;
}

test('a row whose date comes later is due when its duty has ended, whoever looks first', async (t) => {
  const bench = await undated(t);
  await bench.pool.query(`update invoices set issued_on = '2018-03-04' where id = 1`);
  // As the worker does, who has no ledger.
  assert.deepEqual(await dateUndated(bench.ground), []);
  assert.deepEqual(await whatIsDue(bench.ground), { due: 0, next: '2028-03-04T00:00:00.000Z', undated: 0 });
  bench.clock.set('2028-03-04T00:00:00Z');
  const { hash } = await planDue(bench.ground, { by: 'ann' });
  assert.equal((await eraseDue(bench.ground, { hash: hash ?? '', by: 'ben' })).persons[0]?.state, 'done');
  assert.deepEqual(await bench.rows('invoices', 'person_id = 1 and payer is not null'), []);
});

test('a date of long ago that is filled in late is due at once, also while another row has none', async (t) => {
  const bench = await undated(t);
  await bench.pool.query(`insert into invoices values (8, 1, 'Ada B.', '2001-01-01')`);
  const { hash, persons } = await planDue(bench.ground, { by: 'ann' });
  assert.equal(persons[0]?.state, 'planned');
  assert.equal((await eraseDue(bench.ground, { hash: hash ?? '', by: 'ben' })).persons[0]?.state, 'kept');
  assert.deepEqual(await bench.rows('invoices', 'person_id = 1 and payer is not null'), ['(1,1,"Ada B.",)']);
  assert.deepEqual(await whatIsDue(bench.ground), { due: 0, next: null, undated: 1 });
});

test('of whom no day can be told any more is named', async (t) => {
  const bench = await undated(t);
  await bench.pool.query('delete from people where id = 1');
  const { persons } = await planDue(bench.ground, { by: 'ann' });
  assert.deepEqual(
    persons.map(({ state, error, due }) => [state, error, due]),
    [['failed', 'subject-unknown', null]],
  );
});

test('what a duty keeps is due also while a hold keeps another row, and waits once', async (t) => {
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  await bench.hold('public.invoices:3');
  const first = await bench.erase('person:1');
  assert.deepEqual([first.state, first.due], ['held', '2027-01-31T00:00:00.000Z']);
  assert.equal((await whatIsDue(bench.ground)).next, '2027-01-31T00:00:00.000Z');
  bench.clock.set('2027-02-01T00:00:00Z');
  const { hash, persons } = await planDue(bench.ground, { by: 'ann' });
  assert.equal(persons[0]?.state, 'planned');
  assert.equal((await eraseDue(bench.ground, { hash: hash ?? '', by: 'ben' })).persons[0]?.state, 'held');
  assert.deepEqual(await bench.rows('invoices', 'id = 1'), ['(1,1,,2017-01-31)']);
  const { erasures } = await listErasures(bench.ground, { open: true });
  assert.deepEqual(
    erasures.map(({ state, due }) => [state, due]),
    [['held', '2030-05-02T00:00:00.000Z']],
  );
});

test('what a duty kept stays due when that has ended and a hold keeps it by then, and stands in front of nobody', async (t) => {
  const bench = await erasedOnce(t);
  await bench.pool.query('delete from invoices where id = 2');
  const id = await bench.hold('public.invoices:1');
  assert.equal((await bench.erase('person:2')).state, 'kept');
  bench.clock.set('2027-02-01T00:00:00Z');
  const first = await planDue(bench.ground, { by: 'ann' });
  assert.deepEqual(
    first.persons.map(({ subject, state }) => [subject, state]),
    [
      ['person:1', 'held'],
      ['person:2', 'planned'],
    ],
  );
  assert.equal((await eraseDue(bench.ground, { hash: first.hash ?? '', by: 'ben' })).persons[1]?.state, 'done');
  assert.deepEqual(await whatIsDue(bench.ground), { due: 1, next: null, undated: 0 });
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  const { hash } = await planDue(bench.ground, { by: 'ann' });
  assert.equal((await eraseDue(bench.ground, { hash: hash ?? '', by: 'ben' })).persons[0]?.state, 'done');
  assert.deepEqual(await bench.rows('invoices', 'payer is not null'), []);
});

test('what a duty keeps is due also while a place outside does not answer', async (t) => {
  const crm = { kind: 'command', of: 'person', at: '/bin/sh -c false', export: false, erase: true };
  const bench = await workbench(t, { schema: SCHEMA, map: { ...MAP, outside: { crm } } });
  assert.equal((await bench.erase('person:1')).state, 'outside');
  bench.clock.set('2027-02-01T00:00:00Z');
  const { hash } = await planDue(bench.ground, { by: 'ann' });
  assert.equal((await eraseDue(bench.ground, { hash: hash ?? '', by: 'ben' })).persons[0]?.state, 'outside');
  const { due, next } = await whatIsDue(bench.ground);
  assert.deepEqual([due, next], [0, '2030-05-02T00:00:00.000Z']);
});

test('an erasure that is unfulfilled does not make anybody forget what a duty keeps', async (t) => {
  const late: { pool?: Workbench['pool']; row?: string } = {};
  const part: ErasureParticipant = {
    name: 'late',
    plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
    within: async (_client, moment) => {
      if (moment === 'after-rows' && late.row !== undefined) await late.pool?.query(late.row);
      return { counts: {}, keysDestroyed: [], horizon: null };
    },
    after: async () => undefined,
    recheck: async () => [],
  };
  const bench = await workbench(t, { schema: SCHEMA, map: MAP, ports: { participants: [part] } });
  late.pool = bench.pool;
  // One more in each transaction of the erasure, however often it looks.
  late.row = `insert into invoices select max(id) + 1, 1, 'Ada B.', '2001-01-01' from invoices`;
  assert.equal((await bench.erase('person:1')).state, 'unfulfilled');
  assert.equal((await whatIsDue(bench.ground)).next, '2027-01-31T00:00:00.000Z');
  assert.deepEqual((await runErasures(bench.ground)).erasures, [], 'it is not signed after all');
  bench.clock.set('2040-02-01T00:00:00Z');
  const first = await planDue(bench.ground, { by: 'ann' });
  assert.equal((await eraseDue(bench.ground, { hash: first.hash ?? '', by: 'ben' })).persons[0]?.state, 'unfulfilled');
  delete late.row;
  const again = await planDue(bench.ground, { by: 'ann' });
  assert.equal((await eraseDue(bench.ground, { hash: again.hash ?? '', by: 'ben' })).persons[0]?.state, 'done');
  assert.deepEqual(await bench.rows('invoices', 'person_id = 1 and payer is not null'), []);
  assert.deepEqual(await whatIsDue(bench.ground), { due: 0, next: null, undated: 0 });
});

test('a duty that the map prolongs is told as not yet due, and no certificate is given for nothing', async (t) => {
  const bench = await erasedOnce(t);
  const longer = JSON.parse(JSON.stringify(MAP).replace('10y', '15y')) as object;
  const ground = await bench.refresh(longer);
  bench.clock.set('2027-02-01T00:00:00Z');
  const { hash, persons } = await planDue(ground, { by: 'ann' });
  assert.deepEqual([hash, persons.map(({ state, due }) => [state, due])], [null, [['not-yet', '2032-01-31T00:00:00.000Z']]]);
  assert.deepEqual(await planDue(ground, { by: 'ann' }), {
    hash: null,
    persons: [],
    more: false,
    next: '2032-01-31T00:00:00.000Z',
  });
});

test('a duty that the map makes one for ever is due no more', async (t) => {
  const bench = await erasedOnce(t);
  const ground = await bench.refresh(JSON.parse(JSON.stringify(MAP).replace(',"until":"issued_on + 10y"', '')) as object);
  bench.clock.set('2027-02-01T00:00:00Z');
  assert.deepEqual(
    (await planDue(ground, { by: 'ann' })).persons.map(({ state, due }) => [state, due]),
    [['not-yet', null]],
  );
  assert.deepEqual(await whatIsDue(ground), { due: 0, next: null, undated: 0 });
});

test('of more rows than are looked at at once plan and ledger know the first day of all', async (t) => {
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  const ground = { ...bench.ground, rowsAtOnce: 2 };
  await bench.pool.query(`insert into invoices values (9, 1, 'Ada B.', '2016-12-24')`);
  const { notes, hash } = await bench.plan('person:1', 'anonymise', ground);
  assert.ok(notes.some((note) => note.includes('can be erased from 2026-12-24 on')));
  assert.equal((await bench.approve('person:1', hash, { ground })).due, '2026-12-24T00:00:00.000Z');
  const dates: (string | undefined)[] = [];
  for await (const { entry } of ground.ledger.read())
    if (entry.kind === 'intent' && entry.operation === 'erasure') dates.push(entry.ids['due']);
  assert.deepEqual(dates, ['2026-12-24']);
});

const VISITS = `create table visits (id bigint primary key, person_id bigint not null, reason text)`;
const VISITED = {
  ...MAP,
  tables: {
    ...MAP.tables,
    'public.visits': { of: { person: 'person_id' }, columns: { id: none, person_id: none, reason: { category: 'user' } } },
  },
};

for (const [how, comes, name] of [
  ['filled their row again', `update people set name = 'Zoe New' where id = 1`, 'Zoe New'],
  ['filled their row with what stood there before', `update people set name = 'Ada Byron' where id = 1`, 'Ada Byron'],
  ['was given the number of their row', `delete from people where id = 1; insert into people values (1, 'Zoe New')`, 'Zoe New'],
] as const)
  test(`whoever ${how} is not erased when a duty ends, by whatever way, and is named`, async (t) => {
    const bench = await workbench(t, { schema: `${SCHEMA}; ${VISITS}`, map: VISITED });
    await bench.erase('person:1');
    await bench.pool.query(`${comes}; insert into visits values (1, 1, 'of Zoe')`);
    bench.clock.set('2027-02-01T00:00:00Z');
    const { hash, persons } = await planDue(bench.ground, { by: 'ann' });
    assert.deepEqual([hash, persons.map(({ state, plan }) => [state, plan])], [null, [['ambiguous', null]]]);
    assert.match(persons[0]?.doubt ?? '', /came back by themselves/);
    assert.deepEqual(
      [...(await bench.rows('people', 'id = 1')), ...(await bench.rows('visits'))],
      [`(1,"${name}")`, '(1,1,"of Zoe")'],
    );
  });

test('a row of their own that a duty keeps is theirs as long as it stands as it was approved', async (t) => {
  const keep = { on_erasure: { keep: 'legal_obligation', until: 'since + 10y' } };
  const map = {
    ...MAP,
    tables: { 'public.people': { ...keep, columns: { id: none, name: { category: 'user.name' }, since: none } } },
  };
  const bench = await workbench(t, {
    schema: `create table people (id bigint primary key, name text not null, since date); insert into people values (1, 'Ada Byron', '2017-01-31')`,
    map,
  });
  assert.equal((await bench.erase('person:1')).state, 'kept');
  bench.clock.set('2027-02-01T00:00:00Z');
  assert.equal((await planDue(bench.ground, { by: 'ann' })).persons[0]?.state, 'planned');
  await bench.pool.query(`update people set name = 'Zoe New'`);
  assert.equal((await planDue(bench.ground, { by: 'ann' })).persons[0]?.state, 'ambiguous');
});

test('when a hold ends nobody else is erased under the number of the person who was held', async (t) => {
  t.after(onRelease(requeueErasures));
  const bench = await erasedOnceHeld(t);
  await bench.pool.query(`update people set name = 'Zoe New' where id = 1`);
  assert.deepEqual(
    (await runErasures(bench.ground)).erasures.map(({ state, error }) => [state, error]),
    [['due', 'erasure-person-unsure']],
  );
  assert.deepEqual(await bench.rows('people', 'id = 1'), ['(1,"Zoe New")']);
  await bench.pool.query(`update people set name = 'erased' where id = 1`);
  assert.deepEqual(
    (await runErasures(bench.ground)).erasures.map(({ state, error }) => [state, error]),
    [['kept', null]],
  );
});

/** One invoice was held, and is not any more. */
async function erasedOnceHeld(t: TestContext): Promise<Workbench> {
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  const id = await bench.hold('public.invoices:3');
  assert.equal((await bench.erase('person:1')).state, 'held');
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  return bench;
}

test('of a person who was held as a whole, and is somebody else when the hold ends, nothing is erased', async (t) => {
  t.after(onRelease(requeueErasures));
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  const { hash } = await bench.plan('person:1');
  const id = await bench.hold('person:1');
  await assert.rejects(bench.approve('person:1', hash), { code: 'erasure-held' });
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  await bench.pool.query(`update people set name = 'Zoe New' where id = 1`);
  assert.equal((await runErasures(bench.ground)).erasures[0]?.error, 'erasure-person-unsure');
  await bench.pool.query(`update people set name = 'Ada Byron' where id = 1`);
  assert.equal((await runErasures(bench.ground)).erasures[0]?.state, 'kept');
});
