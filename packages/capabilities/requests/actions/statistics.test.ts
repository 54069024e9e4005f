import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { workbench, type Workbench } from '../testing/workbench.ts';

/** Ada alone has her name, among 40 people; her town and her tags are everybody's. */
const PEOPLE = `
  create table public.people (id bigint primary key, name text not null, town text, tags text[], note text);
  insert into public.people select n, case n when 1 then 'Ada Rarename' when 2 then 'Bea Rarer' else 'name ' || n % 3 end, 'town ' || n % 2, array['tag ' || n % 3], null from generate_series(1, 40) as n;
  create table public.visits (id bigint primary key, person_id bigint not null references public.people, reason text);
  create index on public.visits (person_id);
  insert into public.visits select n, n % 40 + 1, 'reason ' || n % 2 from generate_series(1, 80) as n;
  analyze;`;
const none = { category: 'none' };
const map = (columns: object): object => ({
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': { columns: { id: none, note: none, ...columns } },
    'public.visits': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: none, reason: { category: 'user.health_and_medical' } },
    },
  },
});
const PERSONAL = { name: { category: 'user.name' }, town: { category: 'user.contact.address' }, tags: { category: 'user' } };

/** When the statistics of each column were made, by transaction. */
async function madeBy({ pool }: Workbench): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ column: string; made: string }>(
    `select c.relname || '.' || a.attname as "column", s.xmin::text as made from pg_statistic as s
       join pg_class as c on c.oid = s.starelid join pg_attribute as a on a.attrelid = c.oid and a.attnum = s.staattnum
      where c.relname in ('people', 'visits')`,
  );
  return new Map(rows.map(({ column, made }) => [column, made]));
}

async function renewed(bench: Workbench, erase: () => Promise<unknown>): Promise<readonly string[]> {
  const before = await madeBy(bench);
  await erase();
  const after = await madeBy(bench);
  return [...after].flatMap(([column, made]) => (before.get(column) === made ? [] : [column])).toSorted();
}

async function readable({ pool }: Workbench, value: string): Promise<number> {
  const { rows } = await pool.query(
    'select from pg_stats where strpos(most_common_vals::text || histogram_bounds::text, $1) > 0 or strpos(most_common_vals::text, $1) > 0',
    [value],
  );
  return rows.length;
}

test('of the columns that were written statistics are made anew, and of no others: what the person had before is gone with it', async (t) => {
  const bench = await workbench(t, { schema: PEOPLE, map: map(PERSONAL) });
  assert.equal(await readable(bench, 'Rarename'), 1);
  await bench.pool.query("update public.people set name = 'Ada Married' where id = 1");
  assert.deepEqual(await renewed(bench, () => bench.erase('person:1')), [
    'people.name',
    'people.tags',
    'people.town',
    'visits.reason',
  ]);
  assert.equal(await readable(bench, 'Rarename'), 0, 'an earlier name, which stands in no row');
  assert.equal(await readable(bench, 'town 1'), 1, 'twenty others live there');
});

async function isWaitedFor({ pool }: Workbench): Promise<boolean> {
  const { rows } = await pool.query(
    `select from pg_stat_activity where wait_event_type = 'Lock' and query like 'analyze%' and datname = current_database()`,
  );
  return rows.length > 0;
}

async function until(t: TestContext, is: () => Promise<boolean>): Promise<void> {
  while (!(await is())) {
    t.signal.throwIfAborted();
    await wait(10);
  }
}

test('statistics that somebody makes meanwhile, from the rows as they were, do not outlive the erasure', async (t) => {
  const schema = PEOPLE.replace('analyze;', `analyze public.visits;`);
  const bench = await workbench(t, { schema, map: map({ ...PERSONAL, tags: none }) });
  const other = await bench.pool.connect();
  try {
    await other.query('begin; analyze public.people');
    const erased = bench.erase('person:1');
    await until(t, () => isWaitedFor(bench));
    await other.query('commit');
    assert.equal((await erased).state, 'done');
  } finally {
    other.release();
  }
  assert.equal(await readable(bench, 'Rarename'), 0);
  assert.equal(await readable(bench, 'name 1'), 1, 'those of the others were made');
});
