import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { ErasureMode, ErasureParticipant, ErasurePlan } from '../model.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import type { ErasureGround } from './ground.ts';

const none = { category: 'none' };
/** Of person 1: orders 1 to 30, of which nothing but the last ones is out of the ordinary. */
const SCHEMA = `
  create table people (id bigint primary key, name text not null);
  create table orders (id bigint primary key, person_id bigint not null references people, what text, ended_on date,
    answers bigint references orders);
  create table letters (id bigint primary key, sender_id bigint references people, recipient_id bigint references people, sender text, recipient text);
  create table order_notes (id bigint primary key, order_id bigint not null references orders, note text);
  create table reviews (id bigint primary key, order_id bigint references orders, author_id bigint references people, words text);
  create index on orders (person_id);
  insert into people values (1, 'Ada Byron'), (2, 'Ben Cole'), (3, 'Cy Dunn');
  insert into orders select n, 1, 'order ' || n, '2001-01-31' from generate_series(1, 30) as n;
  update orders set ended_on = '2020-01-31' where id in (27, 28); update orders set ended_on = '2021-03-31' where id = 29;
  insert into orders select 1000 + n, 2, 'of Ben ' || n, '2001-01-31' from generate_series(1, 5) as n;
  update orders set answers = 25 where id = 1001; update orders set answers = 3 where id = 26; update orders set answers = 30 where id = 28;
  insert into letters select n, 1, 1, 'Ada', 'Ada' from generate_series(1, 28) as n;
  insert into letters values (29, 1, 2, 'Ada', 'Ben'), (30, 2, 1, 'Ben', 'Ada'), (31, null, 1, null, 'Ada');
  insert into order_notes select n, n, 'note ' || n from generate_series(4, 24) as n;
  insert into reviews values (1, 5, 2, 'of Ben'), (2, 22, 3, 'of Cy'), (3, 30, 1, 'of Ada');`;

const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': { columns: { id: none, name: { category: 'user.name' } } },
    'public.orders': {
      of: { person: 'person_id' },
      on_erasure: { keep: 'legal_obligation', until: 'ended_on + 10y' },
      columns: { id: none, person_id: none, what: { category: 'user' }, ended_on: none, answers: none },
    },
    'public.letters': {
      of: { person: ['sender_id', 'recipient_id'] },
      columns: {
        id: none,
        sender_id: none,
        recipient_id: none,
        sender: { category: 'user.name', of: 'sender_id' },
        recipient: { category: 'user.name', of: 'recipient_id' },
      },
    },
    'public.order_notes': {
      of: { person: 'order_id -> orders.person_id' },
      columns: { id: none, order_id: none, note: { category: 'user' } },
    },
    'public.reviews': {
      of: { person: { path: 'author_id', meaning: 'owns' } },
      columns: { id: none, order_id: none, author_id: none, words: { category: 'user' } },
    },
  },
};

async function bench(t: TestContext): Promise<{ readonly made: Workbench; readonly few: ErasureGround }> {
  const made = await workbench(t, { schema: SCHEMA, map: MAP });
  return { made, few: { ...made.ground, rowsAtOnce: 10 } };
}

/** Erases the first ten rows of the first large table. */
async function stopAfterFirst(made: Workbench, ground: ErasureGround, mode: ErasureMode = 'anonymise'): Promise<string> {
  const { hash } = await made.plan('person:1', mode, ground);
  const stop = new AbortController();
  const onProgress = (): void => stop.abort(new Error('stopped'));
  await assert.rejects(made.approve('person:1', hash, { ground, signal: stop.signal, onProgress }), /stopped/);
  return hash;
}

/** All that a plan says of rows, in one order. */
function told({ tables, kept, holds, blocked, estimate, notes }: ErasurePlan): object {
  const sorted = (lines: readonly object[]): readonly string[] => lines.map((line) => JSON.stringify(line)).toSorted();
  return {
    tables: sorted(tables),
    kept: sorted(kept),
    holds: sorted(holds),
    blocked: sorted(blocked),
    rows: estimate.rows,
    due: notes.filter((note) => note.includes('can be erased from')),
  };
}

