import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { isSafekeepError, Secret, type ErrorCode } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';
import type { Ground } from './ground.ts';
import { rotateField } from './rotate-field.ts';

const EMAIL = 'public.people.email';
const ROWS = 50;
const PEOPLE = `create table people (id integer primary key, email text);
  insert into people select n, 'person' || n || '@example.org' from generate_series(1, ${ROWS}) as n`;
const is = (code: ErrorCode) => (error: unknown) => isSafekeepError(error, code);

async function valuesLeft({ pool }: Workbench): Promise<number> {
  return (await pool.query(`select from people where email = 'person' || id || '@example.org'`)).rowCount ?? 0;
}

/** A pool of its own, whose default for transactions is the database's. */
async function withDefault(bench: Workbench, isolation: string, run: (ground: Ground) => Promise<void>): Promise<void> {
  const { rows } = await bench.pool.query<{ database: string }>('select current_database() as database');
  const name = pg.escapeIdentifier(rows[0]?.database ?? '');
  await bench.pool.query(`alter database ${name} set default_transaction_isolation = '${isolation}'`);
  const database = await openDatabase(bench.url);
  try {
    await run({ ...bench.ground, database });
  } finally {
    await database.close();
  }
}

for (const isolation of ['repeatable read', 'serializable']) {
  test(`a value that is committed while the last lock is waited for is given back, where ${isolation} is the default`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE });
    const { field } = await encryptField(bench.ground, bench.order(EMAIL), agreed);
    const [late] = await bench.ground.keys.seal(field, [`person1000@example.org`]);
    const writer = await bench.pool.connect();
    let [waits, written]: [number, Promise<void> | undefined] = [0, undefined];
    const write = async (): Promise<void> => {
      await writer.query('begin isolation level read committed');
      await writer.query('insert into people (id, email_encrypted) values (1000, $1)', [late]);
      for (let isWaited = false; !isWaited;)
        isWaited =
          (await bench.pool.query(`select from pg_locks where not granted and relation = 'people'::regclass`)).rowCount !== 0;
      await writer.query('commit');
    };
    const observe: Ground['observe'] = (moment) => {
      if (moment === 'waiting') waits += 1;
      // After the second wait for clients our columns go.
      if (moment === 'waiting' && waits === 2) written = write();
    };
    await withDefault(bench, isolation, async (ground) => {
      await decryptField({ ...ground, observe, leaseMs: 100 }, bench.order(EMAIL).column, agreed);
      await written;
    });
    writer.release();
    assert.equal(await valuesLeft(bench), ROWS + 1);
  });

  test(`a column goes all the way and back where ${isolation} is the default`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE });
    const { column } = bench.order(EMAIL);
    await withDefault(bench, isolation, async (ground) => {
      await encryptField(ground, bench.order(EMAIL, { search: ['exact'], acceptLeak: true }), agreed);
      assert.equal((await finishField(ground, column, agreed)).field.phase, 'finished');
      await rotateField(ground, column, { agree: agreed, resume: false });
      await decryptField(ground, column, agreed);
    });
    assert.equal(await valuesLeft(bench), ROWS);
  });
}

test('rows that forced row security hides from the login stop finish, rotate and decrypt, and none is lost', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { pool } = bench;
  const { column } = bench.order(EMAIL);
  await encryptField(bench.ground, bench.order(EMAIL), agreed);
  const name = `owner_${process.pid}`;
  const { rows } = await pool.query<{ me: string; owner: string }>(
    `select current_user as me, pg_get_userbyid(nspowner) as owner from pg_namespace where nspname = 'safekeep'`,
  );
  const { me, owner } = rows[0] ?? assert.fail('there is no schema safekeep');
  await pool.query(`create role ${name} login password '${name}'; grant ${pg.escapeIdentifier(owner)} to ${name};
    alter table people owner to ${name}; grant all on schema public to ${name};
    alter table people enable row level security; alter table people force row level security; create policy first_forty on people using (id <= 40)`);
  const url = new URL(bench.url.reveal());
  [url.username, url.password] = [name, name];
  const database = await openDatabase(new Secret(url.href));
  const ground = { ...bench.ground, database };
  try {
    await assert.rejects(finishField(ground, column, agreed), is('field-rows-hidden'));
    await assert.rejects(rotateField(ground, column, { agree: agreed, resume: false }), is('field-rows-hidden'));
    await assert.rejects(decryptField(ground, column, agreed), is('field-rows-hidden'));
    // Forced while the rows are gone through.
    await pool.query('alter table people no force row level security');
    let forced: Promise<unknown> | undefined;
    const observe: Ground['observe'] = (moment) => {
      if (moment === 'committed' && forced === undefined) forced = pool.query('alter table people force row level security');
    };
    await assert.rejects(decryptField({ ...ground, observe }, column, agreed), is('field-rows-hidden'));
    await forced;
    await pool.query('alter table people no force row level security');
    await decryptField(ground, column, agreed);
    assert.equal(await valuesLeft(bench), ROWS);
  } finally {
    await database.close();
    await pool.query(`reassign owned by ${name} to ${pg.escapeIdentifier(me)}; drop owned by ${name}; drop role ${name}`);
  }
});

const HEIR = 'create table people_archive () inherits (people)';

test('a table that inherits from the encrypted one since stops finish, rotate and decrypt, and no row in it is lost', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool } = bench;
  const { column } = bench.order(EMAIL);
  await encryptField(ground, bench.order(EMAIL), agreed);
  await pool.query(`${HEIR}; insert into people_archive (id, email) values (7000, 'heir@example.org')`);
  await assert.rejects(finishField(ground, column, agreed), is('field-inherited'));
  await pool.query('delete from people_archive');
  await pool.query('drop table people_archive');
  await finishField(ground, column, agreed);
  await pool.query(
    `${HEIR}; with moved as (delete from only people where id <= 10 returning *) insert into people_archive select * from moved`,
  );
  await assert.rejects(rotateField(ground, column, { agree: agreed, resume: false }), is('field-inherited'));
  await assert.rejects(decryptField(ground, column, agreed), is('field-inherited'));
  assert.equal((await pool.query('select from people_archive where email_encrypted is not null')).rowCount, 10);
  await pool.query(
    'with moved as (delete from people_archive returning *) insert into people select * from moved; drop table people_archive',
  );
  await decryptField(ground, column, agreed);
  assert.equal(await valuesLeft(bench), ROWS);
});

for (const step of ['encrypt', 'finish', 'decrypt'] as const)
  test(`a table that comes to inherit from the encrypted one while ${step} is at work stops its last step`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE });
    const { ground, pool, order } = bench;
    const { column } = order(EMAIL);
    if (step !== 'encrypt') await encryptField(ground, order(EMAIL), agreed);
    let made: Promise<unknown> | undefined;
    const observe: Ground['observe'] = (moment) => {
      if (moment === 'committed' && made === undefined)
        made = pool.query(`${HEIR}; insert into people_archive (id, email) values (7000, 'heir@example.org')`);
    };
    const run = {
      encrypt: () => encryptField({ ...ground, observe }, order(EMAIL), agreed),
      finish: () => finishField({ ...ground, observe }, column, agreed),
      decrypt: () => decryptField({ ...ground, observe }, column, agreed),
    }[step];
    await assert.rejects(run(), is('field-inherited'));
    await made;
    await pool.query('alter table people_archive no inherit people');
    await run();
    assert.equal((await pool.query(`select from people_archive where email = 'heir@example.org'`)).rowCount, 1);
  });
