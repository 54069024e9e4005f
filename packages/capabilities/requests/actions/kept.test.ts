import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase } from '@safekeep/postgres';
import { Secret } from '@safekeep/core';
import { releaseHold, type HoldId } from '../../holds/index.ts';
import { checkSigned } from '../rules/certificate.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { eraseDue, planDue } from './due-erasures.ts';
import { exportSubject } from './export-subject.ts';
import { parseSubject, type ErasureGround } from './ground.ts';
import { runErasures } from './open-erasures.ts';

const none = { category: 'none' };
const content = { category: 'user.content.private' };
const name = { category: 'user.name' };
const mail = { category: 'user.contact.email' };
const people = { columns: { id: none, name, email: mail } };
const tax = { keep: 'legal_obligation', cite: 'tax', until: 'issued_at + 10y' };
const owns = (path: string): object => ({ person: { path, meaning: 'owns' } });

const PEOPLE = `create table people (id bigint primary key, name text not null, email text unique);
  insert into people select n, 'Name ' || n, 'p' || n || '@example.org' from generate_series(1, 6) as n;`;

function mapWith(tables: Readonly<Record<string, object>>): object {
  const named = Object.entries({ people, ...tables }).map(([table, mapped]) => [`public.${table}`, mapped]);
  return {
    version: 1,
    tenant: 'fixed',
    subjects: { person: { table: 'public.people', key: 'id', find_by: ['email', 'name'], label: 'name' } },
    tables: Object.fromEntries(named),
  };
}

const YEARS_LATER = new Date('2037-06-01T00:00:00Z');

/** Erases what is due years later; the states of all. */
async function eraseLater(bench: Workbench): Promise<readonly string[]> {
  const ground: ErasureGround = { ...bench.ground, clock: { ...bench.clock, now: () => YEARS_LATER } };
  const { hash, persons } = await planDue(ground, { by: 'ann' });
  if (hash === null) return persons.map(({ state }) => state);
  return (await eraseDue(ground, { by: 'ben', hash })).persons.map(({ state }) => state);
}

async function release(bench: Workbench, id: HoldId): Promise<void> {
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  await bench.pool.query(`update safekeep.erasures set state = 'due' where state = 'held'`);
}

