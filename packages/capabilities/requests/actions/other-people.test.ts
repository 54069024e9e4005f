import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportSubject } from './export-subject.ts';
import { findSubjects } from './find-subject.ts';
import { parseSubject } from './ground.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';

const none = { category: 'none' };
const content = { category: 'user.content.private' };
const name = { category: 'user.name' };

const PEOPLE = `create table people (id bigint primary key, name text not null, email text unique);
  insert into people values (1, 'Ada Byron', 'ada@example.org'), (2, 'Ben Cole', 'ben@example.org'), (3, 'Cy Dunn', 'cy@example.org');`;

/** A map of people and what hangs on them; `of` of people themselves where it is given. */
function mapWith(tables: Readonly<Record<string, object>>, people: object = {}): object {
  return {
    version: 1,
    tenant: 'fixed',
    subjects: { person: { table: 'public.people', key: 'id', find_by: ['email', 'name'], label: 'name' } },
    tables: {
      'public.people': { columns: { id: none, name, email: { category: 'user.contact.email' } }, ...people },
      ...Object.fromEntries(Object.entries(tables).map(([table, mapped]) => [`public.${table}`, mapped])),
    },
  };
}

type Exported = { readonly rows: Readonly<Record<string, readonly object[]>>; readonly withheld: readonly object[] };

async function exported(bench: Workbench, subject: string): Promise<Exported> {
  const { ground } = bench;
  const out = join(bench.folder, `${subject.replace(':', '-')}-${randomBytes(4).toString('hex')}.json`);
  const order = { ...parseSubject(ground.map, subject), format: 'json', window: { from: null, to: null }, out } as const;
  const { withheld } = await exportSubject({ ...ground, directory: bench.folder, key: randomBytes(32) }, order);
  const { tables } = JSON.parse(await readFile(out, 'utf8'));
  const rows = Object.fromEntries(tables.map((each: { table: string; rows: object[] }) => [each.table, each.rows]));
  return { rows, withheld };
}