for (const mode of ['anonymise', 'delete'] as const)
  test(`a plan to ${mode} in chunks says of all rows, to the last, what it says of them in one transaction, and so it is done`, async (t) => {
    const { made, few } = await bench(t);
    await made.hold('public.orders:24');
    await made.hold('public.letters:27');
    const whole = await made.plan('person:1', mode);
    const plan = await made.plan('person:1', mode, few);
    assert.deepEqual(told(plan), told(whole));
    assert.ok(plan.estimate.chunks > 6, `${plan.estimate.chunks} chunks`);
    const lines = plan.tables.filter(({ table }) => table === 'public.orders').map(({ rows, reason }) => [rows, reason]);
    assert.ok(lines.some(([rows, reason]) => rows === 3 && reason === 'a duty to keep it'));
    assert.ok(lines.some(([rows, reason]) => rows === 1 && reason === 'held'));
    const letters = plan.tables.filter(({ table }) => table === 'public.letters').map(({ reason }) => reason);
    assert.ok(letters.some((reason) => reason.startsWith('shared with people who stay')));
    const done = await made.approve('person:1', plan.hash, { ground: few });
    assert.deepEqual([done.state, done.counts['kept']], ['held', 5]);
    const other = await bench(t);
    await other.made.hold('public.orders:24');
    await other.made.hold('public.letters:27');
    await other.made.erase('person:1', mode);
    for (const table of ['people', 'orders', 'letters', 'order_notes', 'reviews'])
      assert.deepEqual(await made.rows(table), await other.made.rows(table), table);
  });

test('a row that a kept row of a later chunk refers to ends as an empty row, under the approval to delete it', async (t) => {
  const { made, few } = await bench(t);
  await made.pool.query('update orders set answers = 14 where id = 28');
  const { hash } = await made.plan('person:1', 'delete', few);
  assert.equal((await made.approve('person:1', hash, { ground: few })).state, 'kept');
  assert.deepEqual(await made.rows('orders', 'id = 14'), ['(14,1,,2001-01-31,)']);
});

for (const [what, change] of [
  ['another duty', `update orders set ended_on = '2022-01-31' where id = 26`],
  ['as many rows, and others', `delete from letters where id = 28; insert into letters values (40, 1, 1, 'Ada', 'Ada')`],
  ['somebody else in them', 'update letters set recipient_id = 3 where id = 26'],
] as const)
  test(`a plan whose rows have got ${what} since, however far behind, is not the one that was approved`, async (t) => {
    const { made, few } = await bench(t);
    const { hash } = await made.plan('person:1', 'anonymise', few);
    await made.pool.query(change);
    const before = [await made.rows('orders'), await made.rows('letters')];
    await assert.rejects(made.approve('person:1', hash, { ground: few }), { code: 'erasure-plan-changed' });
    assert.deepEqual([await made.rows('orders'), await made.rows('letters')], before);
    const { rows } = await made.pool.query('select from safekeep.erasures');
    assert.equal(rows.length, 0);
  });

test('what no line of the approved plan says is not done: nothing of that chunk is committed, and a new plan goes on with the same erasure', async (t) => {
  const { made, few } = await bench(t);
  await made.pool.query(`update orders set ended_on = '2001-01-31'`);
  const hash = await stopAfterFirst(made, few);
  const begun = await made.pool.query('select erasure_id, progress from safekeep.erasures');
  await made.pool.query(`update orders set ended_on = '2024-01-31' where id = 30`);
  await made.pool.query(`update letters set recipient_id = 2, recipient = 'Ben' where id = 30`);
  for (const attempt of [1, 2])
    await assert.rejects(made.approve('person:1', hash, { ground: few }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'erasure-stopped', `attempt ${attempt}`);
      assert.match(error.message, /no line of the approved plan/);
      assert.match(error.message, /public\.orders.*a duty to keep it/);
      assert.doesNotMatch(error.message, /order 30|2024/);
      return true;
    });
  assert.deepEqual(await made.rows('orders', 'id = 30'), ['(30,1,"order 30",2024-01-31,)']);
  assert.equal((await made.rows('orders', 'person_id = 1 and id > 20 and what is not null')).length, 10, 'nothing of that chunk');
  const again = await made.plan('person:1', 'anonymise', few);
  assert.ok(
    again.tables.some(({ table, reason, rows }) => table === 'public.orders' && reason === 'a duty to keep it' && rows === 1),
  );
  const done = await made.approve('person:1', again.hash, { ground: few });
  assert.deepEqual([done.state, done.erasure], ['kept', begun.rows[0]?.erasure_id]);
  assert.deepEqual(await made.rows('orders', 'person_id = 1 and what is not null'), ['(30,1,"order 30",2024-01-31,)']);
});

test('what would be done first of all and was not approved is refused before anything is erased', async (t) => {
  const { made } = await bench(t);
  await made.pool.query(`update orders set ended_on = '2001-01-31'; delete from letters; delete from order_notes`);
  let looks = 0;
  const part = {
    name: 'part',
    plan: async () => {
      looks += 1;
      // All rows have been looked at, for the approval now, and none is locked yet.
      if (looks === 2) await made.pool.query(`update orders set ended_on = '2024-01-31' where id = 3`);
      return { will: [], keeps: [], externalCopies: [], blocked: [] };
    },
    within: async () => ({ counts: {}, keysDestroyed: [], horizon: null }),
    after: async () => undefined,
    recheck: async () => [],
  };
  const few = { ...(await made.refresh(MAP, { participants: [part] })), rowsAtOnce: 10 };
  const { hash } = await made.plan('person:1', 'anonymise', few);
  const refused = { code: 'erasure-blocked', message: /Nothing was erased:\npublic\.orders: .*no line of the approved plan/ };
  await assert.rejects(made.approve('person:1', hash, { ground: few }), refused);
  assert.equal((await made.rows('orders', 'person_id = 1 and what is not null')).length, 30);
  assert.equal((await made.erase('person:1', 'anonymise', few)).state, 'kept', 'a new plan goes on');
});