test('what a duty or a hold keeps is found and erased when that ends, whatever the way from it to the person is', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table orders (id bigint primary key, number text, person_id bigint not null references people, note text);
      create table invoices (id bigint primary key, order_id bigint references orders on delete set null, payer text, issued_at date);
      create table letters (id bigint primary key, email text, payer text, issued_at date);
      create table parcels (id bigint primary key, order_number text, payer text, issued_at date);
      create table folders (id bigint primary key, cover bigint references orders on delete set null, person_id bigint not null references people, title text);
      insert into orders select n, 'nr ' || n, n, 'note ' || n from generate_series(1, 6) as n;
      insert into orders values (13, 'nr 13', 3, 'note 13');
      insert into invoices values (1, 1, 'payer 1', '2026-01-01'), (2, 2, 'payer 2', '2000-01-01');
      insert into letters values (31, 'p3@example.org', 'payer 31', '2026-01-01'), (32, 'p3@example.org', 'payer 32', '2000-01-01');
      insert into parcels values (3, 'nr 3', 'payer 3', '2026-01-01');
      insert into folders values (5, 5, 5, 'title 5'), (6, 6, 6, 'title 6')`,
    map: mapWith({
      orders: {
        of: owns('person_id'),
        columns: { id: none, number: { category: 'user.unique_id' }, person_id: none, note: content },
      },
      invoices: {
        of: owns('order_id -> orders.person_id'),
        on_erasure: tax,
        columns: { id: none, order_id: none, payer: name, issued_at: none },
      },
      letters: {
        of: owns('email -> people.email'),
        on_erasure: tax,
        columns: { id: none, email: mail, payer: name, issued_at: none },
      },
      parcels: {
        of: owns('order_number -> orders.number -> person_id'),
        on_erasure: tax,
        columns: { id: none, order_number: { category: 'user.unique_id' }, payer: name, issued_at: none },
      },
      folders: { of: owns('person_id'), columns: { id: none, cover: none, person_id: none, title: content } },
    }),
  });
  const texts = async (): Promise<string> =>
    (await Promise.all(['people', 'orders', 'invoices', 'letters', 'parcels'].map((table) => bench.rows(table)))).flat().join('\n');
  // The order stays, empty, though its foreign key would set null; of another, whose invoice need not be kept, nothing does.
  assert.equal((await bench.erase('person:1', 'delete')).state, 'kept');
  assert.deepEqual(await bench.rows('invoices', 'id = 1'), ['(1,1,"payer 1",2026-01-01)']);
  assert.deepEqual(await bench.rows('orders', 'id = 1'), ['(1,,1,)']);
  assert.equal((await bench.erase('person:2', 'delete')).state, 'done');
  assert.deepEqual([...(await bench.rows('invoices', 'id = 2')), ...(await bench.rows('orders', 'id = 2'))], []);
  // By address, and over the number of an order, with no foreign key; what nothing kept leads over is masked.
  const plan = await bench.plan('person:3');
  assert.deepEqual(
    plan.kept.filter(({ reason }) => reason.startsWith('by it')).map(({ table, rows }) => [table, rows]),
    [
      ['public.orders: number', 1],
      ['public.people: email', 1],
    ],
  );
  const { state, certificate } = await bench.approve('person:3', plan.hash);
  assert.equal(state, 'kept');
  assert.match(await readFile(certificate ?? '', 'utf8'), /by it a row that is kept leads to the person/);
  assert.deepEqual(await bench.rows('people', 'id = 3'), ['(3,erased,p3@example.org)']);
  assert.deepEqual(await bench.rows('letters', 'id in (31, 32)'), [
    '(31,p3@example.org,"payer 31",2026-01-01)',
    '(32,,,2000-01-01)',
  ]);
  assert.deepEqual(await bench.rows('orders', 'person_id = 3'), ['(13,,3,)', '(3,"nr 3",3,)']);
  // A held row is not changed by a foreign key that is no path, and comes when the hold ends.
  const held = await bench.hold('public.folders:5');
  assert.equal((await bench.erase('person:5', 'delete')).state, 'held');
  assert.deepEqual(await bench.rows('folders', 'id = 5'), ['(5,5,5,"title 5")']);
  await release(bench, held);
  await runErasures(bench.ground);
  assert.deepEqual([...(await bench.rows('folders', 'id = 5')), ...(await bench.rows('people', 'id = 5'))], []);
  assert.deepEqual(await eraseLater(bench), ['done', 'done']);
  assert.doesNotMatch(await texts(), /payer|p3@|nr 3|(nr|note) 1\b/);
});

test('what a trigger changes in rows that a duty or a hold keeps, or does to their way to the person, is told in the plan and refused', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table invoices (id bigint primary key, person_id bigint references people, payer text, issued_at date);
      insert into invoices select n, n, 'payer ' || n, '2026-01-01' from generate_series(1, 6) as n;
      create function follow() returns trigger language plpgsql as $$ begin
        if new.id <> 2 then update invoices set payer = new.name where person_id = new.id;
        else update invoices set person_id = 6 where person_id = new.id; end if; return null; end $$;
      create trigger follow after update on people for each row execute function follow()`,
    map: mapWith({
      invoices: {
        of: { person: 'person_id' },
        on_erasure: tax,
        columns: { id: none, person_id: none, payer: name, issued_at: none },
      },
    }),
  });
  for (const subject of ['person:1', 'person:2', 'person:3']) {
    if (subject === 'person:3') await bench.hold('public.invoices:3');
    const { blocked, hash } = await bench.plan(subject);
    assert.equal(blocked[0]?.table, 'public.invoices');
    assert.match(blocked[0]?.what ?? '', /what a duty or a hold keeps there is changed by a trigger/);
    await assert.rejects(bench.approve(subject, hash), { code: 'erasure-refused' });
  }
  assert.equal((await bench.rows('invoices', `payer like 'payer %' and person_id = id`)).length, 6);
  await bench.pool.query(`alter table people disable trigger follow`);
  assert.equal((await bench.erase('person:1', 'anonymise', await bench.refresh())).state, 'kept');
});