test('however often the person stands in a shared row, whoever else stands in it is seen, and so is a hold on them', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table rooms (id bigint primary key, note text);
      create table stays (id bigint generated always as identity primary key, room_id bigint not null references rooms, person_id bigint not null references people);
      create index on stays (room_id); insert into rooms values (1, 'twin beds');
      insert into stays (room_id, person_id) select 1, 1 from generate_series(1, 150); insert into stays (room_id, person_id) values (1, 2)`,
    map: mapWith({
      rooms: { of: { person: 'id <- stays.room_id -> person_id' }, columns: { id: none, note: content } },
      stays: { of: { person: 'person_id' }, columns: { id: none, room_id: none, person_id: none } },
    }),
  });
  const before = await bench.rows('rooms');
  const plan = await bench.plan('person:1', 'delete');
  assert.match(plan.tables.find(({ table }) => table === 'public.rooms')?.reason ?? '', /shared with people who stay/);
  await bench.hold('person:2');
  assert.deepEqual(
    (await bench.plan('person:1', 'delete')).holds.map(({ rows }) => rows),
    [1],
  );
  await bench.erase('person:1', 'delete');
  assert.deepEqual(await bench.rows('rooms'), before);
});

const LETTERS = `${PEOPLE} create table letters (id bigint primary key, from_id bigint not null references people, to_id bigint references people, body text, subject text);
  insert into letters values (1, 1, 2, 'a1 b1', 's1'), (2, 2, 1, 'a2 b2', 's2'), (3, 1, null, 'a3', 's3'), (4, 2, 3, 'b4 c4', 's4')`;
const BOTH = ['from_id', 'to_id'];
const lettersMap = (body: object, subject: object = content): object =>
  mapWith({
    letters: {
      of: { person: BOTH.map((path) => ({ path, meaning: 'shared' })) },
      columns: { id: none, from_id: none, to_id: none, body: { ...content, ...body }, subject },
    },
  });
const bodies = async (bench: Workbench): Promise<unknown> =>
  (await bench.pool.query('select array_agg(body order by id) as all from letters')).rows[0]?.all;

test('what the map says to be of two people is given to both, stays with the one who stays, and goes with the last of them', async (t) => {
  const bench = await workbench(t, { schema: LETTERS, map: lettersMap({ of: BOTH }) });
  const given = async (subject: string) =>
    (await exported(bench, subject)).rows['public.letters']?.map((row) =>
      Object.entries(row)
        .flatMap(([column, value]) => (column === 'body' ? [value] : []))
        .join(),
    );
  assert.deepEqual(await given('person:1'), ['a1 b1', 'a2 b2', 'a3']);
  assert.deepEqual(await given('person:2'), ['a1 b1', 'a2 b2', 'b4 c4']);
  const plan = await bench.plan('person:1');
  const [kept] = plan.kept.filter(({ table }) => table === 'public.letters: body');
  assert.deepEqual([kept?.rows, kept?.reason], [2, 'it is also of people who stay']);
  await bench.approve('person:1', plan.hash);
  assert.deepEqual(await bodies(bench), ['a1 b1', 'a2 b2', null, 'b4 c4']);
  assert.deepEqual(await given('person:2'), ['a1 b1', 'a2 b2', 'b4 c4'], 'the other one loses nothing');
  await bench.erase('person:2');
  assert.deepEqual(await bodies(bench), [null, null, null, 'b4 c4'], 'nobody stands behind the first two any more');
  await bench.erase('person:3', 'delete');
  assert.deepEqual((await bench.rows('letters')).length, 3);
});

const ownedLetters = (meaning: 'shared' | 'about', more: object = {}): object =>
  mapWith({
    letters: {
      of: {
        person: [
          { path: 'from_id', meaning: 'owns' },
          { path: 'to_id', meaning },
        ],
      },
      columns: { id: none, from_id: none, to_id: none, body: { ...content, of: BOTH }, subject: { ...content, of: 'from_id' } },
      ...more,
    },
  });
const firstTwo = async (bench: Workbench): Promise<readonly object[]> =>
  (await bench.pool.query('select id::int, subject, body from letters where id < 3 order by id')).rows;

for (const meaning of ['shared', 'about'] as const)
  for (const mode of ['anonymise', 'delete'] as const)
    test(`of what one person owns and another stands in (${meaning}) the column of both stays until the other is gone too (${mode})`, async (t) => {
      const bench = await workbench(t, { schema: LETTERS, map: ownedLetters(meaning) });
      const plan = await bench.plan('person:1', mode);
      const [kept] = plan.kept.filter(({ table }) => table === 'public.letters: body');
      assert.equal(kept?.reason, 'it is also of people who stay');
      await bench.approve('person:1', plan.hash);
      assert.deepEqual(await firstTwo(bench), [
        { id: 1, subject: null, body: 'a1 b1' },
        { id: 2, subject: 's2', body: 'a2 b2' },
      ]);
      assert.equal(
        (await bench.rows('letters', 'id = 3')).length,
        mode === 'delete' ? 0 : 1,
        'the letter to nobody is theirs alone',
      );
      await bench.erase('person:2', mode);
      assert.doesNotMatch(JSON.stringify(await bench.rows('letters')), /a1|a2|s2/);
    });

test('what a duty keeps and the map replaces is replaced but for the column of both', async (t) => {
  const on_erasure = { keep: 'legal_obligation', cite: 'code', replace: { body: null, subject: null } };
  const bench = await workbench(t, { schema: LETTERS, map: ownedLetters('about', { on_erasure }) });
  await bench.erase('person:1');
  assert.deepEqual((await firstTwo(bench))[0], { id: 1, subject: null, body: 'a1 b1' });
  assert.deepEqual((await bench.pool.query('select subject, body from letters where id = 3')).rows, [
    { subject: null, body: null },
  ]);
});

test('a column of one of the two is theirs alone, beside one that is of both', async (t) => {
  const bench = await workbench(t, { schema: LETTERS, map: lettersMap({ of: BOTH }, { ...content, of: 'from_id' }) });
  assert.equal(JSON.stringify((await exported(bench, 'person:1')).rows['public.letters']).includes('s2'), false);
  await bench.erase('person:1');
  assert.deepEqual((await bench.pool.query('select id::int, subject, body from letters where id < 4 order by id')).rows, [
    { id: 1, subject: null, body: 'a1 b1' },
    { id: 2, subject: 's2', body: 'a2 b2' },
    { id: 3, subject: null, body: null },
  ]);
});

test('a person whose row leads to another person is not owned by them, nor is what hangs on that person', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} alter table people add guardian_id bigint references people; update people set guardian_id = 1 where id = 2;
      create table visits (id bigint primary key, person_id bigint not null references people, reason text);
      insert into visits values (1, 1, 'mine'), (2, 2, 'the child')`,
    map: mapWith(
      { visits: { of: { person: 'person_id' }, columns: { id: none, person_id: none, reason: content } } },
      {
        of: { person: 'guardian_id' },
        columns: { id: none, name, email: { category: 'user.contact.email' }, guardian_id: none },
      },
    ),
  });
  await bench.erase('person:1', 'delete');
  assert.deepEqual(await bench.rows('people'), ['(2,"Ben Cole",ben@example.org,)', '(3,"Cy Dunn",cy@example.org,)']);
  assert.deepEqual(await bench.rows('visits'), ['(2,2,"the child")']);
});

