import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { onRelease, releaseHold } from '../../holds/index.ts';
import { OF_PEOPLE, certificateOf, eraseBeside } from '../testing/beside.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import type { ErasureGround } from './ground.ts';
import type { ErasureDone, ErasureParticipant, ErasureScope } from '../model.ts';
import { listErasures, requeueErasures, runErasures } from './open-erasures.ts';

const none = { category: 'none' };
const words = { category: 'user.content.private' };
const email = { category: 'user.contact.email' };
const SCHEMA = `
  create table people (id bigint primary key, name text not null, email text not null unique);
  create table visits (id bigint primary key, person_id bigint not null references people, why text);
  create table history (id bigint generated always as identity primary key, person_id bigint not null references people, old text);
  create table accounts (id bigint primary key, person_id bigint not null references people, label text);
  create table moves (id bigint primary key, account_id bigint not null references accounts, memo text);
  create table bills (id bigint primary key, person_id bigint not null references people, payer text);
  create table receipts (id bigint primary key, person_id bigint not null references people, payer text, issued date);
  create table docs (id bigint primary key, person_id bigint references people, author_id bigint references people, body text);
  create table contacts (id bigint primary key, person_id bigint not null references people, addr text);
  create table notes (id bigint primary key, addr text, body text);
  create table letters (id bigint primary key, email text, body text);
  create table orders (id bigint primary key, person_id bigint not null references people);
  create table lines (id bigint primary key, order_id bigint not null references orders, what text);
  create table remarks (id bigint primary key, note_id bigint not null references notes, remark text);
  insert into people values (1, 'Ada Byron', 'ada@example.org'), (2, 'Ben Cole', 'ben@example.org');
  insert into letters values (1, 'ada@example.org', 'first');`;

const own = (columns: object) => ({ of: { person: 'person_id' }, columns: { id: none, person_id: none, ...columns } });

async function bench(t: TestContext, more = ''): Promise<Workbench> {
  return await workbench(t, {
    schema: SCHEMA + more,
    map: {
      ...OF_PEOPLE,
      tables: {
        'public.people': { columns: { id: none, name: { category: 'user.name' }, email } },
        'public.visits': own({ why: words }),
        'public.history': own({ old: words }),
        'public.accounts': own({ label: words }),
        'public.moves': {
          of: { person: 'account_id -> accounts.person_id' },
          columns: { id: none, account_id: none, memo: words },
        },
        'public.bills': {
          ...own({ payer: { category: 'user.name' } }),
          on_erasure: { keep: 'legal_obligation', cite: 'tax code' },
        },
        'public.receipts': {
          ...own({ payer: { category: 'user.name' }, issued: none }),
          on_erasure: { keep: 'legal_obligation', until: 'issued + 10y' },
        },
        'public.docs': {
          of: {
            person: [
              { path: 'author_id', meaning: 'created_by' },
              { path: 'person_id', meaning: 'owns' },
            ],
          },
          columns: { id: none, person_id: none, author_id: none, body: { ...words, of: 'person_id' } },
        },
        'public.contacts': own({ addr: email }),
        'public.notes': { of: { person: 'addr -> contacts.addr -> person_id' }, columns: { id: none, addr: email, body: words } },
        'public.lines': { of: { person: 'order_id -> orders.person_id' }, columns: { id: none, order_id: none, what: words } },
        'public.remarks': {
          of: { person: 'note_id -> notes.addr -> contacts.addr -> person_id' },
          columns: { id: none, note_id: none, remark: words },
        },
        'public.letters': { of: { person: 'email -> people.email' }, columns: { id: none, email, body: words } },
      },
    },
  });
}

for (const table of ['visits', 'people'])
  test(`what a trigger on ${table} copies into a table whose chunks are done is erased too`, async (t) => {
    const old = table === 'people' ? 'old.id, old.name' : 'old.person_id, old.why';
    const made = await bench(
      t,
      `insert into visits select n, 1, 'why ' || n from generate_series(1, 8) as n;
       insert into history (person_id, old) select 1, 'old ' || n from generate_series(1, 8) as n;
       create function keep_old() returns trigger language plpgsql as
         $$ begin insert into history (person_id, old) values (${old}); return null; end $$;
       create trigger keep_old after update on ${table} for each row execute function keep_old()`,
    );
    const ground = { ...made.ground, rowsAtOnce: 3 };
    const { hash } = await made.plan('person:1', 'anonymise', ground);
    const done = await made.approve('person:1', hash, { ground });
    assert.equal(done.state, 'done');
    assert.deepEqual(await made.rows('history', 'old is not null'), []);
  });