test('a delete that takes more rows than were meant, or fewer, is refused; a child of old inheritance with the same number stays', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table clicks (person_id bigint references people, agent text);
      create function soft() returns trigger language plpgsql as $$ begin return case when old.agent = 'keep' then null else old end; end $$;
      create trigger soft before delete on clicks for each row execute function soft();
      insert into clicks values (1, 'keep'), (1, 'agent'), (2, 'agent');
      create table visits (id bigint primary key, person_id bigint not null references people, by_id bigint references people, reason text);
      create table visits_old () inherits (visits);
      insert into visits select n, 3, null, 'three ' || n from generate_series(1, 7) as n; insert into visits values (8, 4, 3, 'four 8');
      insert into visits_old select n, 4, null, 'four old ' || n from generate_series(1, 7) as n;
      insert into visits_old values (8, 3, null, 'three old 8')`,
    map: mapWith({
      clicks: { of: owns('person_id'), columns: { person_id: none, agent: { category: 'user.device', erase: 'delete' } } },
      visits: {
        of: { person: ['person_id', { path: 'by_id', meaning: 'created_by' }] },
        columns: { id: none, person_id: none, by_id: none, reason: { ...content, of: 'person_id' } },
      },
    }),
  });
  const { blocked, hash } = await bench.plan('person:1');
  assert.match(blocked[0]?.what ?? '', /does not stay/);
  await assert.rejects(bench.approve('person:1', hash), { code: 'erasure-refused' });
  assert.equal((await bench.erase('person:2')).state, 'done');
  await bench.hold('person:6');
  const done = await bench.erase('person:3', 'delete', { ...bench.ground, rowsAtOnce: 3 });
  assert.deepEqual([done.state, done.counts], ['done', { deleted: 9, masked: 0, detached: 1, kept: 0 }]);
  assert.equal((await bench.rows('visits', `reason like 'three%'`)).length, 0);
  assert.equal((await bench.rows('visits', `reason like 'four%' and person_id = 4 and by_id is null`)).length, 8);
  const text: unknown = JSON.parse(await readFile(done.certificate ?? '', 'utf8'));
  assert.deepEqual(checkSigned(text, bench.ground.signer.verifierKey).faults, []);
});

test('rows of an heir that the map knows are the heir’s, with all of its columns; those of one it does not know go with the parent', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE}
      create table docs (id bigint primary key, person_id bigint references people, title text);
      create table docs_scanned (ocr text, primary key (id)) inherits (docs);
      create table docs_stamped (stamp text) inherits (docs_scanned);
      create table docs_old () inherits (docs);
      insert into docs select n, 1 + n % 2, 'plain ' || n from generate_series(1, 4) as n;
      insert into docs_scanned select n, 1 + n % 2, 'scan ' || n, 'text ' || n from generate_series(1, 4) as n;
      insert into docs_stamped values (1, 2, 'stamped', 'text', 'stamp');
      insert into docs_old select n, 1 + n % 2, 'old ' || n from generate_series(1, 4) as n`,
    map: mapWith({
      docs: { of: owns('person_id'), columns: { id: none, person_id: none, title: content } },
      docs_scanned: { of: owns('person_id'), columns: { id: none, person_id: none, title: content, ocr: content } },
      docs_stamped: { columns: { stamp: none } },
    }),
  });
  const order = { ...parseSubject(bench.ground.map, 'person:2'), format: 'json', window: { from: null, to: null } } as const;
  const { tables } = await exportSubject({ ...bench.ground, directory: bench.folder, key: randomBytes(32) }, order);
  assert.deepEqual(Object.fromEntries(tables.map(({ table, rows }) => [table, rows])), {
    'public.docs': 4,
    'public.docs_scanned': 3,
    'public.people': 1,
  });
  for (const [mode, person] of [
    ['anonymise', 2],
    ['delete', 1],
  ] as const) {
    const done = await bench.erase(`person:${person}`, mode);
    assert.equal(done.state, 'done', mode);
    assert.equal((await bench.rows('docs', `person_id = ${person} and (title ~ 'plain|scan|old|stamped')`)).length, 0, mode);
    assert.equal((await bench.rows('docs_scanned', `person_id = ${person} and ocr ~ 'text'`)).length, 0, mode);
  }
});