test('a map that says that one person owns another takes nothing from them', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} alter table people add guardian_id bigint references people; update people set guardian_id = 1 where id = 2;
      create table visits (id bigint primary key, person_id bigint not null references people, reason text);
      insert into visits values (1, 1, 'mine'), (2, 2, 'the child')`,
    map: mapWith(
      { visits: { of: { person: 'person_id' }, columns: { id: none, person_id: none, reason: content } } },
      {
        of: { person: { path: 'guardian_id', meaning: 'owns' } },
        columns: { id: none, name, email: { category: 'user.contact.email' }, guardian_id: none },
      },
    ),
  });
  await bench.erase('person:1');
  assert.deepEqual(await bench.rows('people', 'id > 1'), ['(2,"Ben Cole",ben@example.org,1)', '(3,"Cy Dunn",cy@example.org,)']);
  assert.deepEqual(await bench.rows('visits'), ['(1,1,)', '(2,2,"the child")']);
});

test('what two people own goes with the second of them', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table accounts (id bigint primary key, holder bigint not null references people, co_holder bigint references people, note text);
      insert into accounts values (1, 1, 2, 'joint'), (2, 1, null, 'single'), (3, 1, 1, 'twice')`,
    map: mapWith({
      accounts: {
        of: {
          person: [
            { path: 'holder', meaning: 'owns' },
            { path: 'co_holder', meaning: 'owns' },
          ],
        },
        columns: { id: none, holder: none, co_holder: none, note: content },
      },
    }),
  });
  await bench.erase('person:1');
  assert.deepEqual(await bench.rows('accounts'), ['(1,1,2,joint)', '(2,1,,)', '(3,1,1,)']);
  await bench.erase('person:2');
  assert.deepEqual(await bench.rows('accounts', 'id = 1'), ['(1,1,2,)']);
});