test('somebody who signs up with the e-mail address of the erased keeps what they write', async (t) => {
  const made = await bench(t);
  const done = await eraseBeside(made, {
    waiting: `insert into people values (3, 'New Person', 'ada@example.org')`,
    then: `insert into letters values (9, 'ada@example.org', 'words of the new one'); commit`,
  });
  assert.equal(done.state, 'done');
  assert.match((await made.rows('letters', 'id = 9')).join(), /ada@example.org.*words of the new one/);
  assert.match((await made.rows('people', 'id = 3')).join(), /New Person/);
});

test('what comes back with a masked value is told also where the erasure died behind its commit and nobody has the value any more', async (t) => {
  const made = await bench(
    t,
    `insert into contacts values (1, 1, 'ada@work.example'); insert into notes values (1, 'ada@work.example', 'first'), (2, 'ada@work.example', 'second')`,
  );
  const onCommitted = (): void => {
    throw new Error('died');
  };
  const waiting = `update letters set email = 'ada@example.org', body = 'Real words' where id = 1`;
  const then = `update notes set addr = 'ada@work.example', body = 'Real words' where id = 1; insert into letters values (7, 'cy@example.org', 'of Cy'); insert into remarks values (5, 2, 'Real remark'); commit`;
  await assert.rejects(eraseBeside(made, { waiting, then, onCommitted }), /died/);
  const [told] = (await runErasures(made.ground)).erasures;
  assert.equal(told?.state, 'unfulfilled');
  assert.deepEqual(
    told.residue.filter(({ what }) => what.startsWith('rows of the person')).map(({ place, count }) => [place, count]),
    [
      ['public.notes', 1],
      ['public.remarks', 1],
      ['public.letters', 1],
    ],
  );
  const again = await made.erase('person:1');
  assert.deepEqual([again.state, again.counts['masked']], ['done', 5], 'the plan that is asked for then has all that was told');
  assert.deepEqual(await made.rows('letters', 'body is not null'), ['(7,cy@example.org,"of Cy")']);
  for (const [table, word] of [
    ['notes', 'body'],
    ['remarks', 'remark'],
  ] as const)
    assert.deepEqual(await made.rows(table, `${word} is not null`), [], table);
  const left = await made.pool.query(`select from safekeep.erasures where certificate ? 'ties'`);
  assert.equal(left.rowCount, 0, 'nothing by which they were known is kept behind the certificate');
});

test('what comes back with the masked value of a row in between is found by it', async (t) => {
  const made = await bench(
    t,
    `insert into contacts values (1, 1, 'ada@work.example'); insert into notes values (1, 'ada@work.example', 'first')`,
  );
  const waiting = `update notes set addr = 'ada@work.example', body = 'Real words' where id = 1`;
  const done = await eraseBeside(made, { waiting });
  assert.deepEqual([done.state, done.verified], ['done', true]);
  assert.doesNotMatch((await made.rows('notes')).join(), /Real words|ada@work/);
});

test('what hangs on a row that came back with a masked value is found with it', async (t) => {
  const made = await bench(
    t,
    `insert into contacts values (1, 1, 'ada@work.example'); insert into notes values (1, 'ada@work.example', 'first');
     insert into remarks values (1, 1, 'first remark')`,
  );
  const done = await eraseBeside(made, {
    waiting: `update contacts set id = id where id = 1`,
    then: `insert into notes values (2, 'ada@work.example', 'Real words'); insert into remarks values (2, 2, 'Real remark'); commit`,
  });
  assert.deepEqual([done.state, done.verified], ['done', true]);
  assert.doesNotMatch((await made.rows('notes')).join(), /Real words|ada@work/);
  assert.doesNotMatch((await made.rows('remarks')).join(), /Real remark/);
});

for (const [how, waiting, then] of [
  ['moved to them', 'update orders set person_id = 1 where id = 2', 'commit'],
  ['made for them', 'insert into orders values (3, 1)', `insert into lines values (3, 3, 'Real line'); commit`],
] as const)
  test(`whoever writes to a table that a path only passes is waited for: what hangs on a row ${how} is erased`, async (t) => {
    const made = await bench(
      t,
      `insert into orders values (1, 1), (2, 2); insert into lines values (1, 1, 'first line'), (2, 2, 'Real line')`,
    );
    const done = await eraseBeside(made, { waiting, then });
    assert.deepEqual([done.state, done.verified], ['done', true]);
    assert.deepEqual(await made.rows('lines', 'what is not null and order_id in (select id from orders where person_id = 1)'), []);
    assert.equal((await certificateOf(done)).late?.[0]?.table, 'public.lines');
  });

