import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type pg from 'pg';
import type { ErasureDone } from '../model.ts';
import { OF_PEOPLE, certificateOf, eraseBeside } from '../testing/beside.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { listErasures, runErasures } from './open-erasures.ts';
import { waitForWriters } from '../store/guards.ts';

const none = { category: 'none' };
const PEOPLE = {
  columns: {
    id: none,
    name: { category: 'user.name' },
    email: { category: 'user.contact.email' },
    token: { category: 'user.unique_id' },
    born: { category: 'user.demographic.date_of_birth' },
    photo: { category: 'user.biometric' },
    pin: { category: 'user.unique_id' },
  },
};
const VISITS = {
  of: { person: 'person_id' },
  columns: { id: none, person_id: none, why: { category: 'user.health_and_medical' } },
};
/** `token`, `born`, `photo` and `pin` get masks that nobody can tell from values. */
const SCHEMA = `
  create table people (
    id bigint primary key, name text not null, email text not null unique, token uuid not null unique, born date not null unique,
    photo bytea not null unique, pin integer not null unique check (pin > 0));
  create table visits (id bigint primary key, person_id bigint not null references people, why text not null);
  create index on visits (person_id);
  insert into people values
    (1, 'Ada Byron', 'ada@example.org', '5b9a1c1e-0000-4000-8000-000000000001', '1970-12-10', '\\x0102', 1234),
    (2, 'Ben Cole', 'ben@example.org', '5b9a1c1e-0000-4000-8000-000000000002', '1980-01-02', '\\x0304', 5678);
  insert into visits select n, 1 + n % 2, 'why ' || n from generate_series(1, 12) as n;`;

async function bench(t: TestContext, more = '', tables: object = {}): Promise<Workbench> {
  return await workbench(t, {
    schema: SCHEMA + more,
    map: {
      ...OF_PEOPLE,
      tables: { 'public.people': PEOPLE, 'public.visits': VISITS, ...tables },
    },
  });
}

async function assertErasedAgain(made: Workbench, done: ErasureDone, table: string): Promise<void> {
  assert.deepEqual([done.state, done.verified], ['done', true]);
  const { late, tables, rows } = await certificateOf(done);
  assert.deepEqual(late, [{ table, rows: 1 }]);
  assert.equal(
    tables.reduce((sum, { masked }) => sum + masked, 0),
    rows.count,
  );
  assert.equal(rows.root.split(' ').length, 2);
  assert.equal((await made.rows('people', 'id = 2'))[0]?.includes('Ben Cole'), true);
}

test('an UPDATE that waits for the row of the person and writes their name back is found behind the commit, and the row is erased again', async (t) => {
  const made = await bench(t);
  const done = await eraseBeside(made, { waiting: `update people set name = 'Real Name' where id = 1` });
  await assertErasedAgain(made, done, 'public.people');
  assert.doesNotMatch((await made.rows('people', 'id = 1')).join(), /Real Name/);
});

for (const [column, value] of [
  ['token', '5b9a1c1e-0000-4000-8000-000000000001'],
  ['born', '1970-12-10'],
  ['photo', '\\x0102'],
  ['pin', '1234'],
] as const)
  test(`a ${column} that is written back is seen although its mask has no form`, async (t) => {
    const made = await bench(t);
    const done = await eraseBeside(made, { waiting: `update people set ${column} = '${value}' where id = 1` });
    await assertErasedAgain(made, done, 'public.people');
    assert.deepEqual(await made.rows('people', `${column} = '${value}'`), []);
  });

test('an UPDATE of nothing personal is no late row where every mask can be told from a value', async (t) => {
  const made = await bench(t, 'alter table people drop pin, add seen integer not null default 0;', {
    'public.people': {
      columns: { ...Object.fromEntries(Object.entries(PEOPLE.columns).filter(([name]) => name !== 'pin')), seen: none },
    },
  });
  const done = await eraseBeside(made, { waiting: 'update people set seen = seen + 1 where id = 1' });
  assert.deepEqual([done.state, (await certificateOf(done)).late], ['done', undefined]);
  const [row = ''] = await made.rows('people', 'id = 1');
  assert.match(row, /@erased\.invalid,e7a5ed00-....-8...-[89ab]...-.{12},.*\\x657261736564/);
});

