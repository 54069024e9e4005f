import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import type { ErasureParticipant } from '../model.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { findSubjects } from './find-subject.ts';
import { parseSubject, type Ground } from './ground.ts';
import { survey } from './survey.ts';

const none = { category: 'none' };
const PEOPLE = {
  columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' }, email: { category: 'user.contact.email' } },
};
const SCHEMA = `create table people (id bigint primary key, name text not null, email text not null);
  insert into people values (1, 'Ada Byron', 'ada@example.org'), (2, 'Ben Cole', 'ben@example.org');`;

type Tables = Readonly<Record<string, object>>;

async function bench(
  t: TestContext,
  schema: string,
  tables: Tables,
  participants: readonly ErasureParticipant[] = [],
): Promise<Workbench> {
  return await workbench(t, {
    ports: { participants },
    schema: `${SCHEMA} ${schema}`,
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'name' } },
      tables: { 'public.people': PEOPLE, ...tables },
    },
  });
}

const HISTORY = `create table history (id bigint generated always as identity primary key, person_id bigint not null references people, old jsonb);
  create function keep_old() returns trigger language plpgsql as $$ begin insert into history (person_id, old) values (old.id, to_jsonb(old)); return null; end $$;
  create trigger keep_old after update on people for each row execute function keep_old()`;

test('a trigger that copies what is erased into a table of the person is told in the plan, and stops an erasure', async (t) => {
  const made = await bench(t, HISTORY, {
    'public.history': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: { category: 'user.unique_id' }, old: { category: 'user' } },
    },
  });
  const { blocked, hash } = await made.plan('person:1');
  assert.deepEqual(
    blocked.map(({ table }) => table),
    ['public.history'],
  );
  assert.match(blocked[0]?.what ?? '', /rows of the person appear there/);
  await assert.rejects(made.approve('person:1', hash), { code: 'erasure-refused' });
  assert.deepEqual(await made.rows('people', 'id = 1'), ['(1,"Ada Byron",ada@example.org)']);
});

test('a trigger that copies what is erased is told as well where rows of theirs stood there, which a mask takes out of the count', async (t) => {
  const made = await bench(
    t,
    `${HISTORY.replace('not null references people', '')}; insert into history (person_id, old) values (1, '{"name":"Ada"}'), (2, '{"name":"Ben"}')`,
    {
      'public.history': {
        of: { person: 'person_id' },
        columns: { id: none, person_id: { category: 'user.unique_id' }, old: { category: 'user' } },
      },
    },
  );
  const { blocked, hash } = await made.plan('person:1');
  assert.match(blocked[0]?.what ?? 'nothing', /rows of the person appear there/);
  await assert.rejects(made.approve('person:1', hash), { code: 'erasure-refused' });
  assert.deepEqual(await made.rows('people', 'id = 1'), ['(1,"Ada Byron",ada@example.org)']);
  await made.pool.query('drop trigger keep_old on people');
  assert.equal((await made.erase('person:1')).state, 'done');
  assert.deepEqual(await made.rows('history', 'id < 3'), ['(1,,)', '(2,2,"{""name"": ""Ben""}")']);
});

test('a trigger that copies what is erased into a table that the map does not know stops it too; one that only counts in a mapped table does not', async (t) => {
  const unknown = await bench(t, HISTORY, {});
  const { blocked } = await unknown.plan('person:1');
  assert.match(blocked[0]?.what ?? '', /the map does not know it/);
  assert.equal(blocked[0]?.table, 'public.history');
  const counted = await bench(
    t,
    `create table changes (day date primary key, n integer not null, told text);
     create function count_it() returns trigger language plpgsql as $$ begin insert into changes values (current_date, 1) on conflict (day) do update set n = changes.n + 1; return null; end $$;
     create trigger count_it after update on people for each row execute function count_it()`,
    { 'public.changes': { columns: { day: none, n: none, told: { category: 'user.content', free_text: true } } } },
  );
  const { notes } = await counted.plan('person:1');
  assert.ok(notes.some((note) => /Free text in rows that are not theirs .*: public\.changes\.told\./.test(note)));
  assert.equal((await counted.erase('person:1')).state, 'done');
});

const COUNTING = `create table counts (day date primary key, n integer not null);
  create function count_it() returns trigger language plpgsql as $$ begin insert into counts values (current_date, 1) on conflict (day) do update set n = counts.n + 1; return null; end $$;
  create trigger count_it after update on people for each row execute function count_it()`;
const COUNTS_ONLY = { writes_to: 'counts', note: 'a number for each day, and no value of a row' };