test('rows that nobody wrote and that came to be the person’s between chunks are erased', async (t) => {
  const made = await bench(
    t,
    `insert into accounts values (1, 1, 'a'), (2, 2, 'b');
     insert into moves select n, 2, 'of 2: ' || n from generate_series(1, 4) as n;
     insert into moves select 100 + n, 1, 'memo ' || n from generate_series(1, 8) as n`,
  );
  const ground: ErasureGround = { ...made.ground, rowsAtOnce: 3 };
  const { hash } = await made.plan('person:1', 'anonymise', ground);
  const stop = new AbortController();
  const stopping = { ground, signal: stop.signal, onProgress: () => stop.abort(new Error('stopped')) };
  await assert.rejects(made.approve('person:1', hash, stopping), /stopped/);
  await made.pool.query('update accounts set person_id = 1 where id = 2');
  const done = await made.approve('person:1', hash, { ground });
  assert.equal(done.state, 'done');
  assert.deepEqual(await made.rows('moves', 'memo is not null'), []);
});

test('what a row’s hold has kept is erased when the hold ended while the erasure was on its way', async (t) => {
  const made = await bench(t, `insert into visits select n, 1, 'why ' || n from generate_series(1, 8) as n`);
  t.after(onRelease(requeueErasures));
  const ground: ErasureGround = { ...made.ground, rowsAtOnce: 3 };
  const id = await made.hold('public.visits:2');
  const { hash } = await made.plan('person:1', 'anonymise', ground);
  const stop = new AbortController();
  const stopping = { ground, signal: stop.signal, onProgress: () => stop.abort(new Error('stopped')) };
  await assert.rejects(made.approve('person:1', hash, stopping), /stopped/);
  await releaseHold(made.database, { tenant: 'default', clock: made.clock }, { id, by: 'ann', reason: 'over' });
  await made.approve('person:1', hash, { ground });
  const { erasures } = await runErasures(ground);
  assert.deepEqual(
    erasures.map(({ state, error }) => [state, error]),
    [['done', null]],
  );
  assert.deepEqual(await made.rows('visits', 'why is not null'), []);
});

/** Tells which rows parts of an erasure are told of, and what is kept, at its end. */
function listening(): { readonly participant: ErasureParticipant; readonly last: () => ErasureScope } {
  const told: ErasureScope[] = [];
  const participant: ErasureParticipant = {
    name: 'listening',
    plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
    within: async (_client, moment, scope) => {
      if (moment === 'after-rows') told.push(scope);
      return { counts: {}, keysDestroyed: [], horizon: null };
    },
    after: async () => undefined,
    recheck: async () => [],
  };
  return {
    participant,
    last: () => {
      const [scope] = told;
      assert.ok(scope);
      return scope;
    },
  };
}

const CHUNKED = `insert into visits select n, 1, 'why ' || n from generate_series(1, 8) as n;
  insert into receipts select n, 1, 'Ada', '2001-01-01' from generate_series(1, 8) as n`;

async function eraseInChunks(
  made: Workbench,
  between: () => Promise<unknown>,
): Promise<{ readonly done: ErasureDone; readonly scope: ErasureScope }> {
  const { participant, last } = listening();
  const ground: ErasureGround = { ...made.ground, rowsAtOnce: 3, ports: { participants: [participant] } };
  const { hash } = await made.plan('person:1', 'anonymise', ground);
  const stop = new AbortController();
  // Three for each of the two large tables; what comes before the rows of the last chunk comes late in both.
  const chunks = { left: 5 };
  const onProgress = (): void => {
    chunks.left -= 1;
    if (chunks.left === 0) stop.abort(new Error('stopped'));
  };
  await assert.rejects(made.approve('person:1', hash, { ground, signal: stop.signal, onProgress }), /stopped/);
  await between();
  return { done: await made.approve('person:1', hash, { ground }), scope: last() };
}

test('what came into a table whose chunks are done, and a duty keeps, keeps the keys of the person', async (t) => {
  const made = await bench(t, CHUNKED);
  const { done, scope } = await eraseInChunks(made, () =>
    made.pool.query(`insert into receipts values (0, 1, 'Ada Byron', '2026-11-01')`),
  );
  assert.deepEqual([done.state, done.due?.slice(0, 10)], ['kept', '2036-11-01']);
  assert.equal(scope.isKept, true);
  assert.deepEqual(scope.kept.get('public.receipts'), [['0']]);
  assert.equal((await certificateOf(done)).kept.filter(({ table }) => table === 'public.receipts')[0]?.rows, 1);
});

test('what came into a table whose chunks are done, and a hold keeps, keeps the keys of the person and puts places outside off', async (t) => {
  const made = await bench(t, CHUNKED);
  const placed: string[] = [];
  const { done, scope } = await eraseInChunks(made, async () => {
    await made.pool.query(`insert into visits values (0, 1, 'held reason')`);
    placed.push(await made.hold('public.visits:0'));
  });
  assert.equal(done.state, 'held');
  assert.deepEqual(scope.holds, placed);
  assert.equal(scope.isKept, true);
});