test('a person whose row is one of an heir of the table of persons is erased with all of its columns', async (t) => {
  const columns = { id: none, name, email: mail, salary: content };
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table employees (salary text, primary key (id)) inherits (people);
      insert into employees select n, 'Name ' || n, 'e' || n || '@example.org', 'much ' || n from generate_series(7, 8) as n`,
    map: mapWith({ employees: { of: owns('id'), columns } }),
  });
  for (const person of ['person:1', 'person:7']) assert.equal((await bench.erase(person)).state, 'done');
  assert.deepEqual(await bench.rows('employees'), ['(7,erased,,)', '(8,"Name 8",e8@example.org,"much 8")']);
  assert.equal((await bench.rows('only people', `name <> 'erased'`)).length, 5);
});

test('what hangs on rows of an heir by a path over its parent is found, a hold on them by the name of the parent holds, and an heir that is found by less is refused', async (t) => {
  const docs = { id: none, person_id: none, reader_id: none, title: content };
  const tables = {
    docs: { of: owns('person_id'), columns: docs },
    docs_scanned: { of: owns('person_id'), columns: docs },
    pages: { of: owns('doc_id -> docs.id -> person_id'), columns: { id: none, doc_id: none, words: content } },
  };
  const bench = await workbench(t, {
    schema: `${PEOPLE}
      create table docs (id bigint primary key, person_id bigint, reader_id bigint, title text);
      create table docs_scanned (primary key (id)) inherits (docs);
      create table pages (id bigint primary key, doc_id bigint, words text);
      insert into docs values (1, 1, 2, 'plain 1');
      insert into docs_scanned values (2, 1, 2, 'scan 2'), (3, 2, 1, 'scan 3');
      insert into pages select n, n, 'words ' || n from generate_series(1, 3) as n`,
    map: mapWith(tables),
  });
  const order = { ...parseSubject(bench.ground.map, 'person:1'), format: 'json', window: { from: null, to: null } } as const;
  const exported = await exportSubject({ ...bench.ground, directory: bench.folder, key: randomBytes(32) }, order);
  assert.equal(exported.tables.find(({ table }) => table === 'public.pages')?.rows, 2);
  assert.equal((await bench.erase('person:1')).state, 'done');
  assert.deepEqual(await bench.rows('pages', 'words is not null'), ['(3,3,"words 3")']);
  await bench.hold('public.docs:3');
  assert.equal((await bench.erase('person:2')).state, 'held');
  assert.deepEqual(await bench.rows('docs', 'title is not null'), ['(3,2,1,"scan 3")']);
  const reader = { person: ['person_id', 'reader_id'].map((path) => ({ path, meaning: 'owns' })) };
  const unfit = mapWith({ ...tables, docs: { ...tables.docs, of: reader } });
  await assert.rejects(bench.plan('person:3', 'anonymise', await bench.refresh(unfit)), {
    code: 'map-does-not-fit',
    message: /docs_scanned: its rows are rows of public.docs too, and it does not have all paths of that/,
  });
  await bench.pool.query('alter table docs_scanned add ocr text');
  const { docs_scanned: _, ...without } = tables;
  await assert.rejects(bench.plan('person:3', 'anonymise', await bench.refresh(mapWith(without))), {
    code: 'map-does-not-fit',
    message: /no path for what stands in ocr/,
  });
});

test('rows that this login does not see are not deleted by a foreign key behind its back', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table payslips (id bigint primary key, person_id bigint references people on delete cascade, amount int);
      insert into payslips values (1, 1, 100); alter table payslips enable row level security; create policy p on payslips using (amount < 0);
      create table secrets (person_id bigint references people on delete set null); insert into secrets values (1)`,
    map: mapWith({}),
  });
  const role = `kept_${process.pid}`;
  await bench.pool.query(`create role ${role} login password 'x'; grant usage on schema public, safekeep to ${role};
    grant all on all tables in schema public, safekeep to ${role}; revoke all on secrets from ${role}; grant execute on all functions in schema safekeep to ${role}`);
  const url = Object.assign(new URL(bench.url.reveal()), { username: role, password: 'x' });
  const database = await openDatabase(new Secret(url.href), { applicationName: 'kept' });
  try {
    const ground = { ...bench.ground, database };
    const { blocked, hash } = await bench.plan('person:1', 'delete', ground);
    assert.deepEqual(new Set(blocked.map(({ table }) => table)), new Set(['public.payslips', 'public.secrets']));
    await assert.rejects(bench.approve('person:1', hash, { ground }), { code: 'erasure-blocked' });
  } finally {
    await database.close();
    await bench.pool.query(`drop owned by ${role} cascade; drop role ${role}`);
  }
  assert.equal((await bench.rows('payslips')).length, 1);
});

