import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { transaction } from '@safekeep/postgres';
import { onRelease, releaseHold, type HoldId } from '../../holds/index.ts';
import type { ErasureParticipant, ErasureScope } from '../model.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { readErasures } from '../store/records.ts';
import { beginTurns, inTransaction, tryTurn } from '../store/session.ts';
import { eraseDue, planDue } from './due-erasures.ts';
import { finishInTurn } from './finish-in-turn.ts';
import type { ErasureGround } from './ground.ts';
import { requeueErasures, runErasures } from './open-erasures.ts';

const none = { category: 'none' };
const SCHEMA = `
  create table people (id bigint primary key, name text not null, email text not null);
  create table orders (id bigint primary key, person_id bigint not null references people, what text);
  create table order_notes (id bigint primary key, order_id bigint not null references orders, note text);
  create index on orders (person_id);
  insert into people values (1, 'Ada Byron', 'ada@example.org'), (2, 'Ben Cole', 'ben@example.org');
  insert into orders select n * 10, 1, 'order ' || n from generate_series(1, 25) as n;
  insert into orders select 10000 + n, 2, 'of Ben ' || n from generate_series(1, 5) as n;
  insert into order_notes values (1, 50, 'on 50'), (2, 200, 'on 200');`;

const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'name' } },
  tables: {
    'public.people': {
      columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' }, email: { category: 'user.contact.email' } },
    },
    'public.orders': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: { category: 'user.unique_id' }, what: { category: 'user' } },
    },
    'public.order_notes': {
      of: { person: 'order_id -> orders.person_id' },
      columns: { id: none, order_id: none, note: { category: 'user' } },
    },
  },
};

/** What parts were told of each erasure, at the end of its last transaction. */
type Told = ErasureScope[];

async function bench(t: TestContext): Promise<{ readonly made: Workbench; readonly ground: ErasureGround; readonly told: Told }> {
  const told: Told = [];
  const part = {
    name: 'part',
    plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
    within: async (_client: unknown, moment: string, scope: ErasureScope) => {
      if (moment === 'after-rows') told.push(scope);
      return { counts: {}, keysDestroyed: [], horizon: null };
    },
    after: async () => undefined,
    recheck: async () => [],
  };
  const made = await workbench(t, { schema: SCHEMA, map: MAP, ports: { participants: [part] } });
  return { made, ground: { ...made.ground, rowsAtOnce: 10 }, told };
}

/** Carries it out up to its first chunk. */
async function stopAfterFirst(made: Workbench, ground: ErasureGround, mode: 'anonymise' | 'delete' = 'anonymise'): Promise<string> {
  const { hash } = await made.plan('person:1', mode, ground);
  const stop = new AbortController();
  const onProgress = (): void => stop.abort(new Error('stopped'));
  await assert.rejects(made.approve('person:1', hash, { ground, signal: stop.signal, onProgress }), /stopped/);
  return hash;
}

async function release(made: Workbench, id: HoldId): Promise<void> {
  await releaseHold(made.database, { tenant: 'default', clock: made.clock }, { id, by: 'ann', reason: 'over' });
}

test('rows that come between chunks, before or behind them, are erased too, and nobody else’s', async (t) => {
  const { made, ground } = await bench(t);
  await stopAfterFirst(made, ground);
  await made.pool
    .query(`insert into orders values (5, 1, 'SECRET before'), (999, 1, 'SECRET behind'); update orders set what = 'SECRET again' where id = 10;
    insert into order_notes values (3, 10, 'SECRET note')`);
  const others = await made.rows('orders', 'person_id = 2');
  const { erasures } = await runErasures(ground);
  assert.deepEqual(
    erasures.map(({ state, error }) => [state, error]),
    [['done', null]],
  );
  assert.deepEqual(await made.rows('orders', 'person_id = 1 and what is not null'), []);
  assert.deepEqual(await made.rows('order_notes', 'note is not null'), []);
  assert.deepEqual(await made.rows('orders', 'person_id = 2'), others);
});