test('of rows of a table whose chunks are done and that are erased at the end the parts are told', async (t) => {
  const made = await bench(t, CHUNKED);
  const { done, scope } = await eraseInChunks(made, () => made.pool.query(`update visits set why = 'Real why' where id = 2`));
  assert.equal(done.state, 'done');
  assert.deepEqual(scope.rows.get('public.visits'), [['2']]);
});

test('a hold that ended meanwhile is seen behind a thousand erasures that a duty keeps', async (t) => {
  const made = await bench(t, `insert into visits select n, 1, 'why ' || n from generate_series(1, 3) as n`);
  const hold = await made.hold('public.visits:2');
  assert.equal((await made.erase('person:1')).state, 'held');
  await releaseHold(made.database, { tenant: 'default', clock: made.clock }, { id: hold, by: 'ann', reason: 'over' });
  await made.pool.query(
    `insert into safekeep.erasures (tenant_id, erasure_id, plan_hash, state, mode, subject_type, subject_key, subject_mark, holds, planned_by,
       approved_by, started_at, due_at)
     select tenant_id, ('ffffffff-ffff-7fff-8fff-' || lpad(n::text, 12, '0'))::uuid, plan_hash, 'kept', mode, subject_type, '2',
            repeat('0', 64), '{}', planned_by, approved_by, started_at, '2100-01-01' from safekeep.erasures, generate_series(1, 1001) as n`,
  );
  assert.deepEqual(
    (await runErasures(made.ground)).erasures.map(({ state, error }) => [state, error]),
    [['done', null]],
  );
  assert.deepEqual(await made.rows('visits', 'why is not null'), []);
  assert.equal(
    (await listErasures(made.ground, { open: true })).erasures.length,
    1001,
    'nor does one that is open stand behind them',
  );
});

test('whoever has the key when the chunks begin is the one of whom the rows were looked at', async (t) => {
  const made = await bench(t, `insert into visits select n, 1, 'why ' || n from generate_series(1, 8) as n`);
  let looks = 0;
  const participant: ErasureParticipant = {
    name: 'beside',
    plan: async () => {
      looks += 1;
      if (looks === 2) await made.pool.query(`update people set name = 'Another', email = 'another@example.org' where id = 1`);
      return { will: [], keeps: [], externalCopies: [], blocked: [] };
    },
    within: async () => ({ counts: {}, keysDestroyed: [], horizon: null }),
    after: async () => undefined,
    recheck: async () => [],
  };
  const ground: ErasureGround = { ...made.ground, rowsAtOnce: 3, ports: { participants: [participant] } };
  const { hash } = await made.plan('person:1', 'anonymise', ground);
  await assert.rejects(made.approve('person:1', hash, { ground }), { code: 'erasure-stopped' });
  assert.match((await made.rows('people', 'id = 1')).join(), /another@example.org/);
  assert.equal((await made.rows('visits', 'why is not null')).length, 8);
});

test('a late row that a duty without an end keeps stands in the certificate', async (t) => {
  const made = await bench(t, `insert into bills values (7, 1, 'Ada B.')`);
  const done = await eraseBeside(made, { waiting: `insert into bills values (8, 1, 'Ada Byron')` });
  assert.equal(done.state, 'done');
  const { kept } = await certificateOf(done);
  assert.equal(
    kept.filter(({ table }) => table === 'public.bills').reduce((sum, { rows }) => sum + rows, 0),
    2,
  );
});

test('in a table of which no line was approved nothing is erased: the row is told, and there is no certificate', async (t) => {
  const made = await bench(t);
  const done = await eraseBeside(made, { waiting: `insert into visits values (1, 1, 'secret why')` });
  assert.deepEqual([done.state, done.verified, done.certificate], ['unfulfilled', false, null]);
  assert.match((await made.rows('visits')).join(), /secret why/);
  assert.ok(done.residue.some(({ place }) => place === 'public.visits'));
});

test('what no line of the plan says is done to no row that came beside it: of one that they wrote they were detached', async (t) => {
  const made = await bench(t, `insert into docs values (1, 2, 1, 'about Ben')`);
  const done = await eraseBeside(made, { waiting: `insert into docs values (2, 1, null, 'about Ada')` });
  assert.deepEqual([done.state, done.certificate], ['unfulfilled', null]);
  assert.deepEqual(await made.rows('docs'), ['(1,2,,"about Ben")', '(2,1,,"about Ada")']);
  const again = await made.erase('person:1');
  assert.equal(again.state, 'done');
  assert.deepEqual(await made.rows('docs'), ['(1,2,,"about Ben")', '(2,1,,)']);
});