test('a row that is held for somebody else is changed by no foreign key either: what it refers to stays, empty', async (t) => {
  for (const target of ['person:2', 'public.reviews:1', 'public.stars:1']) {
    const bench = await workbench(t, {
      schema: `${PEOPLE} create table orders (id bigint primary key, person_id bigint not null references people, note text);
        create table reviews (id bigint primary key, order_id bigint references orders on delete set null, author_id bigint references people, body text);
        create table stars (id bigint primary key, order_id bigint references orders on delete set null, stars integer);
        insert into orders values (1, 1, 'one'), (2, 1, 'two');
        insert into reviews values (1, 1, 2, 'of Two'), (2, 2, 3, 'of Three'); insert into stars values (1, 1, 5), (2, 2, 4)`,
      map: mapWith({
        orders: { of: owns('person_id'), columns: { id: none, person_id: none, note: content } },
        reviews: { of: owns('author_id'), columns: { id: none, order_id: none, author_id: none, body: content } },
      }),
    });
    const id = await bench.hold(target);
    const done = await bench.erase('person:1', 'delete');
    assert.equal(done.state, 'done', target);
    assert.deepEqual(await bench.rows('orders'), ['(1,1,)'], target);
    const table = target.includes('stars') ? 'stars' : 'reviews';
    assert.deepEqual(await bench.rows(table, 'order_id is not null'), [table === 'stars' ? '(1,1,5)' : '(1,1,2,"of Two")'], target);
    assert.deepEqual(
      (await bench.plan('person:1', 'delete')).holds.map((hold) => hold.id),
      [],
      'it keeps nothing of the person',
    );
    await release(bench, id);
    assert.equal((await bench.erase('person:1', 'delete')).state, 'done');
    assert.deepEqual([await bench.rows('orders'), await bench.rows('people', 'id = 1')], [[], []]);
  }
});