test('a trigger that the map calls harmless, with its reason, may write outside of the map; whoever approves reads both', async (t) => {
  const blocked = await bench(t, COUNTING, {});
  assert.match(
    (await blocked.plan('person:1')).blocked[0]?.remedy ?? '',
    /triggers: \{ NAME: \{ writes_to: public\.counts, note: WHY \} \}/,
  );
  const made = await bench(t, COUNTING, { 'public.people': { ...PEOPLE, triggers: { count_it: COUNTS_ONLY } } });
  const { notes, hash } = await made.plan('person:1');
  assert.ok(
    notes.some((note) =>
      /the trigger count_it \(.*count_it.*\) write to public\.counts, where nobody looks: a number for each day/.test(note),
    ),
  );
  assert.equal((await made.approve('person:1', hash)).state, 'done');
  assert.equal((await made.rows('counts')).length, 1);
});

test('a trigger is harmless for the table that the map names, as long as it is there, and for no other', async (t) => {
  const elsewhere = await bench(t, COUNTING, {
    'public.people': { ...PEOPLE, triggers: { count_it: { ...COUNTS_ONLY, writes_to: 'people' } } },
  });
  assert.equal((await elsewhere.plan('person:1')).blocked[0]?.table, 'public.counts');
  const renamed = await bench(t, COUNTING, { 'public.people': { ...PEOPLE, triggers: { counted: COUNTS_ONLY } } });
  assert.equal((await renamed.plan('person:1')).blocked[0]?.table, 'public.counts');
});

const PINGING = `create table jobs (id bigint generated always as identity primary key, what text);
  create function ping() returns trigger language plpgsql as $$ begin insert into jobs (what) values ('changed'); return null; end $$;
  create trigger ping after update on people for each row execute function ping();`;
const PINGS = {
  'public.people': { ...PEOPLE, triggers: { ping: { writes_to: 'jobs', note: 'that something changed, and not what' } } },
};
const LEAKS =
  'create or replace function ping() returns trigger language plpgsql as $$ begin insert into jobs (what) values (old.name); return null; end $$';
const COPIES = `create function copy_old() returns trigger language plpgsql as $$ begin insert into jobs (what) values (old.name); return null; end $$;
  create trigger copy_old after update on people for each row execute function copy_old()`;

test('what fires is approved as it stands: another body of a harmless trigger, or one more trigger, is another plan', async (t) => {
  for (const change of [
    LEAKS,
    COPIES,
    'create rule copied as on update to people do also insert into jobs (what) values (old.name)',
    'create or replace trigger ping before update on people for each row when (new.id > 0) execute function ping()',
  ]) {
    const made = await bench(t, PINGING, PINGS);
    const { hash } = await made.plan('person:1');
    await made.pool.query(change);
    await assert.rejects(
      made.approve('person:1', hash, { ground: await made.refresh() }),
      { code: 'erasure-plan-changed' },
      change,
    );
    assert.deepEqual(await made.rows('jobs'), []);
    assert.deepEqual(await made.rows('people', 'id = 1'), ['(1,"Ada Byron",ada@example.org)']);
  }
});

const HELPED = `create table jobs (id bigint generated always as identity primary key, what text);
  create function "Say It"(what text, o people) returns text language sql as $$ select what $$;
  create function wording(o people) returns text language plpgsql as $$ begin return "Say It"('changed', o); end $$;
  create function atomic(o people) returns text begin atomic select wording(o); end;
  create function ping() returns trigger language plpgsql as $$ begin insert into jobs (what) values (ATOMIC(old)); return null; end $$;
  create trigger ping after update on people for each row execute function ping();`;

test('a function that the function of a harmless trigger calls, however far, is approved with its body too', async (t) => {
  const made = await bench(t, HELPED, PINGS);
  const changes = [
    `create or replace function "Say It"(what text, o people) returns text language sql as $$ select o.name $$`,
    `create or replace function wording(o people) returns text language plpgsql as $$ begin return o.name; end $$`,
    `create or replace function atomic(o people) returns text begin atomic select o.name; end`,
    `create function keep_it() returns trigger language plpgsql as $$ begin new.what := (select string_agg(name, '') from people); return new; end $$;
     create trigger keep_it before insert on jobs for each row execute function keep_it()`,
  ];
  for (const change of changes) {
    const { hash } = await made.plan('person:1');
    await made.pool.query(change);
    await assert.rejects(made.approve('person:1', hash), { code: 'erasure-plan-changed' }, change);
  }
  assert.deepEqual(await made.rows('jobs'), []);
  const { hash } = await made.plan('person:1');
  await made.pool.query(`create function other() returns integer language sql as 'select 1'`);
  assert.equal((await made.approve('person:1', hash)).state, 'done', "what nothing calls is in nobody's way");
});