test('what comes back with a value that a chunk has masked is erased with what is left, and told where the erasure died behind its commit', async (t) => {
  const { made } = await bench(t);
  await made.pool.query(
    `create table notes (id bigint primary key, at text, body text); insert into notes values (1, 'order 7', 'first')`,
  );
  const notes = {
    of: { person: 'at -> orders.what -> person_id' },
    columns: { id: none, at: { category: 'user' }, body: { category: 'user' } },
  };
  const ground = { ...(await made.refresh({ ...MAP, tables: { ...MAP.tables, 'public.notes': notes } })), rowsAtOnce: 10 };
  const onCommitted = (): void => {
    throw new Error('died');
  };
  const hash = await stopAfterFirst(made, ground);
  await made.pool.query(`insert into notes values (2, 'order 7', 'between')`);
  await assert.rejects(made.approve('person:1', hash, { ground, onCommitted }), /died/);
  assert.deepEqual(await made.rows('notes', 'body is not null'), []);
  await made.pool.query(`insert into notes values (3, 'order 7', 'behind')`);
  assert.deepEqual(
    (await runErasures(ground)).erasures.map(({ state }) => state),
    ['unfulfilled'],
  );
  assert.equal((await made.erase('person:1', 'anonymise', ground)).state, 'done');
  assert.deepEqual(await made.rows('notes', 'body is not null'), []);
});

test('more rows than one transaction takes, that come behind the chunks, are worked off in chunks of their own', async (t) => {
  const { made, ground } = await bench(t);
  const hash = await stopAfterFirst(made, ground);
  await made.pool.query(`insert into orders select -n, 1, 'SECRET ' || n from generate_series(1, 40) as n`);
  const rows: number[] = [];
  const done = await made.approve('person:1', hash, { ground, onProgress: (erased) => void rows.push(erased) });
  assert.equal(done.state, 'done');
  assert.ok(rows.length > 6, 'the table was gone through again');
  assert.deepEqual(await made.rows('orders', 'person_id = 1 and what is not null'), []);
});

test('what the map does not know stops an erasure between its chunks as it would before them; under a new approval it goes on', async (t) => {
  const { made, ground } = await bench(t);
  const hash = await stopAfterFirst(made, ground);
  await made.pool.query(`alter table people add diary text; update people set diary = 'SECRET diary'`);
  const later = { ...(await made.refresh()), rowsAtOnce: 10 };
  await assert.rejects(made.approve('person:1', hash, { ground: later }), (error: Error) => {
    assert.match(error.message, /25 rows are erased and stay so/);
    assert.match(error.message, /says nothing about diary/);
    assert.doesNotMatch(error.message, /[Nn]othing was erased/);
    return true;
  });
  const people = { columns: { ...MAP.tables['public.people'].columns, diary: { category: 'user.content.private' } } };
  const mapped = { ...(await made.refresh({ ...MAP, tables: { ...MAP.tables, 'public.people': people } })), rowsAtOnce: 10 };
  await assert.rejects(made.approve('person:1', hash, { ground: mapped }), { code: 'erasure-stopped' });
  const again = await made.plan('person:1', 'anonymise', mapped);
  const done = await made.approve('person:1', again.hash, { ground: mapped });
  assert.equal(done.state, 'done');
  assert.deepEqual(await made.rows('people', 'id = 1'), ['(1,erased,erased@erased.invalid,)']);
  const { rows } = await made.pool.query('select state from safekeep.erasures');
  assert.deepEqual(rows, [{ state: 'done' }], 'it is the same erasure');
});

