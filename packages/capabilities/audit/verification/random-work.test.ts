import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginErasure, drainBeforeErasure, forget } from '../actions/erase-subject.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';

const SET_UP = `
  create table people (id integer primary key, name text, email text, room integer);
  create table things (id integer primary key, owner integer, what text, worth numeric);
  create table notes (owner integer, body text);
  insert into people select n, 'P' || n, 'p' || n, n % 7 from generate_series(1, 30) as n;
  insert into things select n, 1 + n % 30, 'thing ' || n, n / 3.0 from generate_series(1, 60) as n;
  insert into notes select 1 + n % 30, 'note ' || n from generate_series(1, 30) as n;`;
const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const TABLES = {
  'public.people': { columns: { id: plain, name: personal, email: personal, room: plain } },
  'public.things': { of: { person: 'owner' }, columns: { id: plain, owner: plain, what: personal, worth: plain } },
  'public.notes': { of: { person: 'owner' }, columns: { owner: plain, body: personal } },
};
const SEEDS = [1, 2, 3, 4, 5];
const ROUNDS = 4;
const STEPS_A_ROUND = 8;

type Random = (below: number) => number;

/** Rows of `things` of which the log knows less, by rule: of erased people, and such whose key was changed. */
type Known = { readonly erased: Set<number>; readonly moved: Set<number>; next: number };

const STEPS: readonly ((bench: Workbench, random: Random, known: Known) => Promise<unknown>)[] = [
  ({ pool }, random) => pool.query('update things set what = what || $1, worth = worth + 1 where id = $2', ['!', random(60)]),
  ({ pool }, random) => pool.query('update things set worth = worth * 2 where owner = $1', [1 + random(30)]),
  ({ pool }, random) => pool.query('update things set worth = worth where id < $1', [random(20)]),
  ({ pool }, random) => pool.query('delete from things where id = $1', [random(60)]),
  ({ pool }, random) => pool.query('delete from notes where owner = $1', [1 + random(30)]),
  ({ pool }, random) => pool.query(`update notes set body = 'changed' where owner = $1`, [1 + random(30)]),
  ({ pool }, random, known) => pool.query(`insert into things values ($1, $2, 'new', 1)`, [(known.next += 1), 1 + random(30)]),
  ({ pool }, random) => pool.query(`insert into notes values ($1, 'new')`, [1 + random(30)]),
  async ({ pool }, random, known) => {
    const { rows } = await pool.query<{ id: number }>('update things set id = id + 10000 where id = $1 returning id', [random(60)]);
    for (const { id } of rows) known.moved.add(id);
  },
  async ({ pool }, random, known) => {
    const { rows } = await pool.query<{ id: number }>(
      'update things set id = id + 20000 where id between $1 and $1 + 3 returning id',
      [random(60)],
    );
    for (const { id } of rows) known.moved.add(id);
  },
  ({ pool }, random) => pool.query('update people set room = $1, email = null where id = $2', [random(9), 1 + random(30)]),
  async (bench, random, known) => {
    const person = 1 + random(30);
    known.erased.add(person);
    await erase(bench, `person:${person}`, {
      sql: `update public.people set name = 'erased', email = null where id = ${person};
        ${random(2) === 0 ? `delete from public.things where owner = ${person}` : `update public.things set what = null where owner = ${person}`};
        delete from public.notes where owner = ${person}`,
    });
  },
  async ({ pool, sequence }) => {
    await pool.query('update safekeep.audit_baselines set is_taken = false, ordered = gen_random_uuid()');
    await sequence();
  },
];

async function erase({ sequencer, database }: Workbench, subject: string, { sql }: { readonly sql: string }): Promise<void> {
  await drainBeforeErasure(sequencer);
  await database.withClient(async (client) => {
    await client.query('begin');
    await beginErasure(client, sequencer, { tenant: 'default', subject });
    await client.query(sql);
    await forget(client, sequencer, { tenant: 'default', subject });
    await client.query('commit');
  });
}

const EDITS = [
  `update things set what = 'forged' where id = $1`,
  'update things set worth = -1 where id = $1',
  'delete from things where id = $1',
  `insert into things values (500000 + $1, 1, 'planted', 0)`,
  `update things set id = 600000 + $1 where id = $1`,
];

for (const seed of SEEDS)
  test(`random honest work is no fault, and one edit of a row with triggers off is one: seed ${seed}`, async (t) => {
    const random = below(seed);
    const bench = await workbench(t, { setUp: SET_UP, baselines: true });
    await bench.capture(TABLES, { subjects: { person: { table: 'public.people', key: 'id' } } });
    await bench.sequence();
    const known: Known = { erased: new Set(), moved: new Set(), next: 100 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const done: number[] = [];
      for (let step = 0; step < STEPS_A_ROUND; step += 1) {
        const place = random(STEPS.length);
        done.push(place);
        await STEPS[place]?.(bench, random, known);
      }
      await bench.sequence();
      assert.deepEqual((await bench.verify()).faults, [], `round ${round}: ${done.join(' ')}`);
    }
    const { rows } = await bench.pool.query<{ id: number }>(
      'select id from things where not (owner = any ($1)) and not (id = any ($2)) order by id',
      [[...known.erased], [...known.moved]],
    );
    const victim = rows[random(rows.length)]?.id ?? assert.fail('there is a row left');
    const edit = EDITS[random(EDITS.length)] ?? assert.fail();
    await bench.database.withClient(async (client) => {
      await client.query('begin; set local session_replication_role = replica');
      await client.query(edit, [victim]);
      await client.query('commit');
    });
    const { faults } = await bench.verify();
    assert.ok(
      faults.some(({ detail }) => new RegExp(`^public\\.things: the row (?:[56]0*)?${victim} `).test(detail)),
      `${edit} of ${victim}: ${JSON.stringify(faults)}`,
    );
  });

/** Mulberry32. */
function below(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