test('a row that came to be the person’s unwritten is late where its mask may be taken for a value', async (t) => {
  const made = await bench(
    t,
    `create table accounts (id bigint primary key, person_id bigint not null references people);
     create table cards (id bigint primary key, account_id bigint not null references accounts, pin integer not null unique check (pin > 0));
     insert into accounts values (1, 1), (2, 2); insert into cards values (1, 1, 4711), (2, 2, 4712)`,
    {
      'public.accounts': { of: { person: 'person_id' }, columns: { id: none, person_id: none } },
      'public.cards': {
        of: { person: 'account_id -> accounts.person_id' },
        columns: { id: none, account_id: none, pin: { category: 'user.unique_id' } },
      },
    },
  );
  const done = await eraseBeside(made, { waiting: 'update accounts set person_id = 1 where id = 2' });
  await assertErasedAgain(made, done, 'public.cards');
  assert.deepEqual(await made.rows('cards', 'pin in (4711, 4712)'), []);
});

test('an INSERT of a row that waits for the foreign key is found, and erased', async (t) => {
  const made = await bench(t);
  const done = await eraseBeside(made, { waiting: `insert into visits values (99, 1, 'Real reason')` });
  await assertErasedAgain(made, done, 'public.visits');
  assert.deepEqual(await made.rows('visits', `why = 'Real reason'`), []);
});

test('a writer in a savepoint, of a transaction that is older than the erasure, is no part of the erasure', async (t) => {
  const made = await bench(t);
  const done = await eraseBeside(made, {
    first: `begin; update people set name = name where id = 2; savepoint deep; savepoint deeper`,
    waiting: `update people set name = 'Real Name' where id = 1`,
    then: 'release deeper; commit',
  });
  await assertErasedAgain(made, done, 'public.people');
});

test('a row of a table that is frozen in between is told by who wrote it all the same, and what is erased stays so', async (t) => {
  for (const waiting of [`update visits set why = 'Real reason' where id = 2`, 'update visits set id = id where id = 2']) {
    const made = await bench(t);
    const died = eraseBeside(made, { waiting, onCommitted: fails });
    await assert.rejects(died, /died/);
    await made.pool.query('vacuum (freeze) visits');
    await made.pool.query('vacuum (freeze) people');
    const { erasures } = await runErasures(made.ground);
    const isBack = waiting.includes('Real');
    assert.deepEqual(
      erasures.map(({ state }) => state),
      [isBack ? 'unfulfilled' : 'done'],
      waiting,
    );
  }
});

function fails(): void {
  throw new Error('died');
}

test('what came beside an erasure that died behind its commit is told and not erased: it may be somebody who came back', async (t) => {
  const made = await bench(t);
  const died = eraseBeside(made, { waiting: `update people set name = 'Real Name' where id = 1`, onCommitted: fails });
  await assert.rejects(died, /died/);
  const [told] = (await runErasures(made.ground)).erasures;
  assert.equal(told?.state, 'unfulfilled');
  assert.deepEqual(
    told.residue.filter(({ what }) => what.startsWith('rows of the person')).map(({ place, count }) => [place, count]),
    [['public.people', 1]],
  );
  assert.match(told.residue[0]?.remedy ?? '', /plan and approve once more: subject erase ID --plan/);
  assert.match((await made.rows('people', 'id = 1')).join(), /Real Name/);
  assert.deepEqual((await runErasures(made.ground)).erasures, [], 'it goes on with a new plan only');
  const openOnes = async (): Promise<unknown> =>
    (await listErasures(made.ground, { open: true })).erasures.map(({ state, subject }) => [state, subject]);
  assert.deepEqual(await openOnes(), [['unfulfilled', 'person:1']], 'whoever missed what was told finds it, and whose it is');
  await made.pool.query(`update visits set why = 'written since' where id = 2`);
  const again = await made.erase('person:1');
  assert.deepEqual([again.state, again.verified], ['done', true]);
  assert.doesNotMatch((await made.rows('people', 'id = 1')).join(), /Real Name/);
  assert.deepEqual(await made.rows('visits', `why = 'written since'`), []);
  assert.deepEqual(await openOnes(), []);
});

test('in a copy of the database ids of transactions say nothing: of a mask without a form nobody knows then that it is one', async (t) => {
  const made = await bench(t);
  await assert.rejects(eraseBeside(made, { waiting: 'update visits set id = id where id = 2', onCommitted: fails }), /died/);
  await made.pool.query('update safekeep.ledger_heads set seen_at = seen_at');
  assert.deepEqual(
    (await runErasures(made.ground)).erasures.map(({ state }) => state),
    ['unfulfilled'],
  );
});

