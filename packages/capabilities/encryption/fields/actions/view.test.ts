import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { codeOf, isSafekeepError } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { changeMode } from './change-mode.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const PEOPLE = `
  create table people (id integer primary key, email text, phone text, visits integer not null default 0);
  insert into people select n, 'person' || n || '@example.org', '555-' || n, 0 from generate_series(1, 20) as n`;

async function shown(bench: Workbench, ...columns: readonly string[]): Promise<void> {
  for (const column of columns)
    await encryptField(bench.ground, bench.order(`public.people.${column}`, { mode: 'database' }), agreed);
}

/** Waits until a session of this database waits for a lock. */
async function untilWaiting({ pool }: Workbench): Promise<void> {
  for (let waiting = 0; waiting === 0;) {
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::integer as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    waiting = rows[0]?.n ?? 0;
  }
}

for (const server of testServers()) {
  test(`no write through the view takes another's back: what was changed meanwhile is told (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    await shown(bench, 'email');
    const { pool } = bench;
    const [one, other] = [await pool.connect(), await pool.connect()];
    try {
      for (const second of [
        'update people_decrypted set visits = visits + 1 where id = 1',
        'update people_decrypted set visits = 200 where id = 1 and visits = 0',
        'delete from people_decrypted where id = 1',
      ]) {
        await pool.query('update people set visits = 0 where id = 1');
        await one.query('begin; update people_decrypted set visits = visits + 1 where id = 1');
        const refused = assert.rejects(other.query(second), (error: unknown) => codeOf(error) === '40001');
        await untilWaiting(bench);
        await one.query('commit');
        await refused;
        assert.deepEqual((await pool.query('select visits from people where id = 1')).rows, [{ visits: 1 }], second);
      }
      await one.query('begin; delete from people_decrypted where id = 2');
      const gone = other.query('update people_decrypted set visits = 5 where id = 2');
      await untilWaiting(bench);
      await one.query('commit');
      assert.equal((await gone).rowCount, 0, 'as with a table');
      // One statement that comes to a row twice: as with a table the first one counts.
      const { rowCount } = await pool.query(
        'update people_decrypted p set visits = p.visits + v.n from (values (1), (2)) as v (n) where p.id = 3',
      );
      assert.equal(rowCount, 1);
    } finally {
      one.release();
      other.release();
    }
  });

  test(`the view goes on when the table is given a column, and shows it once it is made anew (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    const { pool } = bench;
    await shown(bench, 'email');
    await pool.query(`alter table people add column nick text not null default 'none'`);
    await pool.query('insert into people_decrypted (id, phone) values (100, null)');
    await pool.query('update people_decrypted set visits = 3 where id = 1');
    assert.deepEqual((await pool.query('select id, nick, visits from people where id in (1, 100) order by id')).rows, [
      { id: 1, nick: 'none', visits: 3 },
      { id: 100, nick: 'none', visits: 0 },
    ]);
    await shown(bench, 'phone');
    await pool.query(`update people_decrypted set nick = 'Ada' where id = 1`);
    assert.deepEqual((await pool.query('select nick from people_decrypted where id = 1')).rows, [{ nick: 'Ada' }]);
  });

  test(`views that read the view, its rights and its comment stay, and a way back that would take them is refused first (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    const { ground, pool } = bench;
    const role = `test_${randomBytes(6).toString('hex')}`;
    await shown(bench, 'email');
    await pool.query(
      `create role ${role}; grant select on people_decrypted to ${role}; comment on view people_decrypted is 'ours'`,
    );
    await pool.query('create view contacts as select id, email from people_decrypted');
    await shown(bench, 'phone');
    const email = bench.order('public.people.email').column;
    const phone = bench.order('public.people.phone').column;
    const may = async () =>
      (
        await pool.query(
          `select has_table_privilege($1, 'people_decrypted', 'select') as may, obj_description('people_decrypted'::regclass) as said`,
          [role],
        )
      ).rows;
    assert.deepEqual(await may(), [{ may: true, said: 'ours' }]);
    const refused = (error: unknown): boolean => isSafekeepError(error, 'field-unfit') && /public\.contacts/.test(error.message);
    await assert.rejects(decryptField(ground, phone, agreed), refused);
    await changeIndexes(ground, phone, { search: ['exact'], acceptLeak: true, agree: agreed });
    await assert.rejects(changeIndexes(ground, phone, { search: [], acceptLeak: true, agree: agreed }), refused);
    await changeMode(ground, phone, { mode: 'client', agree: agreed });
    await assert.rejects(changeMode(ground, email, { mode: 'client', agree: agreed }), refused);
    assert.deepEqual((await pool.query('select count(*)::integer as n from contacts')).rows, [{ n: 20 }]);
    assert.deepEqual(await may(), [{ may: true, said: 'ours' }]);
    await pool.query('drop view contacts');
    await decryptField(ground, phone, agreed);
    assert.deepEqual(await may(), [{ may: true, said: 'ours' }], 'the view made anew has them too');
    await decryptField(ground, email, agreed);
    assert.equal((await pool.query(`select to_regclass('people_decrypted') as view`)).rows[0].view, null);
    await pool.query(`drop role ${role}`);
  });

  test(`what RETURNING shows after ciphertext was written is what stands there (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    const { field } = await encryptField(bench.ground, bench.order('public.people.email', { mode: 'database' }), agreed);
    const client = await bench.pool.connect();
    try {
      await client.query('begin');
      await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
      const erased = await client.query('update people_decrypted set email_encrypted = null where id = 1 returning email');
      assert.deepEqual(erased.rows, [{ email: null }]);
      const copied = await client.query(
        'update people_decrypted set email_encrypted = (select email_encrypted from people where id = 3) where id = 2 returning email, visits',
      );
      assert.deepEqual(copied.rows, [{ email: 'person3@example.org', visits: 0 }]);
      await client.query('commit');
    } finally {
      client.release();
    }
  });
}

test('an INSERT through the view takes no default that the table has no more: it is refused with the statement that helps', async (t) => {
  const bench = await workbench(t, {
    setUp: `create domain town as text default 'Bonn'; create type mood as enum ('good', 'bad'); create sequence numbers;
      create table people (id integer primary key, email text default 'none', n serial, big bigint default nextval('numbers'), short varchar(8) default 'new', fixed char(4) default 'a',
        price numeric(6,2) default 1.5, home town, mine town default 'Ulm', mood mood default 'good', tags text[] default '{a,b}', doc jsonb default '{"a": 1}', span interval default '2 days',
        made timestamptz default now(), day date default current_date, by_whom text default current_user, bits bit(3) default b'101', half real default 0.5, byte bytea default '\\x01',
        "Odd Name" text default lower('X'), small text collate "C" default 'c', other integer default -1, gen integer generated always as (other * 2) stored)`,
  });
  await shown(bench, 'email');
  const insert = (id: number) => bench.pool.query(`insert into people_decrypted (id, email) values ($1, null)`, [id]);
  let repair = '';
  await insert(1);
  for (const change of [`set default 'waiting'`, 'drop default']) {
    await bench.pool.query(`alter table people alter "Odd Name" ${change}`);
    await assert.rejects(insert(2), (error: unknown) => {
      assert.equal(codeOf(error), '55000');
      // What it says is what helps.
      assert.ok(error instanceof Error && 'hint' in error && typeof error.hint === 'string');
      const [, statement] = /^Give the view the default of the table: (ALTER VIEW .*)\.$/.exec(error.hint) ?? [];
      assert.ok(statement !== undefined, error.hint);
      repair = statement;
      return true;
    });
    await bench.pool.query(repair);
    await insert(change.length);
  }
  assert.deepEqual((await bench.pool.query('select "Odd Name" as odd from people order by id')).rows, [
    { odd: 'x' },
    { odd: null },
    { odd: 'waiting' },
  ]);
});

test('a trigger that fills in what it reads as NULL takes no sealed value away, and fills in where there is none', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { field } = await encryptField(bench.ground, bench.order('public.people.email', { mode: 'database' }), agreed);
  await finishField(bench.ground, { ...field.table, column: field.column }, agreed);
  await bench.pool.query(
    `insert into people (id) values (90), (91); create function fill() returns trigger language plpgsql as $f$ begin new.email := coalesce(new.email, 'none'); return new; end $f$;
     create trigger fill before insert or update on people for each row execute function fill()`,
  );
  const client = await bench.pool.connect();
  const email = async (id: number): Promise<unknown> =>
    (await client.query('select email from people_decrypted where id = $1', [id])).rows[0]?.email;
  const refused = (statement: string): Promise<void> =>
    assert.rejects(client.query(statement), /a trigger of the table gives column email/);
  try {
    await client.query('begin');
    await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
    for (const statement of [
      'update people_decrypted set visits = 1 where id = 1',
      'update people set visits = 1 where id = 1',
      'insert into people (id, visits) values (1, 1) on conflict (id) do update set visits = 1',
    ]) {
      await client.query('savepoint one');
      await refused(statement);
      await client.query('rollback to one');
    }
    assert.equal(await email(1), 'person1@example.org');
    await client.query(`update people_decrypted set email = 'new@example.org' where id = 1`);
    await client.query(`update people set email = 'other@example.org', visits = 1 where id = 2`);
    await client.query('update people_decrypted set visits = 1 where id = 90');
    await client.query('insert into people_decrypted (id) values (92)');
    assert.deepEqual(
      [await email(1), await email(2), await email(90), await email(91), await email(92)],
      ['new@example.org', 'other@example.org', 'none', null, 'none'],
    );
    // Ciphertext that comes counts, whatever a trigger makes of the column.
    await client.query('update people set email_encrypted = (select email_encrypted from people where id = 1) where id = 2');
    assert.equal(await email(2), 'new@example.org');
    await client.query('commit');
    assert.equal((await bench.pool.query('select count(email)::integer as n from people')).rows[0]?.n, 0);
  } finally {
    client.release(true);
  }
});
