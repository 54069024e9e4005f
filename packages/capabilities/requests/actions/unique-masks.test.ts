import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workbench } from '../testing/workbench.ts';

const none = { category: 'none' };
const id = { category: 'user.unique_id' };

function mapWith(table: string, columns: object, of: object): object {
  return {
    version: 1,
    tenant: 'fixed',
    subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
    tables: {
      'public.people': { columns: { id: none, name: { category: 'user.name' } } },
      [`public.${table}`]: { of, columns },
    },
  };
}

const PEOPLE = `create table people (id bigint primary key, name text not null); insert into people values (1, 'Ada'), (5, 'Ben');`;

test('the masks of unique columns never meet: not each other, not those of people erased before, in types with little room', async (t) => {
  const types = {
    num: ['integer', 'n'],
    small: ['smallint', 'n % 9000'],
    positive: ['integer', 'n'],
    price: ['numeric(6,2)', 'n % 9000'],
    day: ['date', `date '1900-01-01' + n`],
    at: ['timestamptz', `timestamptz '2000-01-01Z' + n * interval '1 minute'`],
    hour: ['time', `time '00:00' + n * interval '1 second'`],
    address: ['inet', `inet '10.0.0.0' + n`],
    bytes: ['bytea', `int8send(n)`],
    code: ['char(4)', `lpad(to_hex(n), 4, 'z')`],
  };
  const columns = Object.entries(types).map(([name, [type = '']]) => `${name} ${type} not null unique`);
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table cards (id bigint primary key, person_id bigint not null references people, ${columns.join(', ')}, check (positive > 0),
        label text not null, exclude using btree (label with =));
      create index on cards (person_id);
      insert into cards select n, case when n <= 3000 then 1 else 5 end, ${Object.values(types)
        .map(([, value = '']) => value)
        .join(', ')}, 'label ' || n from generate_series(1, 6000) as n; analyze`,
    map: mapWith(
      'cards',
      { id: none, person_id: none, label: id, ...Object.fromEntries(Object.keys(types).map((name) => [name, id])) },
      { person: 'person_id' },
    ),
  });
  for (const person of ['person:1', 'person:5']) {
    const plan = await bench.plan(person);
    assert.deepEqual(plan.blocked, []);
    assert.equal((await bench.approve(person, plan.hash)).state, 'done');
  }
  const { rows } = await bench.pool.query(
    `select count(*)::int as old from cards where label like 'label%' or num > 0 or positive < 7000 or address << '10.0.0.0/8'`,
  );
  assert.equal(rows[0].old, 0);
});

test('a column of a path that no foreign key guards never comes to name somebody else', async (t) => {
  const bench = await workbench(t, {
    schema: `${PEOPLE} create table clicks (id bigint primary key, person_id bigint not null check (person_id > 0), other_id bigint, agent text);
      insert into clicks values (1, 5, 5, 'a'), (2, 1, 1, 'b')`,
    map: mapWith(
      'clicks',
      { id: none, person_id: id, other_id: id, agent: { category: 'user.device' } },
      { person: ['person_id -> people.id', 'other_id -> people.id'] },
    ),
  });
  await bench.erase('person:5');
  assert.deepEqual(await bench.rows('clicks'), ['(1,5,,)', '(2,1,1,b)']);
});