test('a hold on a row of a chunked table keeps the row, is told to every part, and its end brings the erasure back', async (t) => {
  const { made, ground, told } = await bench(t);
  t.after(onRelease(requeueErasures));
  const id = await made.hold('public.orders:50');
  const { hash } = await made.plan('person:1', 'anonymise', ground);
  const done = await made.approve('person:1', hash, { ground });
  assert.equal(done.state, 'held');
  assert.deepEqual(await made.rows('orders', 'person_id = 1 and what is not null'), ['(50,1,"order 5")']);
  assert.deepEqual(
    told.map(({ holds, kept }) => [holds, [...kept.keys()].includes('public.orders')]),
    [[[id], true]],
  );
  await release(made, id);
  const { erasures } = await runErasures(ground);
  assert.deepEqual(
    erasures.map(({ state, error }) => [state, error]),
    [['done', null]],
  );
  assert.deepEqual(await made.rows('orders', 'person_id = 1 and what is not null'), []);
});

test('a hold on the whole person stops an erasure between its chunks, places outside are not told, and its end lets it go on', async (t) => {
  const { made } = await bench(t);
  t.after(onRelease(requeueErasures));
  const crm = { kind: 'command', of: 'person', at: '/bin/sh -c exit', export: false, erase: true };
  const ground = { ...(await made.refresh({ ...MAP, outside: { crm } })), rowsAtOnce: 10 };
  const hash = await stopAfterFirst(made, ground);
  const id = await made.hold('person:1');
  await assert.rejects(made.approve('person:1', hash, { ground }), { code: 'erasure-held' });
  assert.deepEqual(await made.rows('people', 'id = 1'), ['(1,"Ada Byron",ada@example.org)']);
  const states = async (): Promise<readonly object[]> =>
    (
      await made.pool.query(
        'select e.state, c.state as crm from safekeep.erasures as e left join safekeep.erasure_calls as c using (tenant_id, erasure_id)',
      )
    ).rows;
  assert.deepEqual(await states(), [{ state: 'held', crm: null }]);
  assert.deepEqual(
    (await runErasures(ground)).erasures.map(({ state }) => state),
    ['held'],
  );
  await release(made, id);
  assert.deepEqual(
    (await runErasures(ground)).erasures.map(({ state, error }) => [state, error]),
    [['done', null]],
  );
  assert.deepEqual(await states(), [{ state: 'done', crm: 'done' }]);
  assert.deepEqual(await made.rows('orders', 'person_id = 1 and what is not null'), []);
});

test('as long as a row is held, places outside are left alone, and the certificate says so', async (t) => {
  const { made } = await bench(t);
  t.after(onRelease(requeueErasures));
  const crm = { kind: 'command', of: 'person', at: '/bin/sh -c exit', export: false, erase: true };
  const ground = await made.refresh({ ...MAP, outside: { crm } });
  const id = await made.hold('public.orders:50');
  const plan = await made.plan('person:1', 'anonymise', ground);
  assert.deepEqual(
    plan.externalCopies.map(({ place, state }) => [place, state]),
    [['crm', 'held']],
  );
  const done = await made.approve('person:1', plan.hash, { ground });
  assert.deepEqual([done.state, done.externalCopies.map(({ state }) => state)], ['held', ['held']]);
  await release(made, id);
  assert.deepEqual(
    (await runErasures(ground)).erasures.map(({ state }) => state),
    ['done'],
  );
  const { rows } = await made.pool.query('select place, state from safekeep.erasure_calls');
  assert.deepEqual(rows, [{ place: 'crm', state: 'done' }]);
});

test('deleting in chunks deletes what was approved: rows that refer to those of a large table go before them', async (t) => {
  const { made, ground } = await bench(t);
  const { hash } = await made.plan('person:1', 'delete', ground);
  const done = await made.approve('person:1', hash, { ground });
  assert.deepEqual([done.state, done.counts['deleted']], ['done', 28]);
  assert.deepEqual(await made.rows('orders', 'person_id = 1'), []);
  assert.deepEqual(await made.rows('order_notes'), []);
  assert.deepEqual(await made.rows('people'), ['(2,"Ben Cole",ben@example.org)']);
});