test("an answer is its author's, whoever began the thread, and so is what hangs on the answer", async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table posts (id bigint primary key, author bigint references people, parent bigint references posts, body text);
      create table files (id bigint primary key, post bigint not null references posts, title text);
      insert into posts values (1, 1, null, 'a'), (2, 2, 1, 'b'), (3, 1, 2, 'c'), (4, null, 1, 'd'), (5, 3, 2, 'e');
      insert into files select n, n, 'file ' || n from generate_series(1, 5) as n`,
    map: mapWith({
      posts: {
        of: {
          person: [
            { path: 'author', meaning: 'owns' },
            { path: 'parent -> posts.author', meaning: 'owns' },
          ],
        },
        columns: { id: none, author: none, parent: none, body: content },
      },
      files: {
        of: { person: { path: 'post -> posts.author', meaning: 'owns' } },
        columns: { id: none, post: none, title: content },
      },
    }),
  });
  await bench.erase('person:1');
  assert.deepEqual(await bench.rows('posts'), ['(1,1,,)', '(2,2,1,b)', '(3,1,2,)', '(4,,1,)', '(5,3,2,e)']);
  assert.deepEqual(await bench.rows('files', 'title is not null'), ['(2,2,"file 2")', '(5,5,"file 5")']);
});

test('of what several people stand in, and of what somebody only wrote or saw, each gets what is marked as theirs and no more', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table visits (id bigint primary key, customer bigint not null references people, rep bigint references people, day text, diagnosis text, remark text);
      insert into visits values (1, 1, 2, 'Monday', 'of Ada', 'by Ben'), (2, 1, null, 'Tuesday', 'of Ada', null), (3, 2, 2, 'Friday', 'of Ben', 'by Ben');
      create table incidents (id bigint primary key, owner bigint not null references people, witness bigint references people, story text, statement text);
      insert into incidents values (1, 1, 2, 'of Ada', 'by Ben');
      create table works (id bigint primary key, author bigint references people on delete set null, title text, author_name text, patient_name text);
      insert into works values (1, 2, 'x-ray', 'Ben Cole', 'Jon Doe')`,
    map: mapWith({
      visits: {
        of: { person: ['customer', 'rep'] },
        columns: {
          id: none,
          customer: none,
          rep: none,
          day: none,
          diagnosis: { category: 'user.health_and_medical', of: 'customer' },
          remark: content,
        },
      },
      incidents: {
        of: {
          person: [
            { path: 'owner', meaning: 'owns' },
            { path: 'witness', meaning: 'about' },
          ],
        },
        columns: { id: none, owner: none, witness: none, story: content, statement: { ...content, of: 'witness' } },
      },
      works: {
        of: { person: 'author' },
        columns: { id: none, author: none, title: none, author_name: { ...name, of: 'author' }, patient_name: name },
      },
    }),
  });
  const ben = await exported(bench, 'person:2');
  assert.deepEqual(ben.rows['public.visits'], [
    { id: 1, customer: null, rep: 2, day: 'Monday', diagnosis: null, remark: null },
    { id: 3, customer: 2, rep: 2, day: 'Friday', diagnosis: 'of Ben', remark: 'by Ben' },
  ]);
  assert.deepEqual(ben.rows['public.incidents'], [{ id: 1, owner: null, witness: 2, story: null, statement: 'by Ben' }]);
  assert.deepEqual(ben.rows['public.works'], [{ id: 1, author: 2, title: 'x-ray', author_name: 'Ben Cole', patient_name: null }]);
  const reason = 'in 1 entry not theirs alone, and not marked as theirs in the map';
  assert.deepEqual(ben.withheld, [
    { table: 'public.incidents', column: 'story', reason },
    { table: 'public.visits', column: 'remark', reason },
    { table: 'public.works', column: 'patient_name', reason },
  ]);
  const ada = await exported(bench, 'person:1');
  assert.deepEqual(ada.rows['public.visits'], [
    { id: 1, customer: 1, rep: null, day: 'Monday', diagnosis: 'of Ada', remark: null },
    { id: 2, customer: 1, rep: null, day: 'Tuesday', diagnosis: 'of Ada', remark: null },
  ]);
  assert.deepEqual(ada.rows['public.incidents'], [{ id: 1, owner: 1, witness: null, story: 'of Ada', statement: null }]);
  await bench.erase('person:2');
  assert.deepEqual(await bench.rows('visits'), [
    '(1,1,2,Monday,"of Ada","by Ben")',
    '(2,1,,Tuesday,"of Ada",)',
    '(3,2,2,Friday,,)',
  ]);
  assert.deepEqual(await bench.rows('incidents'), ['(1,1,2,"of Ada",)']);
  assert.deepEqual(await bench.rows('works'), ['(1,,x-ray,,"Jon Doe")'], "what is marked as its author's goes with the author");
});

