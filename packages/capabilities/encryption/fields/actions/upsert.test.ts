import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { agreed, workbench } from '../testing/workbench.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const EMAIL = 'public.people.email';
/** The last two have no address. */
const PEOPLE = `create table people (id integer primary key, email text, visits integer not null default 0);
  insert into people select n, case when n < 4 then 'person' || n || '@example.org' end from generate_series(1, 5) as n`;
const LOST = /is kept sealed in column email_encrypted/;

for (const mode of ['client', 'database'] as const)
  test(`an upsert that takes over the plaintext alone is refused also where no value stands (${mode} mode)`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE });
    const before = await bench.fingerprint();
    const { field } = await encryptField(bench.ground, bench.order(EMAIL, { mode }), agreed);
    await finishField(bench.ground, bench.order(EMAIL).column, agreed);
    const [sealed] = await bench.ground.keys.seal(field, ['up@example.org']);
    const [what, value] = mode === 'client' ? ['email_encrypted', sealed] : ['email', 'up@example.org'];
    const client = await bench.pool.connect();
    const upsert = (rows: string, set: string): Promise<pg.QueryResult> =>
      client.query(`insert into people (id, ${what}) values ${rows} on conflict (id) do update set ${set}`, [value]);
    const refused = async (run: () => Promise<unknown>): Promise<void> => {
      await client.query('savepoint refused');
      await assert.rejects(run(), LOST);
      await client.query('rollback to savepoint refused');
    };
    try {
      await client.query('begin');
      if (mode === 'database') await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
      const alone = 'email = excluded.email';
      await refused(() => upsert('(4, $1)', alone));
      await refused(() => upsert('(4, null), (5, $1)', alone));
      await refused(() => upsert('(1, $1)', alone));
      // Nothing is lost by these, whatever was proposed in rows before.
      await upsert('(10, $1), (4, null)', alone);
      await upsert('(11, $1)', alone);
      await client.query(`update people set email = null where id = 4`);
      await upsert('(5, $1)', 'email = excluded.email, email_encrypted = excluded.email_encrypted');
      await upsert('(4, $1)', 'visits = people.visits + 1');
      await client.query('commit');
    } finally {
      client.release();
    }
    const { rows } = await bench.pool.query('select id from people where email_encrypted is not null order by id');
    assert.deepEqual(
      rows.map(({ id }) => id),
      [1, 2, 3, 5, 10, 11],
    );
    await decryptField(bench.ground, bench.order(EMAIL).column, agreed);
    assert.equal(await bench.fingerprint(), before);
  });

test('a MERGE that inserts values and names the plaintext of a row without one is refused with what to write, and that goes through', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { field } = await encryptField(bench.ground, bench.order(EMAIL), agreed);
  await finishField(bench.ground, bench.order(EMAIL).column, agreed);
  const [sealed] = await bench.ground.keys.seal(field, ['new@example.org']);
  const client = await bench.pool.connect();
  const merge = (set: string): Promise<pg.QueryResult> =>
    client.query(
      `merge into people as p using (values (10, $1::bytea), (4, null)) as s (id, sealed) on p.id = s.id
       when not matched then insert (id, email_encrypted) values (s.id, s.sealed) when matched then update set ${set}`,
      [sealed],
    );
  try {
    // Row by row in the order of the source: else those that match may come first.
    await client.query('set enable_hashjoin = off; set enable_mergejoin = off');
    await assert.rejects(
      merge('email = null, email_encrypted = s.sealed'),
      (error) =>
        error instanceof pg.DatabaseError &&
        LOST.test(error.message) &&
        /in a MERGE set email_encrypted, and leave email out/.test(error.hint ?? ''),
    );
    await merge('email_encrypted = s.sealed');
  } finally {
    client.release();
  }
  const { rows } = await bench.pool.query('select id from people where email_encrypted is not null order by id');
  assert.deepEqual(
    rows.map(({ id }) => id),
    [1, 2, 3, 10],
  );
});

test('what a trigger of the user’s sets to NULL while a value is inserted is no upsert, and in a partition neither', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text) partition by range (id);
      create table people_few partition of people for values from (0) to (100);
      create table people_many partition of people default;
      insert into people values (1, 'person1@example.org'), (2, null);
      create function clear() returns trigger language plpgsql as 'begin update public.people set email = null where id = 2; return null; end';
      create trigger clearing after insert on people for each row execute function clear()`,
  });
  const { field } = await encryptField(bench.ground, bench.order(EMAIL), agreed);
  await finishField(bench.ground, bench.order(EMAIL).column, agreed);
  const [sealed] = await bench.ground.keys.seal(field, ['up@example.org']);
  const client = await bench.pool.connect();
  try {
    await client.query('begin');
    await client.query('insert into people (id, email_encrypted) values (3, $1)', [sealed]);
    await client.query('insert into people_few (id, email_encrypted) values (4, $1)', [sealed]);
    await client.query('update people set email = null where id = 2');
    await client.query('savepoint refused');
    const upsert = 'insert into people (id, email_encrypted) values (2, $1) on conflict (id) do update set email = excluded.email';
    await assert.rejects(client.query(upsert, [sealed]), LOST);
    await client.query('rollback to savepoint refused');
    await client.query('commit');
  } finally {
    client.release();
  }
  const { rows } = await bench.pool.query('select count(email_encrypted)::integer as sealed from people');
  assert.deepEqual(rows, [{ sealed: 3 }]);
});