test('a chunk that is in the way of another transaction is tried again by itself: one erasure, one record', async (t) => {
  const { made, ground } = await bench(t);
  const { hash } = await made.plan('person:1', 'delete', ground);
  const booking = await made.pool.connect();
  try {
    await booking.query(`begin; set local deadlock_timeout = '1min'; update orders set what = what where id = 250`);
    const erasing = made.approve('person:1', hash, { ground });
    for (let waiting = 0; waiting === 0;) {
      const { rows } = await made.pool.query<{ waiting: number }>(
        `select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      waiting = rows[0]?.waiting ?? 0;
    }
    // The chunk has the person's row and waits for the order; this one has the order and waits for the person.
    await booking.query('update people set email = email where id = 1');
    await booking.query('commit');
    await erasing;
  } finally {
    booking.release();
  }
  const { rows } = await made.pool.query('select state, subject_key from safekeep.erasures');
  assert.deepEqual(rows, [{ state: 'done', subject_key: null }]);
  assert.deepEqual(await made.rows('orders', 'person_id = 1'), []);
});

for (const rowsAtOnce of [10, 1000])
  test(`the same approval twice at once is one erasure, and both are answered with its certificate (${rowsAtOnce} rows at once)`, async (t) => {
    const { made } = await bench(t);
    const ground = { ...made.ground, rowsAtOnce };
    const { hash } = await made.plan('person:1', 'anonymise', ground);
    const both = await Promise.all([made.approve('person:1', hash, { ground }), made.approve('person:1', hash, { ground })]);
    assert.equal(new Set(both.map(({ erasure }) => erasure)).size, 1);
    const { rows } = await made.pool.query('select state from safekeep.erasures');
    assert.deepEqual(rows, [{ state: 'done' }]);
    const again = await made.approve('person:1', hash, { ground });
    assert.deepEqual([again.erasure, again.state, again.verified], [both[0].erasure, 'done', true]);
    assert.ok(again.certificate !== null);
  });

/** A promise, and how to fulfil it. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  return { passed: new Promise((resolve) => (open = resolve)), open: () => open() };
}

for (const [name, isLate] of [
  ['planned before the other had committed', false],
  ['came before the other had signed', true],
] as const)
  test(`an approval that ${name} waits for the certificate of that one, and makes none of its own`, async (t) => {
    const { made, ground } = await bench(t);
    const [committed, mayPlan, maySign] = [gate(), gate(), gate()];
    const [part = assert.fail('no part')] = ground.ports.participants;
    const state = { ended: 0, isAnswered: false };
    const slow = {
      ...part,
      after: async () => {
        state.ended += 1;
        committed.open();
        await maySign.passed;
      },
    };
    const before = async (): Promise<void> => {
      mayPlan.open();
      await committed.passed;
    };
    const on = (participant: ErasureParticipant): ErasureGround => ({ ...made.ground, ports: { participants: [participant] } });
    const { hash } = await made.plan('person:1', 'anonymise', made.ground);
    const second = isLate
      ? committed.passed.then(() => made.approve('person:1', hash, { ground: on(slow) }))
      : made.approve('person:1', hash, { ground: on({ ...slow, before }) });
    if (!isLate) await mayPlan.passed;
    const first = made.approve('person:1', hash, { ground: on(slow) });
    await committed.passed;
    second.finally(() => (state.isAnswered = true)).catch(() => undefined);
    const turns = `select count(*)::integer as turns from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction' and query like 'set local idle_in_transaction%'`;
    // The other waits for its turn; or it does not, and has answered or begun the end.
    for (let waiting = 0; waiting < 2 && !state.isAnswered && state.ended === 1;)
      waiting = (await made.pool.query<{ turns: number }>(turns)).rows[0]?.turns ?? 0;
    maySign.open();
    const [one, other] = await Promise.all([first, second]);
    assert.ok(one.certificate !== null && one.verified);
    assert.deepEqual([other, state.ended], [one, 1]);
  });

test('who waits too long for the turn of another is told, and whoever comes after its death finishes', async (t) => {
  const { made } = await bench(t);
  const { hash } = await made.plan('person:1');
  const onCommitted = (): never => assert.fail('killed here');
  await assert.rejects(made.approve('person:1', hash, { onCommitted }), /killed here/);
  const [record = assert.fail('no erasure')] = await inTransaction(made.database, { tenant: 'default' }, (client) =>
    readErasures(client, 'default'),
  );
  await transaction(made.database, beginTurns, async (client) => {
    assert.ok(await tryTurn(client, { tenant: 'default', erasure: record.id }));
    await assert.rejects(finishInTurn(made.ground, record, {}, 100), { code: 'erasure-finishing' });
  });
  const { certificate, state } = await made.approve('person:1', hash);
  assert.ok(certificate !== null);
  assert.equal(state, 'done');
});

/** No foreign key leads from the invoices, or from who is cared for, to the person. */
const UNBOUND = `create table people (id bigint primary key, name text not null, guardian_id bigint);
  create table invoices (id bigint primary key, person_id bigint not null, payer text, issued_on date);
  insert into people values (1, 'Ada Byron', null), (2, 'Ben Cole', 1);
  insert into invoices select n, 1, 'Ada B.', '2017-01-31' from generate_series(1, 22) as n`;
const UNBOUND_MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': {
      of: { person: { path: 'guardian_id -> people.id', meaning: 'created_by' } },
      columns: { id: none, name: { category: 'user.name' }, guardian_id: none },
    },
    'public.invoices': {
      of: { person: 'person_id' },
      on_erasure: { keep: 'legal_obligation', until: 'issued_on + 10y' },
      columns: { id: none, person_id: none, payer: { category: 'user.name' }, issued_on: none },
    },
  },
};