test('beside a harmless trigger no other may fire of which the map does not say where it writes, since nobody could tell whose row it is', async (t) => {
  const made = await bench(t, `${PINGING} ${COPIES}`, PINGS);
  const { blocked, hash } = await made.plan('person:1');
  assert.match(blocked[0]?.what ?? '', /of the trigger copy_old of public\.people it does not say where that writes/);
  await assert.rejects(made.approve('person:1', hash), { code: 'erasure-refused' });
  assert.deepEqual(await made.rows('jobs'), []);
  await made.pool.query(
    'drop trigger copy_old on people; create rule copied as on delete to people do also insert into jobs (what) values (old.name)',
  );
  assert.match(
    (await made.plan('person:1', 'anonymise', await made.refresh())).blocked[0]?.what ?? '',
    /the rule copied of public\.people/,
  );
});

test('a trigger that only changes its own row is declared with its own table, and then a harmless one beside it may write', async (t) => {
  const stamped = `${PINGING} create function stamp() returns trigger language plpgsql as $$ begin return new; end $$;
    create trigger stamp before update on people for each row execute function stamp()`;
  const triggers = { ...PINGS['public.people'].triggers, stamp: { writes_to: 'people', note: 'its own row' } };
  const made = await bench(t, stamped, { 'public.people': { ...PEOPLE, triggers } });
  const done = await made.erase('person:1');
  assert.equal(done.state, 'done');
  const { document } = JSON.parse(await readFile(done.certificate ?? '', 'utf8'));
  assert.deepEqual(
    document.kept
      .map(({ table, reason }: { readonly table: string; readonly reason: string }) => [table, reason])
      .filter(([table]: readonly string[]) => table === 'public.jobs'),
    [
      [
        'public.jobs',
        'not looked at: the trigger ping of public.people writes to it, and the map calls it harmless: that something changed, and not what',
      ],
    ],
  );
});

test('a harmless trigger that gets another body between two chunks stops the rest until somebody has approved it anew', async (t) => {
  const visits = `create table visits (id bigint primary key, person_id bigint not null references people, why text);
    insert into visits select n, 1, 'why ' || n from generate_series(1, 9) as n;
    create trigger ping after update on visits for each row execute function ping();`;
  const made = await bench(t, `${PINGING} ${visits}`, {
    ...PINGS,
    'public.visits': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: none, why: { category: 'user.health_and_medical' } },
      triggers: PINGS['public.people'].triggers,
    },
  });
  const few = { ...made.ground, rowsAtOnce: 4 };
  const { hash } = await made.plan('person:1', 'anonymise', few);
  const stop = new AbortController();
  await assert.rejects(made.approve('person:1', hash, { ground: few, signal: stop.signal, onProgress: () => stop.abort() }));
  await made.pool.query(LEAKS.replace('old.name', 'old::text'));
  await assert.rejects(made.approve('person:1', hash, { ground: few }), {
    code: 'erasure-stopped',
    message: /are not those that were approved/,
  });
  assert.equal((await made.rows('jobs')).length, 4, 'of the first chunk only');
  const again = await made.plan('person:1', 'anonymise', few);
  const done = await made.approve('person:1', again.hash, { ground: few });
  assert.equal(done.state, 'done', 'whoever approved it has seen what fires');
});

const CLICKS: Tables = {
  'public.clicks': {
    of: { person: 'person_id -> people.id' },
    columns: {
      person_id: { category: 'user.unique_id' },
      referrer: { category: 'user.behavior' },
      ip: { category: 'user.device.ip_address' },
    },
  },
};

/** Runs something in another session at the end of an erasing transaction, before its commit. */
function atTheEnd(run: () => Promise<unknown>): ErasureParticipant {
  return {
    name: 'late',
    plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
    within: async (_client, moment) => {
      if (moment === 'after-rows') await run();
      return { counts: {}, keysDestroyed: [], horizon: null };
    },
    after: async () => undefined,
    recheck: async () => [],
  };
}