test('what a foreign key sets to null is counted, approved and certified; what a trigger writes where nothing is counted is refused', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table tickets (id bigint primary key, assignee bigint references people on delete set null);
      insert into tickets select n, 1 from generate_series(1, 50) as n;
      create table copies (old text); create extension postgres_fdw;
      create function hist() returns trigger language plpgsql as $$ begin
        if old.id = 2 then perform lo_from_bytea(0, convert_to(old.name, 'UTF8'));
        elsif old.id = 3 then insert into far select old.name;
        elsif old.id = 4 then insert into copies values (old.name); end if; return new; end $$;
      create trigger hist before update on people for each row execute function hist()`,
    map: mapWith({}),
  });
  const url = new URL(bench.url.reveal());
  await bench.pool
    .query(`create server loop foreign data wrapper postgres_fdw options (host '127.0.0.1', port '${url.port}', dbname '${url.pathname.slice(1)}');
    create user mapping for current_user server loop options (user '${url.username}', password '${decodeURIComponent(url.password)}');
    create foreign table far (old text) server loop options (table_name 'copies')`);
  const plan = await bench.plan('person:1', 'delete');
  assert.deepEqual(
    plan.tables.filter(({ action }) => action === 'detach').map(({ table, rows }) => [table, rows]),
    [['public.tickets', 50]],
  );
  await bench.pool.query('delete from tickets where id = 50');
  await assert.rejects(bench.approve('person:1', plan.hash, {}), { code: 'erasure-plan-changed' });
  const done = await bench.erase('person:1', 'delete');
  const { document } = JSON.parse(await readFile(done.certificate ?? '', 'utf8'));
  assert.deepEqual(document.tables, [
    { table: 'public.people', before: 1, deleted: 1, masked: 0, detached: 0, kept: 0 },
    { table: 'public.tickets', before: 49, deleted: 0, masked: 0, detached: 49, kept: 0 },
  ]);
  const written = async (subject: string, ground = bench.ground): Promise<readonly (string | null)[]> =>
    (await bench.plan(subject, 'anonymise', ground)).blocked.map(({ table }) => table);
  assert.deepEqual(await written('person:2'), ['pg_catalog.pg_largeobject']);
  assert.deepEqual(await written('person:3'), ['public.far']);
  assert.deepEqual(await written('person:4'), ['public.copies']);
  await bench.pool.query(`alter database ${url.pathname.slice(1)} set track_counts = off`);
  const database = await openDatabase(bench.url, { applicationName: 'uncounted' });
  try {
    const { blocked } = await bench.plan('person:4', 'anonymise', { ...bench.ground, database });
    assert.match(blocked[0]?.what ?? '', /track_counts is off/);
  } finally {
    await database.close();
  }
});

test('a row that is masked already, and that a trigger leaves out of an UPDATE that changes nothing, is erased; one that it should not leave out is told', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} update people set name = 'erased', email = null where id = 1;
      create function stop() returns trigger language plpgsql as $$ begin return case when old.id <> 2 then new end; end $$;
      create trigger same before update on people for each row execute function suppress_redundant_updates_trigger();
      create trigger stop before update on people for each row execute function stop()`,
    map: mapWith({}),
  });
  assert.equal((await bench.erase('person:1')).state, 'done');
  const { blocked } = await bench.plan('person:2');
  assert.match(blocked[0]?.what ?? '', /does not stay/);
});