for (const rowsAtOnce of [4, 1000])
  test(`deleting leaves the row of a person whose rows are kept, empty, until the duty ends (${rowsAtOnce} rows at once)`, async (t) => {
    const made = await workbench(t, { schema: UNBOUND, map: UNBOUND_MAP });
    const ground = { ...made.ground, rowsAtOnce };
    const { state, due, residue } = await made.erase('person:1', 'delete', ground);
    assert.deepEqual([state, due], ['kept', '2027-01-31T00:00:00.000Z'], JSON.stringify(residue));
    assert.deepEqual(await made.rows('people'), ['(1,erased,)', '(2,"Ben Cole",)']);
    assert.equal((await made.rows('invoices')).length, 22);
    made.clock.set('2027-02-01T00:00:00Z');
    const { hash, persons } = await planDue(ground, { by: 'ann' });
    assert.deepEqual(
      persons.map((person) => [person.state, person.error]),
      [['planned', null]],
    );
    assert.equal((await eraseDue(ground, { hash: hash ?? '', by: 'ben' })).persons[0]?.state, 'done');
    assert.deepEqual([...(await made.rows('people')), ...(await made.rows('invoices'))], ['(2,"Ben Cole",)']);
  });

test('a person with too many rows in the table of people itself is found until the last of their rows is gone', async (t) => {
  const made = await workbench(t, { schema: UNBOUND, map: UNBOUND_MAP });
  await made.pool.query(`insert into people select n, 'Child ' || n, 1 from generate_series(3, 12) as n`);
  const ground = { ...made.ground, rowsAtOnce: 4 };
  assert.equal((await made.erase('person:1', 'delete', ground)).state, 'kept');
  assert.deepEqual(await made.rows('people', 'guardian_id = 1 or id = 1'), ['(1,erased,)']);
});

