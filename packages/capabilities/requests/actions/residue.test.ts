import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId, Secret } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { workbench } from '../testing/workbench.ts';

const PEOPLE = `
  create table public.people (id bigint primary key, name text not null, email text not null);
  create table public.visits (id bigint not null, person_id bigint not null references public.people, at date not null, reason text, primary key (id, at)) partition by range (at);
  create table public.visits_2026 partition of public.visits for values from ('2026-01-01') to ('2027-01-01');
  create index on public.visits (person_id);
  insert into public.people select n, case when n = 1 then 'Ada Rarename' else 'name ' || n % 7 end, 'person-' || n || '@example.org' from generate_series(1, 300) as n;
  insert into public.visits select n, n, '2026-03-01', 'Raredisease ' || n from generate_series(1, 40) as n;
  create view public.names as select id, name from public.people;
  create materialized view public.directory as select * from public.names;
  create materialized view public.of_2026 as select * from public.visits_2026;
  analyze;`;
const PEOPLE_MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'name' } },
  tables: {
    'public.people': {
      columns: {
        id: { category: 'user.unique_id' },
        name: { category: 'user.name' },
        email: { category: 'user.contact.email' },
      },
    },
    'public.visits': {
      of: { person: 'person_id' },
      columns: {
        id: { category: 'none' },
        person_id: { category: 'user.unique_id' },
        at: { category: 'none' },
        reason: { category: 'user.health_and_medical' },
      },
    },
  },
};

test('what lies in the files of the server is told from what was written, partitions, the log and materialized views included', async (t) => {
  const bench = await workbench(t, { schema: PEOPLE, map: PEOPLE_MAP });
  // As long as somebody may still see them, no reader cleans old versions up in passing.
  const reader = await bench.pool.connect();
  await reader.query('begin isolation level repeatable read; select from public.people limit 1');
  const { residue, state, verified } = await bench.erase('person:1');
  assert.deepEqual([state, verified], ['done', true]);
  const told = new Map(residue.map(({ place, what, count }) => [place, { what, count }]));
  assert.match(told.get('public.people')?.what ?? '', /old versions of rows .*in the clear: name, email/);
  assert.match(told.get('public.visits')?.what ?? '', /old versions of rows .*in the clear: reason/);
  assert.deepEqual(told.get('write-ahead log')?.count, 2);
  for (const view of ['directory', 'of_2026']) assert.match(told.get(`public.${view}`)?.what ?? '', /materialized view/, view);
  // It is so: the old values are there to read.
  await bench.pool.query('checkpoint');
  for (const table of ['people', 'visits_2026']) {
    const { rows } = await bench.pool.query<{ is: boolean }>(
      `select position('\\x52617265'::bytea in pg_read_binary_file(pg_relation_filepath('public.${table}'))) > 0 as is`,
    );
    assert.equal(rows[0]?.is, true, table);
  }
  await reader.query('commit');
  reader.release();
  const again = await bench.plan('person:1');
  assert.equal(again.erasedBefore?.at, '2026-11-21T10:00:00.000Z');
  assert.match(again.erasedBefore.certificate, /^erasure-.*\.json$/);
});

test('after VACUUM the old versions are gone from the rows, and the free space of the pages is told', async (t) => {
  const bench = await workbench(t, { schema: PEOPLE, map: PEOPLE_MAP });
  const { hash } = await bench.plan('person:1');
  const { residue } = await bench.approve('person:1', hash, { vacuum: true });
  const people = residue.filter(({ place }) => place === 'public.people' || place === 'public.visits');
  assert.deepEqual(
    people.map(({ what, count }) => [/free space of the pages/.test(what), count]),
    [
      [true, 1],
      [true, 1],
    ],
  );
});

test('statistics that the login may not make anew are told: the server only warns', async (t) => {
  const bench = await workbench(t, { schema: PEOPLE, map: PEOPLE_MAP });
  const login = `clerk_${newId<'login'>().slice(-12)}`;
  await bench.pool.query(`create role ${login} login password 'x' in role safekeep_app;
    grant select, insert, update, delete on all tables in schema public to ${login}`);
  const url = new URL(bench.url.reveal());
  [url.username, url.password] = [login, 'x'];
  const database = await openDatabase(new Secret(url.href));
  try {
    const { residue } = await bench.erase('person:1', 'anonymise', { ...bench.ground, database });
    const statistics = residue.filter(({ what }) => what.includes('pg_stats'));
    assert.deepEqual(
      statistics.map(({ place }) => place),
      ['public.people', 'public.visits'],
    );
  } finally {
    await database.close();
    // A role belongs to the whole server and would stay.
    await bench.pool.query(`drop owned by ${login}; drop role ${login}`);
  }
});