test('whoever was erased and came back is somebody again in what others share with them', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table chats (id bigint primary key, a bigint not null references people, b bigint not null references people, body text);
      insert into chats values (1, 1, 2, 'old')`,
    map: mapWith({ chats: { of: { person: ['a', 'b'] }, columns: { id: none, a: none, b: none, body: content } } }),
  });
  await bench.erase('person:1');
  const alone = (await bench.plan('person:2')).tables.find(({ table }) => table === 'public.chats');
  assert.match(alone?.reason ?? '', /nobody else stands in it/);
  await bench.pool.query(
    `update people set name = 'Ada Byron', email = 'ada@example.org' where id = 1; insert into chats values (2, 1, 2, 'new')`,
  );
  const shared = (await bench.plan('person:2')).tables.find(({ table }) => table === 'public.chats');
  assert.deepEqual([shared?.action, shared?.basis, shared?.rows], ['keep', 'rights_of_others', 2]);
  await bench.erase('person:2');
  assert.deepEqual(await bench.rows('chats'), ['(1,1,2,old)', '(2,1,2,new)']);
});

test('what one path leads several people to, a household, an account or one e-mail address, stays whole and unshown while one of them stays', async (t) => {
  const bench = await workbench(t, {
    schema: `create table addresses (id bigint primary key, street text not null); insert into addresses values (7, 'Elm Street'), (8, 'Oak Road');
      create table people (id bigint primary key, name text not null, email text, address_id bigint references addresses);
      insert into people values (1, 'Ada Byron', 'home@example.org', 7), (2, 'Ben Cole', 'home@example.org', 7), (3, 'Cy Dunn', 'cy@example.org', 8);
      create table accounts (id bigint primary key, iban text, nick text); insert into accounts values (1, 'DE1', 'ours'), (2, 'DE2', 'mine');
      create table holders (account_id bigint references accounts, person_id bigint references people, primary key (account_id, person_id));
      insert into holders values (1, 1), (1, 2), (2, 1);
      create table moves (id bigint primary key, account_id bigint references accounts, what text);
      insert into moves values (1, 1, 'of both'), (2, 2, 'of Ada');
      create table letters (id bigint primary key, email text, body text); insert into letters values (1, 'home@example.org', 'Dear Ben'), (2, 'cy@example.org', 'Dear Cy')`,
    map: mapWith(
      {
        addresses: { of: { person: 'id <- people.address_id' }, columns: { id: none, street: content } },
        holders: { of: { person: 'person_id' }, columns: { account_id: none, person_id: none } },
        accounts: {
          of: { person: 'id <- holders.account_id -> person_id' },
          columns: { id: none, iban: { ...content, of: 'id <- holders.account_id -> person_id' }, nick: content },
        },
        moves: {
          of: { person: 'account_id -> accounts.id <- holders.account_id -> person_id' },
          columns: { id: none, account_id: none, what: content },
        },
        letters: {
          of: { person: { path: 'email -> people.email', meaning: 'owns' } },
          columns: { id: none, email: { category: 'user.contact.email' }, body: { ...content, of: 'email -> people.email' } },
        },
      },
      { columns: { id: none, name, email: { category: 'user.contact.email' }, address_id: none } },
    ),
  });
  const { rows: given, withheld } = await exported(bench, 'person:1');
  assert.deepEqual(given['public.addresses'], [{ id: 7, street: null }]);
  assert.deepEqual(given['public.moves'], [
    { id: 1, account_id: 1, what: null },
    { id: 2, account_id: 2, what: 'of Ada' },
  ]);
  assert.deepEqual(given['public.letters'], [{ id: 1, email: 'home@example.org', body: null }]);
  assert.deepEqual(
    given['public.accounts'],
    [
      { id: 1, iban: 'DE1', nick: null },
      { id: 2, iban: 'DE2', nick: 'mine' },
    ],
    'the map may say that a column is of all holders',
  );
  assert.deepEqual(
    withheld.map((each) => Object.values(each).slice(0, 2).join(' ')),
    ['public.accounts nick', 'public.addresses street', 'public.letters body', 'public.moves what'],
  );
  const plan = await bench.plan('person:1', 'delete');
  for (const column of ['accounts: iban', 'accounts: nick', 'addresses: street', 'letters: body', 'moves: what'])
    assert.equal(plan.kept.find(({ table }) => table === `public.${column}`)?.reason, 'it is also of people who stay', column);
  await bench.hold('person:2');
  assert.deepEqual(
    (await bench.plan('person:1', 'delete')).holds.map(({ rows, wholePerson }) => [rows, wholePerson]),
    [[4, false]],
    'and a hold on the other one holds it',
  );
  await bench.erase('person:1', 'delete');
  const left = async (): Promise<readonly string[]> =>
    (await Promise.all(['addresses', 'accounts', 'moves', 'letters'].map((table) => bench.rows(table)))).flat();
  assert.deepEqual(await left(), [
    '(7,"Elm Street")',
    '(8,"Oak Road")',
    '(1,DE1,ours)',
    '(1,1,"of both")',
    '(1,home@example.org,"Dear Ben")',
    '(2,cy@example.org,"Dear Cy")',
  ]);
  assert.equal((await exported(bench, 'person:2')).rows['public.moves']?.length, 1, 'the other one loses nothing');
});

test('a household of whom the last is erased has no address any more', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table rooms (id bigint primary key, note text); insert into rooms values (1, 'twin beds');
      alter table people add room_id bigint references rooms; update people set room_id = 1 where id < 3`,
    map: mapWith(
      { rooms: { of: { person: 'id <- people.room_id' }, columns: { id: none, note: content } } },
      { columns: { id: none, name, email: { category: 'user.contact.email' }, room_id: none } },
    ),
  });
  await bench.erase('person:1');
  assert.deepEqual(await bench.rows('rooms'), ['(1,"twin beds")']);
  await bench.erase('person:2');
  assert.deepEqual(await bench.rows('rooms'), ['(1,)']);
});