test('who writes back again and again is erased three times more, and then there is no certificate', async (t) => {
  const made = await bench(t);
  const waiting = `update people set name = 'Real Name' where id = 1`;
  const done = await eraseBeside(made, { waiting, times: 10 });
  assert.deepEqual([done.state, done.verified, done.certificate], ['unfulfilled', false, null]);
  assert.deepEqual(
    done.residue.filter(({ what }) => what.startsWith('rows of the person')).map(({ place, count }) => [place, count]),
    [['public.people', 1]],
  );
  assert.equal(done.counts['masked'], 1 + 6 + 3);
  const again = await eraseBeside(made, { waiting, times: 3 });
  assert.deepEqual([again.state, again.verified], ['done', true]);
  assert.doesNotMatch((await made.rows('people', 'id = 1')).join(), /Real Name/);
});

test('a transaction that waited and is prepared then is waited for under its new name', async (t) => {
  const made = await bench(t);
  const [writer, looking] = [await made.pool.connect(), await made.pool.connect()];
  try {
    await writer.query(`begin; update people set name = 'Real Name' where id = 1`);
    const asked = { times: 0, isEnded: false };
    const query = async (text: string, values: unknown[]): Promise<pg.QueryResult> => {
      asked.times += 1;
      return await looking.query(text, values);
    };
    const waiting = waitForWriters({ query } as unknown as pg.ClientBase, ['public.people']).then(() => (asked.isEnded = true));
    const looksAgain = async (): Promise<void> => {
      for (const before = asked.times; asked.times < before + 2;) await made.pool.query('select');
    };
    await looksAgain();
    await writer.query(`prepare transaction 'late-${process.pid}'`);
    await looksAgain();
    assert.equal(asked.isEnded, false);
    await writer.query(`commit prepared 'late-${process.pid}'`);
    await waiting;
  } finally {
    writer.release();
    looking.release();
  }
});

test('a prepared transaction that is committed while the erasure waits for it has its row erased again', async (t) => {
  const made = await bench(t);
  const name = `beside-${process.pid}`;
  const state = { isPrepared: false };
  const waiting = `update people set name = 'Real Name' where id = 1`;
  const erasing = eraseBeside(made, { waiting, then: `prepare transaction '${name}'` });
  while (!state.isPrepared) {
    const { rowCount } = await made.pool.query('select from pg_prepared_xacts where gid = $1', [name]);
    state.isPrepared = rowCount === 1;
  }
  await made.pool.query(`commit prepared '${name}'`);
  await assertErasedAgain(made, await erasing, 'public.people');
});

test('of a person in chunks a row that somebody writes back into a chunk that is done is erased before the end', async (t) => {
  for (const id of [2, 8]) {
    const made = await bench(t, `alter table visits add token uuid not null unique default gen_random_uuid();`, {
      'public.visits': { ...VISITS, columns: { ...VISITS.columns, token: { category: 'user.unique_id' } } },
    });
    const token = '5b9a1c1e-0000-4000-8000-000000000009';
    const ground = { ...made.ground, rowsAtOnce: 4 };
    const done = await eraseBeside(made, { ground, waiting: `update visits set token = '${token}' where id = ${id}` });
    assert.deepEqual([done.state, done.verified], ['done', true]);
    assert.deepEqual(await made.rows('visits', `token = '${token}'`), []);
  }
});

const REWRITES = (body: string): string => `
  alter table people add touched integer not null default 0;
  create function touch() returns trigger language plpgsql as $$ begin ${body} return null; end $$;
  create trigger touch after update on people for each row when (pg_trigger_depth() = 0) execute function touch();`;
const TOUCHED = {
  'public.people': { columns: { ...PEOPLE.columns, touched: none } },
};

for (const [how, body] of [
  ['in the same statement', 'update people set touched = touched + 1 where id = new.id;'],
  [
    'within a block that catches errors',
    `begin update people set touched = touched + 1 where id = new.id; exception when others then null; end;`,
  ],
] as const)
  test(`a trigger of the application that writes the row once more ${how} is no other writer`, async (t) => {
    const made = await bench(t, REWRITES(body), TOUCHED);
    const done = await made.erase('person:1');
    assert.deepEqual([done.state, (await certificateOf(done)).late], ['done', undefined]);
    const beside = await bench(t, REWRITES(body), TOUCHED);
    const token = '5b9a1c1e-0000-4000-8000-000000000001';
    const again = await eraseBeside(beside, { waiting: `update people set token = '${token}' where id = 1` });
    await assertErasedAgain(beside, again, 'public.people');
    assert.deepEqual(await beside.rows('people', `token = '${token}'`), []);
  });