test('a large object that a row names does not stay behind it: a plan says so, and with a trigger that takes it along the person is erased', async (t) => {
  const scans = { of: owns('person_id'), columns: { id: none, person_id: none, file: content, shelf: none } };
  const bench = await workbench(t, {
    schema: `${PEOPLE} create extension lo;
      create table scans (id bigint primary key, person_id bigint references people, file lo, shelf oid);
      insert into scans select n, n, lo_from_bytea(0, convert_to('scan ' || n, 'UTF8')), lo_from_bytea(0, '\\x00') from generate_series(1, 3) as n`,
    map: mapWith({ scans }),
  });
  const left = async (): Promise<number> =>
    (await bench.pool.query(`select from pg_largeobject where position('scan 1' in data) + position('scan 2' in data) > 0`)).rows
      .length;
  for (const mode of ['anonymise', 'delete'] as const) {
    const { blocked, hash } = await bench.plan('person:1', mode);
    assert.match(blocked[0]?.what ?? '', /name large objects/, mode);
    await assert.rejects(bench.approve('person:1', hash), { code: 'erasure-refused' }, mode);
  }
  const order = { ...parseSubject(bench.ground.map, 'person:1'), format: 'json', window: { from: null, to: null } } as const;
  const { withheld } = await exportSubject({ ...bench.ground, directory: bench.folder, key: randomBytes(32) }, order);
  assert.deepEqual(
    withheld.map(({ column, reason }) => [column, /large object/.test(reason)]),
    [['file', true]],
  );
  await bench.pool.query('create trigger go before update or delete on scans for each row execute function lo_manage(file)');
  const triggers = { go: { writes_to: 'pg_catalog.pg_largeobject', note: 'takes the object with the row' } };
  const ground = await bench.refresh(mapWith({ scans: { ...scans, triggers } }));
  assert.equal((await bench.erase('person:1', 'anonymise', ground)).state, 'done');
  assert.equal((await bench.erase('person:2', 'delete', ground)).state, 'done');
  assert.equal(await left(), 0);
  assert.equal((await bench.pool.query('select from pg_largeobject_metadata')).rows.length, 4, 'nothing of anybody else');
});

test('what the map does not know and a foreign key ties to the person, and what it leads to nobody from, is named as not looked at: in plan, certificate and export', async (t) => {
  const bench = await workbench(t, {
    schema: `create table logins (name text primary key); insert into logins values ('ada.byron'); ${PEOPLE}
      alter table people add login text references logins default 'ada.byron';
      create table allergies (person_id bigint not null references people, what text); insert into allergies values (1, 'nuts');
      create table orders (id bigint primary key, person_id bigint references people on delete set null, ship_name text); insert into orders values (1, 1, 'Ada Byron');
      create table mails (id bigint primary key, sent_to text); insert into mails values (1, 'ada@example.org')`,
    map: mapWith({
      mails: { columns: { id: none, sent_to: { category: 'user.contact.email' } } },
      orders: { of: { person: 'person_id' }, columns: { id: none, person_id: none, ship_name: name } },
    }),
  });
  const done = await bench.erase('person:1');
  assert.equal(done.state, 'done');
  const { document } = JSON.parse(await readFile(done.certificate ?? '', 'utf8'));
  const expected = [
    ['public.orders: ship_name', 1, /does not say whose it is/],
    ['public.people: login', 1, /says nothing about it/],
    ['public.allergies', 0, /^not looked at: the map does not know it, and its foreign key allergies_person_id_fkey leads to/],
    ['public.mails', 0, /^not looked at: it holds personal data, and the map has no way from it to a person/],
  ] as const;
  const unsaid = document.kept.filter(({ basis }: { basis: string | null }) => basis === 'not_mapped');
  assert.equal(unsaid.length, expected.length);
  for (const [table, rows, reason] of expected) {
    const line = unsaid.find((each: { table: string }) => each.table === table);
    assert.equal(line?.rows, rows, table);
    assert.match(line.reason, reason);
  }
  assert.equal(document.map, bench.ground.mapSha256);
  const { ground } = bench;
  const out = join(bench.folder, 'export.zip');
  const order = { ...parseSubject(ground.map, 'person:2'), format: 'zip', window: { from: null, to: null }, out } as const;
  const { withheld } = await exportSubject({ ...ground, directory: bench.folder, key: randomBytes(32) }, order);
  for (const unseen of ['public.allergies', 'public.mails'])
    assert.ok(
      withheld.some(({ table, column, reason }) => table === unseen && column === '*' && /not looked at/.test(reason)),
      unseen,
    );
});