test('a hold on the same human under another kind of subject holds them and what they share, by whatever key', async (t) => {
  const subject = { table: 'public.people', find_by: ['email'], label: 'name' };
  const map = mapWith(
    {
      notes: { of: { person: ['a', 'b'] }, columns: { id: none, a: none, b: none, body: content } },
    },
    { columns: { id: none, name, email: { category: 'user.contact.email' }, staff_no: none } },
  );
  const bench = await workbench(t, {
    schema: `${PEOPLE} alter table people add staff_no text unique; update people set staff_no = 'S' || id where id < 3;
      create table notes (id bigint primary key, a bigint references people, b bigint references people, body text);
      insert into notes values (1, 1, null, 'of Ada'), (2, 3, 2, 'of Cy and Ben')`,
    map: {
      ...map,
      subjects: {
        person: { ...subject, key: 'id' },
        customer: { ...subject, key: 'id' },
        employee: { ...subject, key: 'staff_no' },
      },
    },
  });
  const held = async (subject: string) =>
    (await bench.plan(subject)).holds.map(({ target, rows, wholePerson }) => [target, rows, wholePerson]);
  await bench.hold('customer:1');
  assert.deepEqual(await held('person:1'), [['customer:1', 2, true]]);
  await bench.hold('employee:S2');
  assert.deepEqual(await held('person:3'), [['employee:S2', 1, false]]);
  assert.equal((await held('person:2'))[0]?.[2], true);
  await assert.rejects(bench.erase('person:1'), { code: 'erasure-held' });
});

