import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testServers } from '@safekeep/postgres/testing';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { readCaptures } from '../verification/store/standing.ts';
import { readLiveRows, readLiveRowsOf } from './live-rows.ts';
import { readOnly } from './read-only.ts';

const plain = { category: 'none', note: 'looked at' };

/** What stands in these rows, and how the table was read. */
async function read(bench: Workbench, records: readonly string[]) {
  return await readOnly(bench.database, 'default', async (client) => {
    const [capture] = await readCaptures(client, 'default');
    const rows = await readLiveRows(client, capture ?? assert.fail('nothing is captured'), records);
    const { rows: scans } = await client.query<{ sequential: number; byIndex: number }>(
      `select seq_scan::integer as sequential, idx_scan::integer as "byIndex" from pg_stat_xact_user_tables where relname = 'things'`,
    );
    return { rows: rows && [...rows].toSorted(([one], [other]) => (one < other ? -1 : 1)), scans: scans[0] };
  });
}

for (const server of testServers()) {
  test(`rows whose key is of an enumerated type or a domain are found by its index on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, {
      server,
      setUp: `create type mood as enum ('so, so', 'bad'); create domain numbered as integer check (value > 0);
        create table things (m mood, n numbered, v text, primary key (m, n));
        insert into things select case n % 2 when 0 then 'bad' else 'so, so' end::mood, n, 'v' || n from generate_series(1, 20000) as n`,
    });
    await bench.capture({ 'public.things': { of: 'none', note: 'x', columns: { m: plain, n: plain, v: plain } } });
    await bench.pool.query('analyze things');
    const { rows, scans } = await read(bench, ['so\\, so,7', 'bad,8', 'bad,9', 'gone,8']);
    assert.deepEqual(rows, [
      ['bad,8', { m: 'bad', n: '8', v: 'v8' }],
      ['so\\, so,7', { m: 'so, so', n: '7', v: 'v7' }],
    ]);
    assert.equal(scans?.sequential, 0);
    assert.ok(scans.byIndex > 0);
  });
}

test('a key of an enumerated type whose owner wrote casts and operators runs none of them', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table ran (who text); create type evil as enum ('x', 'y'); create table things (m evil primary key, v text); insert into things values ('x', 'a');
      create function ran(evil) returns text language plpgsql as $$ begin insert into ran values (current_user); return 'x'; end $$;
      create function same(evil, evil) returns boolean language plpgsql as $$ begin insert into ran values (current_user); return true; end $$;
      create cast (evil as text) with function ran(evil) as implicit; create operator = (leftarg = evil, rightarg = evil, function = same)`,
  });
  await bench.capture({ 'public.things': { of: 'none', note: 'x', columns: { m: plain, v: plain } } });
  const { rows } = await read(bench, ['x']);
  // What cannot be compared without them is not read.
  assert.ok(rows === undefined || rows.length === 1);
  assert.deepEqual((await bench.pool.query('select who from ran')).rows, []);
});

test('of several tables those that can be read are read, whatever became of another among them', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table one (id integer primary key, v text); create table two (id integer primary key, v text); create table three (id integer primary key, v text);
      insert into one values (1, 'a'); insert into two values (1, 'b'); insert into three values (1, 'c'), (2, 'd')`,
  });
  const columns = { id: plain, v: plain };
  const table = { of: 'none', note: 'x', columns };
  await bench.capture({ 'public.one': table, 'public.two': table, 'public.three': table });
  const readAll = async () =>
    await readOnly(bench.database, 'default', async (client) => {
      const captures = (await readCaptures(client, 'default')).toSorted((left, right) => (left.table < right.table ? -1 : 1));
      const rows = await readLiveRowsOf(
        client,
        captures.map((capture) => ({ capture, records: capture.table === 'public.three' ? ['2', '3'] : ['1'] })),
      );
      return captures.map((capture, place) => [capture.name, rows[place] && [...rows[place]]] as const);
    });
  const [one, three] = [
    ['one', [['1', { id: '1', v: 'a' }]]],
    ['three', [['2', { id: '2', v: 'd' }]]],
  ];
  assert.deepEqual(await readAll(), [one, three, ['two', [['1', { id: '1', v: 'b' }]]]]);
  await bench.pool.query('alter table two rename column v to w');
  assert.deepEqual(await readAll(), [one, three, ['two', undefined]]);
  await bench.pool.query('drop table two');
  assert.deepEqual(await readAll(), [one, three, ['two', undefined]]);
  await bench.pool.query('create view two as select 1 as id, 2 as v');
  assert.deepEqual(await readAll(), [one, three, ['two', undefined]], 'what its owner wrote into a view is not run');
});