test('whoever locked the row to write it in a moment is waited for too', async (t) => {
  const made = await bench(t);
  const done = await eraseBeside(made, {
    waiting: 'select from people where id = 1 for update',
    then: `update people set name = 'Real Name' where id = 1; commit`,
  });
  await assertErasedAgain(made, done, 'public.people');
});

test('a row that is tied to the person by a value that is masked is found by the value as it was', async (t) => {
  const made = await bench(
    t,
    `create table letters (id bigint primary key, email text, body text); insert into letters values (1, 'ada@example.org', 'first');`,
    {
      'public.letters': {
        of: { person: 'email -> people.email' },
        columns: { id: none, email: { category: 'user.contact.email' }, body: { category: 'user.content.private' } },
      },
    },
  );
  const done = await eraseBeside(made, {
    waiting: `update letters set email = 'ada@example.org', body = 'Real words' where id = 1`,
  });
  await assertErasedAgain(made, done, 'public.letters');
  assert.deepEqual(await made.rows('letters', `email = 'ada@example.org' or body = 'Real words'`), []);
});

test('what a duty keeps of it stays, and is due when the duty ends', async (t) => {
  const bills = `create table bills (id bigint primary key, person_id bigint not null references people, payer text, issued date);`;
  const made = await bench(t, bills, {
    'public.bills': {
      of: { person: 'person_id' },
      on_erasure: { keep: 'legal_obligation', cite: 'tax code', until: 'issued + 10y' },
      columns: { id: none, person_id: none, payer: { category: 'user.name' }, issued: none },
    },
  });
  const done = await eraseBeside(made, { waiting: `insert into bills values (1, 1, 'Ada Byron', '2026-01-01')` });
  assert.deepEqual([done.state, done.due?.slice(0, 10)], ['kept', '2036-01-01']);
  assert.equal((await made.rows('bills', `payer = 'Ada Byron'`)).length, 1);
});

test('what a hold keeps of it that was placed meanwhile stays, and the erasure comes again when it ends', async (t) => {
  const made = await bench(t);
  const placed: string[] = [];
  const done = await eraseBeside(made, {
    waiting: `insert into visits values (99, 1, 'Real reason')`,
    between: async () => placed.push(await made.hold('person:1')),
  });
  assert.equal(done.state, 'held');
  assert.equal((await made.rows('visits', `why = 'Real reason'`)).length, 1);
  assert.deepEqual((await certificateOf(done)).holds, placed);
});

for (const [kind, definition] of [
  ['table', 'foreign table far (person_id bigint, body text, code text)'],
  ['partition', 'foreign table far_one partition of far for values in (1)'],
] as const)
  test(`what somebody writes into a foreign ${kind} beside an erasure is found by its look, and a mask without one is not taken for a value`, async (t) => {
    const made = await bench(
      t,
      `create extension postgres_fdw; create table home (person_id bigint, body text, code text);
       insert into home values (1, 'first words', 'first code'), (2, 'of Ben', 'code of Ben')`,
    );
    const url = new URL(made.url.reveal());
    await made.pool.query(
      `create server loop foreign data wrapper postgres_fdw options (host '127.0.0.1', port '${url.port}', dbname '${url.pathname.slice(1)}');
       create user mapping for current_user server loop options (user '${url.username}', password '${decodeURIComponent(url.password)}');
       ${kind === 'table' ? '' : 'create table far (person_id bigint, body text, code text) partition by list (person_id);'}
       create ${definition} server loop options (table_name 'home')`,
    );
    const far = {
      of: { person: 'person_id -> people.id' },
      columns: { person_id: none, body: { category: 'user.content.private' }, code: { category: 'user.unique_id', erase: 'hash' } },
    };
    const tables = { 'public.people': PEOPLE, 'public.visits': VISITS, 'public.far': far };
    const ground = await made.refresh({ ...OF_PEOPLE, tables });
    const done = await eraseBeside(made, {
      ground,
      waiting: 'select from people where id = 1 for update',
      then: `insert into home values (1, 'Real words', 'Real code'); commit`,
    });
    assert.deepEqual([done.state, done.verified], ['done', true]);
    assert.deepEqual(await made.rows('home', `body is not null or code !~ '^[0-9a-f]{64}$'`), ['(2,"of Ben","code of Ben")']);
  });