test('a tenant finds, exports and erases its own people only, and a map without tenants serves the one that was here first', async (t) => {
  const bench = await workbench(t, {
    schema: `create table clinics (id bigint primary key, tenant text); insert into clinics values (1, 'default'), (2, 'other');
      create table people (id bigint primary key, name text not null, clinic_id bigint references clinics);
      insert into people values (1, 'Ada Byron', 1), (2, 'Ben Cole', 2), (3, 'Cy Dunn', null);
      create table letters (id bigint primary key, name text, clinic_id bigint references clinics, body text);
      insert into letters values (1, 'Ada Byron', 1, 'ours'), (2, 'Ada Byron', 2, 'theirs')`,
    map: tenantMap({ path: 'clinic_id -> clinics.tenant' }),
  });
  const asks = async (ground: Workbench['ground'], subject: string): Promise<readonly unknown[]> => {
    const codeOf = async (run: () => Promise<unknown>): Promise<unknown> =>
      await run().then(
        () => 'served',
        (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
      );
    const order = { ...parseSubject(ground.map, subject), format: 'json', window: { from: null, to: null } } as const;
    return [
      await codeOf(() => exportSubject({ ...ground, directory: bench.folder, key: randomBytes(32) }, order)),
      await codeOf(() => bench.plan(subject, 'anonymise', ground)),
    ];
  };
  const unknown = ['subject-unknown', 'subject-unknown'];
  assert.deepEqual(await asks(bench.ground, 'person:2'), unknown, 'of another tenant');
  assert.deepEqual(await asks(bench.ground, 'person:3'), unknown, 'of none');
  assert.deepEqual((await findSubjects(bench.ground, 'Ben Cole', { limit: 5 })).matches, []);
  assert.deepEqual(
    (await exported(bench, 'person:1')).rows['public.letters']?.map((row) => Object.values(row)[3]),
    ['ours'],
  );
  await bench.erase('person:1');
  assert.deepEqual(await bench.rows('letters', 'body is not null'), ['(2,"Ada Byron",2,theirs)']);

  await bench.pool.query(`insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')`);
  const fixed = await bench.refresh(tenantMap('fixed'));
  assert.deepEqual(await asks(fixed, 'person:2'), ['served', 'served']);
  const others = { ...fixed, tenant: 'other' };
  assert.deepEqual(await asks(others, 'person:2'), ['tenant-of-others', 'tenant-of-others']);
  await assert.rejects(findSubjects(others, 'Ben Cole', { limit: 5 }), { code: 'tenant-of-others' });
  assert.deepEqual(await asks({ ...bench.ground, tenant: 'other' }, 'person:2'), ['served', 'served']);
  assert.deepEqual(await asks({ ...fixed, tenant: 'nobody' }, 'person:2'), ['tenant-unknown', 'tenant-unknown']);
  const lost = await bench.refresh(tenantMap({ path: 'clinic_id -> clinics.nothing' }));
  assert.deepEqual(await asks(lost, 'person:2'), ['map-does-not-fit', 'map-does-not-fit']);
});

function tenantMap(tenant: unknown): object {
  return {
    version: 1,
    tenant,
    subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
    tables: {
      'public.clinics': { tenant: { column: 'tenant' }, columns: { id: none, tenant: none } },
      'public.people': { columns: { id: none, name, clinic_id: none } },
      'public.letters': {
        of: { person: { path: 'name -> people.name', meaning: 'owns' } },
        columns: { id: none, name, clinic_id: none, body: content },
      },
    },
  };
}