/** An invoice leads to its visit by a text that no foreign key binds, and that is erased. */
const BY_TEXT = `create table people (id bigint primary key, name text not null);
  create table visits (id bigint primary key, person_id bigint not null references people, ref text, reason text);
  create table invoices (id bigint primary key, visit_ref text, payer text);
  insert into people values (1, 'Ada Byron');
  insert into visits select n, 1, 'v' || n, 'reason ' || n from generate_series(1, 9) as n;
  insert into invoices select n, 'v' || n, 'Ada B.' from generate_series(1, 9) as n`;
const BY_TEXT_MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': { columns: { id: none, name: { category: 'user.name' } } },
    'public.visits': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: none, ref: { category: 'user.unique_id' }, reason: { category: 'user' } },
    },
    'public.invoices': {
      of: { person: { path: 'visit_ref -> visits.ref -> person_id', meaning: 'owns' } },
      columns: { id: none, visit_ref: none, payer: { category: 'user.name' } },
    },
  },
};

for (const mode of ['anonymise', 'delete'] as const)
  test(`what leads to a held row by a path without a foreign key stays, also in chunks, until the hold ends (${mode})`, async (t) => {
    const made = await workbench(t, { schema: BY_TEXT, map: BY_TEXT_MAP });
    const ground = { ...made.ground, rowsAtOnce: 4 };
    t.after(onRelease(requeueErasures));
    const id = await made.hold('public.invoices:8');
    assert.equal((await made.erase('person:1', mode, ground)).state, 'held');
    assert.deepEqual(await made.rows('invoices', "payer = 'Ada B.'"), ['(8,v8,"Ada B.")']);
    assert.deepEqual(await made.rows('visits', "ref = 'v8'"), ['(8,1,v8,)']);
    assert.deepEqual(await made.rows('visits', 'reason is not null'), []);
    await release(made, id);
    const { erasures } = await runErasures(ground);
    assert.deepEqual(
      erasures.map(({ state, error }) => [state, error]),
      [['done', null]],
    );
    assert.deepEqual([await made.rows('invoices', 'payer is not null'), await made.rows('visits', 'ref is not null')], [[], []]);
  });

for (const rowsAtOnce of [4, 15])
  test(`rows that are found by what is erased in chunks are erased before it (${rowsAtOnce} rows at once)`, async (t) => {
    for (const mode of ['anonymise', 'delete'] as const) {
      const made = await workbench(t, { schema: BY_TEXT, map: BY_TEXT_MAP });
      await made.pool.query(`insert into visits select n, 1, 'v' || n, 'reason ' || n from generate_series(10, 20) as n`);
      const ground = { ...made.ground, rowsAtOnce };
      const { hash, estimate } = await made.plan('person:1', mode, ground);
      assert.equal(estimate.rows, 30);
      assert.equal((await made.approve('person:1', hash, { ground })).state, 'done');
      assert.deepEqual([await made.rows('invoices', 'payer is not null'), await made.rows('visits', 'ref is not null')], [[], []]);
    }
  });

test('rows that are found by each other’s erased columns are not worked off in chunks, in which the last would be left', async (t) => {
  const visits = {
    person: [
      { path: 'person_id', meaning: 'owns' },
      { path: 'answers -> visits.ref -> person_id', meaning: 'owns' },
    ],
  };
  const tables = {
    ...BY_TEXT_MAP.tables,
    'public.visits': { of: visits, columns: { ...BY_TEXT_MAP.tables['public.visits'].columns, answers: none } },
  };
  const made = await workbench(t, {
    schema: `${BY_TEXT}; alter table visits add answers text; alter table visits alter person_id drop not null; insert into visits values (30, null, 'w', 'SECRET', 'v1')`,
    map: { ...BY_TEXT_MAP, tables },
  });
  const { blocked } = await made.plan('person:1', 'anonymise', { ...made.ground, rowsAtOnce: 4 });
  assert.deepEqual(
    blocked.map(({ table }) => table),
    ['public.visits'],
  );
  assert.equal((await made.erase('person:1')).state, 'done');
  assert.deepEqual(await made.rows('visits', 'reason is not null'), []);
});