test('rows that come into other tables, or behind the chunks, are held against the approval too', async (t) => {
  for (const comes of [
    `insert into reviews values (9, 21, 1, 'of Ada'), (10, null, 1, 'of Ada')`,
    `insert into letters values (0, 1, 1, 'Ada', 'Ada')`,
  ]) {
    const { made, few } = await bench(t);
    const hash = await stopAfterFirst(made, few);
    await made.pool.query(comes);
    assert.equal((await made.approve('person:1', hash, { ground: few })).state, 'kept', `${comes}: as others of the plan`);
    assert.deepEqual(
      [
        await made.rows('reviews', 'author_id = 1 and words is not null'),
        await made.rows('letters', 'id = 0 and sender is not null'),
      ],
      [[], []],
    );
  }
  const { made, few } = await bench(t);
  await made.pool.query('update letters set recipient_id = 1, sender_id = 1');
  const hash = await stopAfterFirst(made, few);
  await made.pool.query(`insert into letters values (-1, 1, 2, 'Ada', 'Ben')`);
  await assert.rejects(made.approve('person:1', hash, { ground: few }), {
    code: 'erasure-stopped',
    message: /letters.*no line of the approved plan.*shared with people who stay/,
  });
  assert.deepEqual(await made.rows('letters', 'id = -1'), ['(-1,1,2,Ada,Ben)']);
  assert.deepEqual(await made.rows('people', 'id = 1'), ['(1,"Ada Byron")'], 'they are found as before');
});

test('a hold that is placed between chunks keeps its row, whatever the plan says, and the erasure comes to its end', async (t) => {
  const { made, few } = await bench(t);
  const hash = await stopAfterFirst(made, few);
  await made.hold('public.orders:23');
  assert.equal((await made.approve('person:1', hash, { ground: few })).state, 'held');
  assert.deepEqual(await made.rows('orders', 'id = 23'), ['(23,1,"order 23",2001-01-31,)']);
});

test('what is allowed stands under the home’s tag, and where nothing says it nothing is', async (t) => {
  const { made, few } = await bench(t);
  const hash = await stopAfterFirst(made, few);
  await made.pool.query(`update safekeep.erasures set progress = jsonb_set(progress, '{allowed}', '{}')`);
  await assert.rejects(made.approve('person:1', hash, { ground: few }), { code: 'erasure-unproven' });
  const { rows } = await made.pool.query<{ progress: object }>('select progress from safekeep.erasures');
  assert.ok(rows[0] !== undefined && 'allowed' in rows[0].progress);
});

test('what stands in the way of rows far behind is told in the plan, and who must be told of those that were erased in chunks', async (t) => {
  const { made } = await bench(t);
  await made.pool.query(
    `create table parcels (id bigint primary key, order_id bigint references orders, label text); insert into parcels values (1, 25, 'x')`,
  );
  const orders = { ...MAP.tables['public.orders'], purposes: ['sale'] };
  const map = {
    ...MAP,
    purposes: { sale: { use: 'essential.service', basis: 'contract', recipients: ['Post office'] } },
    tables: { ...MAP.tables, 'public.orders': orders },
  };
  const few = { ...(await made.refresh(map)), rowsAtOnce: 10 };
  const { blocked } = await made.plan('person:1', 'delete', few);
  assert.deepEqual(
    blocked.map(({ table, what }) => [table, /refer to rows of public\.orders and forbid that they go/.test(what)]),
    [['public.parcels', true]],
  );
  const done = await made.erase('person:1', 'anonymise', few);
  assert.deepEqual(
    done.externalCopies.map(({ place }) => place),
    ['Post office'],
  );
});

test('who places a hold does not wait for a plan, which only looks', async (t) => {
  const { made, few } = await bench(t);
  const placed: string[] = [];
  const part: ErasureParticipant = {
    name: 'placing',
    plan: async () => {
      placed.push(await made.hold('public.orders:1'));
      return { will: [], keeps: [], externalCopies: [], blocked: [] };
    },
    within: async () => ({ counts: {}, keysDestroyed: [], horizon: null }),
    after: async () => undefined,
    recheck: async () => [],
  };
  for (const ground of [made.ground, few]) {
    const { holds } = await made.plan('person:1', 'anonymise', { ...ground, ports: { participants: [part] } });
    assert.equal(placed.length, holds.length + 1);
  }
});