test('a late row is known by every mask that it does not have, not only by those that are null', async (t) => {
  const late: { pool?: Workbench['pool'] } = {};
  const made = await bench(
    t,
    `create table clicks (person_id bigint not null, referrer text, ip text not null); insert into clicks values (1, 'x', '203.0.113.1')`,
    CLICKS,
    [atTheEnd(async () => await late.pool?.query(`insert into clicks values (1, null, '203.0.113.77')`))],
  );
  late.pool = made.pool;
  const done = await made.erase('person:1');
  assert.deepEqual(
    [
      done.state,
      done.certificate,
      done.residue.filter(({ what }) => what.startsWith('rows of the person')).map(({ place, count }) => [place, count]),
    ],
    ['unfulfilled', null, [['public.clicks', 1]]],
  );
});

const ORDERS: Tables = {
  'public.orders': {
    of: { person: 'person_id' },
    columns: { id: none, person_id: { category: 'user.unique_id' }, what: { category: 'user' } },
  },
};

for (const [kind, loosen] of [
  ['is checked at the commit', 'alter table orders alter constraint orders_person_id_fkey deferrable initially deferred'],
  ['has its triggers switched off', 'alter table orders disable trigger all'],
] as const)
  test(`a foreign key that ${kind} keeps no row out: an erasure waits for whoever writes there, and erases what they wrote`, async (t) => {
    const made = await bench(
      t,
      `create table orders (id bigint primary key, person_id bigint not null references people, what text); insert into orders values (1, 1, 'first'); ${loosen}`,
      ORDERS,
    );
    const booking = await made.pool.connect();
    try {
      const plan = await made.plan('person:1');
      assert.ok(
        plan.notes.some((note) =>
          note.includes('public.orders is reached by a path without a foreign key that is checked at once'),
        ),
      );
      await booking.query(`begin; insert into orders values (2, 1, 'SECRET booked meanwhile')`);
      const state: { ended: boolean; committed: boolean } = { ended: false, committed: false };
      const erasing = made
        .approve('person:1', plan.hash, { onCommitted: () => void (state.committed = true) })
        .finally(() => void (state.ended = true));
      while (!state.committed) await made.pool.query('select');
      assert.equal(state.ended, false, 'it waits for the booking');
      await booking.query('commit');
      const done = await erasing;
      assert.deepEqual([done.state, done.verified, done.counts['masked']], ['done', true, 3]);
    } finally {
      booking.release();
    }
    assert.deepEqual(await made.rows('orders', 'what is not null'), []);
  });

test('a table that a path only passes is looked at for hidden rows, and nothing is found then', async (t) => {
  const made = await bench(
    t,
    `create table orders (id bigint primary key, person_id bigint not null references people);
     create table lines (id bigint primary key, order_id bigint not null references orders, what text);
     insert into orders values (1, 1); insert into lines values (1, 1, 'secret');
     alter table orders enable row level security; alter table orders force row level security;
     create role hidden_reader nologin; grant select, update on people, orders, lines to hidden_reader`,
    {
      'public.lines': {
        of: { person: 'order_id -> orders.person_id' },
        columns: { id: none, order_id: none, what: { category: 'user' } },
      },
    },
  );
  try {
    const ground = await made.refresh();
    await made.database.withClient(async (client) => {
      await client.query('begin; set local role hidden_reader');
      const who = parseSubject(ground.map, 'person:1');
      await assert.rejects(survey(client, ground, { ...who, options: { lock: false, limit: 100 } }), { code: 'rows-hidden' });
      await client.query('rollback');
    });
    await made.pool.query('alter table people enable row level security; grant usage on schema safekeep to hidden_reader');
    const asReader: Ground['database']['withClient'] = (run) =>
      made.database.withClient(async (client) => {
        await client.query('set role hidden_reader');
        try {
          return await run(client);
        } finally {
          await client.query('reset role');
        }
      });
    const hidden = { ...ground, database: { ...made.database, withClient: asReader } };
    await assert.rejects(findSubjects(hidden, '1', { limit: 5 }), { code: 'rows-hidden' }, 'nobody found is no answer either');
  } finally {
    await made.pool.query('drop owned by hidden_reader; drop role hidden_reader');
  }
});

test('a plan does not wait for rows that somebody is changing: it says that it could not be rehearsed', async (t) => {
  const made = await bench(
    t,
    `create table orders (id bigint primary key, person_id bigint not null references people, what text); insert into orders values (1, 1, 'first')`,
    ORDERS,
  );
  const changing = await made.pool.connect();
  try {
    await changing.query(`begin; update orders set what = 'second' where id = 1`);
    const plan = await made.plan('person:1');
    assert.deepEqual(plan.blocked, []);
    assert.ok(plan.notes.some((note) => note.startsWith('Not rehearsed: somebody is changing rows')));
  } finally {
    await changing.query('rollback');
    changing.release();
  }
});
