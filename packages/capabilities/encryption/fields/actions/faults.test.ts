import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { isInUse } from '../store/surroundings.ts';
import { agreed, workbench } from '../testing/workbench.ts';
import { changeMode } from './change-mode.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { fieldStatus } from './field-status.ts';
import { finishField } from './finish-field.ts';
import { reading, type Ground, type Moment } from './ground.ts';
import { rotateField } from './rotate-field.ts';

const PEOPLE = `create table people (id integer primary key, email text, visits integer not null default 0);
  insert into people (id, email) select n, 'person' || n || '@example.org' from generate_series(1, 2000) as n`;
const EMAIL = 'public.people.email';

/** Runs something once, at the first such moment. */
function at(ground: Ground, wanted: Moment, run: () => void): Ground {
  let done = false;
  return {
    ...ground,
    observe: (moment, ...rest) => {
      if (moment === wanted && !done) {
        done = true;
        run();
      }
      ground.observe(moment, ...rest);
    },
  };
}

test('of two who move the same field at once one works and the other is refused', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  // The first waits for its key, in the middle of its work, until the second has its answer.
  let refused: Promise<unknown> | undefined;
  const keys = {
    ...bench.ground.keys,
    seal: async (...args: Parameters<typeof bench.ground.keys.seal>) => {
      refused ??= encryptField(bench.ground, bench.order(EMAIL), agreed).catch((error: unknown) => error);
      await refused;
      return await bench.ground.keys.seal(...args);
    },
  };
  const { field } = await encryptField({ ...bench.ground, keys }, bench.order(EMAIL), agreed);
  assert.equal(field.phase, 'switched');
  const error = await refused;
  assert.ok(isSafekeepError(error, 'field-busy'), String(error));
});

test('of two who plan the same field at once one records it, and the other is refused before it made a key', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  let planned = 0;
  let bothHave = (): void => undefined;
  const both = new Promise<void>((resolve) => (bothHave = resolve));
  const prepared: string[] = [];
  const keys = {
    ...bench.ground.keys,
    prepare: async ({ keyScope }: { readonly keyScope: string }) => void prepared.push(keyScope),
  };
  const agree = async (): Promise<void> => {
    if ((planned += 1) === 2) bothHave();
    await both;
  };
  const ends = await Promise.allSettled([1, 2].map(() => encryptField({ ...bench.ground, keys }, bench.order(EMAIL), agree)));
  const [refused, ...others] = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  assert.ok(isSafekeepError(refused, 'field-busy'), String(refused));
  assert.deepEqual([others, prepared.length], [[], 1]);
});

for (const [name, change] of [
  ['changes its type', 'alter table people alter column email type varchar(200)'],
  ['is renamed', 'alter table people rename column email to mail'],
  ['is dropped', 'alter table people drop column email cascade'],
] as const) {
  test(`a column that ${name} meanwhile stops the work, and no value is lost`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE });
    const stop = new AbortController();
    const stopped = at({ ...bench.ground, signal: stop.signal }, 'committed', () => stop.abort(new Error('stopped here')));
    await assert.rejects(encryptField(stopped, bench.order(EMAIL), agreed), /stopped here/);
    if (name !== 'is dropped') await bench.pool.query('delete from people where id > 1000');
    // A trigger of ours stands on the column: PostgreSQL itself refuses to alter what a trigger’s WHEN reads.
    const refused = await bench.pool.query(change).then(
      () => false,
      () => true,
    );
    if (refused) return;
    await assert.rejects(encryptField(bench.ground, bench.order(EMAIL), agreed), (error) =>
      isSafekeepError(error, 'field-changed'),
    );
  });
}

for (const rows of [0, 1]) {
  test(`a table of ${rows} row(s) goes all the way and back`, async (t) => {
    const bench = await workbench(t, { setUp: `create table people (id integer primary key, email text)` });
    if (rows > 0) await bench.pool.query(`insert into people values (1, 'only@example.org')`);
    const before = await bench.fingerprint();
    await encryptField(bench.ground, bench.order(EMAIL), agreed);
    assert.equal((await finishField(bench.ground, bench.order(EMAIL).column, agreed)).field.phase, 'finished');
    await decryptField(bench.ground, bench.order(EMAIL).column, agreed);
    assert.equal((await bench.pool.query('select count(email)::integer as n from people')).rows[0].n, rows);
    assert.equal(await bench.fingerprint(), before);
  });
}

test('rows that are locked for long are left and named, and the same command goes on once they are free', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const ground = { ...bench.ground, patience: { tries: 2, lockTimeoutMs: 50, pauseMs: 5 } };
  const holder = await bench.pool.connect();
  const holding = at(ground, 'read', () => undefined);
  let locked: Promise<unknown> | undefined;
  const taking = {
    ...holding,
    observe: ((moment, field) => {
      // Before any row is sealed, after the trigger stands.
      if (moment === 'phase' && field.phase === 'backfilling' && locked === undefined)
        locked = holder.query('begin; select from people where id in (7, 8) for update');
    }) satisfies Ground['observe'],
  };
  await assert.rejects(
    encryptField(taking, bench.order(EMAIL), agreed),
    (error) => isSafekeepError(error, 'field-rows-locked') || isSafekeepError(error, 'lock-timeout'),
  );
  await locked;
  const [half] = await fieldStatus(bench.ground);
  assert.equal(half?.unsealed, 2, 'all but the two that were held');
  await holder.query('commit');
  holder.release();
  const { field } = await encryptField(bench.ground, bench.order(EMAIL), agreed);
  assert.deepEqual([field.phase, field.verified], ['switched', 2000]);
});

test('a vacuum that has the table is waited for until it gives way, which no number of short tries would make it', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const ground = { ...bench.ground, patience: { tries: 4, lockTimeoutMs: 50, pauseMs: 5 } };
  const holder = await bench.pool.connect();
  await holder.query('begin; lock table people in share update exclusive mode');
  const moving = encryptField(ground, bench.order(EMAIL), agreed);
  // As an autovacuum, which goes when somebody has waited for it for deadlock_timeout: far longer than one of the tries.
  for (let waited = false; !waited;) {
    const { rows } = await bench.pool.query<{ waited: boolean }>(
      `select count(*) > 0 as waited from pg_locks where relation = 'people'::regclass and not granted and waitstart < now() - interval '400 milliseconds'`,
    );
    waited = rows[0]?.waited === true;
  }
  await holder.query('commit');
  holder.release();
  assert.equal((await moving).field.phase, 'switched');
});

test('NULL, an empty text and a value that looks like ciphertext stay what they are', async (t) => {
  const bench = await workbench(t, { setUp: `create table people (id integer primary key, email text)` });
  const values = [null, '', '\\xfa5311', ' ', '𝒳 ünï', 'x'.repeat(100_000)];
  await bench.pool.query('insert into people select place, value from unnest($1::text[]) with ordinality as v (value, place)', [
    values,
  ]);
  await encryptField(bench.ground, bench.order(EMAIL), agreed);
  await finishField(bench.ground, bench.order(EMAIL).column, agreed);
  await decryptField(bench.ground, bench.order(EMAIL).column, agreed);
  assert.deepEqual(
    (await bench.pool.query('select email from people order by id')).rows.map(({ email }) => email),
    values,
  );
});

test('every type that has an encrypted form comes back to the byte', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table kinds (id integer primary key, a smallint, b bigint, c numeric, d numeric(10,2), e date, f timestamptz, g boolean, h json, i jsonb, j bytea, k char(8), l varchar(9));
      insert into kinds values (1, -32768, 9223372036854775807, 'NaN', 12345678.90, '0044-03-15 BC', '2026-11-29 14:00:00.123456+02', true, '{"b": 1, "a":1, "a" : 2}', '{"b":1,"a":[1.50]}', '\\x00ff', 'ab', 'wörter'),
        (2, 0, 0, 123456789012345678901234567890.000100, 0.00, 'infinity', '-infinity', false, 'null', 'null', '\\x', '', '');`,
  });
  const rows = async () => (await bench.pool.query('select kinds::text as row, h::text from kinds order by id')).rows;
  const before = await rows();
  const fingerprint = await bench.fingerprint();
  const columns = [...'abcdefghijkl'].map((name) => `public.kinds.${name}`);
  for (const column of columns) await encryptField(bench.ground, bench.order(column), agreed);
  for (const column of columns) await finishField(bench.ground, bench.order(column).column, agreed);
  for (const column of columns) await decryptField(bench.ground, bench.order(column).column, agreed);
  assert.deepEqual(await rows(), before);
  assert.equal(await bench.fingerprint(), fingerprint);
});

test('the mode changes without a value being sealed anew', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  await encryptField(bench.ground, bench.order(EMAIL, { search: ['exact'] }), agreed);
  await finishField(bench.ground, bench.order(EMAIL).column, agreed);
  const sealed = async () => (await bench.pool.query('select id, email_encrypted from people order by id')).rows;
  const before = await sealed();
  const { column } = bench.order(EMAIL);
  const field = await changeMode(bench.ground, column, { mode: 'database', agree: agreed });
  assert.equal(field.mode, 'database');
  const client = await bench.pool.connect();
  await client.query('begin');
  await client.query('select safekeep.unlock($1)', [bench.keys.bundle(field)]);
  assert.deepEqual((await client.query('select email from people_decrypted where id = 7')).rows, [
    { email: 'person7@example.org' },
  ]);
  await client.query('rollback');
  client.release();
  await changeMode(bench.ground, column, { mode: 'client', agree: agreed });
  assert.deepEqual(await sealed(), before);
  await assert.rejects(bench.pool.query('select from people_decrypted'), /does not exist/);
});

test('what stands in the way is told before anything is touched, each with what to do', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text unique, phone text default 'none', boss text references people (email), town text,
        loud text generated always as (upper(town)) stored, pair integer[], check (phone is not null));
      create materialized view towns as select town from people;
      create function read_town() returns text language sql as 'select town from people limit 1';`,
  });
  const before = await bench.fingerprint();
  const refusal = async (column: string, pattern: RegExp) => {
    await assert.rejects(
      encryptField(bench.ground, bench.order(`public.people.${column}`), agreed),
      (error) => isSafekeepError(error, 'field-unfit') && pattern.test(error.message),
    );
  };
  await refusal('id', /primary key people_pkey[^]*What to do/);
  await refusal('email', /unique constraint people_email_key[^]*foreign key people_boss_fkey/);
  await refusal('boss', /foreign key people_boss_fkey/);
  await refusal('phone', /default of public\.people\.phone[^]*check people_phone_check/);
  await refusal('town', /generated column loud[^]*materialized view public\.towns/);
  await refusal('pair', /have no encrypted form/);
  await assert.rejects(encryptField(bench.ground, bench.order(EMAIL, { card: 'forbidden' }), agreed), /PCI DSS 3\.3\.1/);
  await assert.rejects(encryptField(bench.ground, bench.order('public.people.nothing'), agreed), (error) =>
    isSafekeepError(error, 'field-missing'),
  );
  await assert.rejects(finishField(bench.ground, bench.order(EMAIL).column, agreed), (error) =>
    isSafekeepError(error, 'field-unknown'),
  );
  assert.equal(await bench.fingerprint(), before);
  assert.deepEqual((await bench.pool.query('select from safekeep.fields')).rowCount, 0);
});

test('an index that would give values away is refused, and given only to whoever accepts the report', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text); insert into people select n, 'town' || case when n < 900 then n % 3 else n end from generate_series(1, 2000) as n`,
  });
  await assert.rejects(
    encryptField(bench.ground, bench.order(EMAIL, { search: ['exact'] }), agreed),
    (error) => isSafekeepError(error, 'field-search-unsafe') && error.message.includes('by guessing'),
  );
  const { field } = await encryptField(bench.ground, bench.order(EMAIL, { search: ['exact'], acceptLeak: true }), agreed);
  assert.ok((field.indexes[0]?.attackGain ?? 0) > 0.01);
});

test('a client that still writes ciphertext alone on the way back loses nothing, whether it sets a value or none', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { column } = bench.order(EMAIL);
  const { field } = await encryptField(bench.ground, bench.order(EMAIL), agreed);
  await finishField(bench.ground, column, agreed);
  const [sealed] = await bench.ground.keys.seal(field, ['late@example.org']);
  // Settled as it comes: one that is refused before anybody waits for it is no fault of the test.
  let writes: Promise<readonly PromiseSettledResult<unknown>[]> | undefined;
  const late = {
    ...bench.ground,
    observe: ((moment, at) => {
      // After the first batch was given back, before the last lock.
      if (moment !== 'committed' || at.phase !== 'switched') return;
      writes ??= Promise.allSettled([
        bench.pool.query('update people set email_encrypted = $1 where id = 1', [sealed]),
        bench.pool.query('update people set email_encrypted = null where id = 2'),
      ]);
    }) satisfies Ground['observe'],
  };
  await decryptField(late, column, agreed);
  // A write that came after the last lock was refused, since the column was gone, and its client was told.
  const [first, second] = (await writes) ?? [];
  assert.deepEqual((await bench.pool.query('select id, email from people where id < 4 order by id')).rows, [
    { id: 1, email: first?.status === 'fulfilled' ? 'late@example.org' : 'person1@example.org' },
    { id: 2, email: second?.status === 'fulfilled' ? null : 'person2@example.org' },
    { id: 3, email: 'person3@example.org' },
  ]);
});

test('a full disk in the middle stops the work; what was committed stays, and the same command goes on once there is room', async (t) => {
  const bench = await workbench(t, {
    // The server's own answer to a full disk, given by a trigger at a row of our choice.
    setUp: `${PEOPLE}; create table disk (is_full boolean); insert into disk values (true);
      create function fill() returns trigger language plpgsql as $$ begin
        if new.id = 1500 and (select is_full from public.disk) then raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end if;
        return new; end $$;
      create trigger a_full before update on people for each row execute function fill()`,
  });
  await assert.rejects(encryptField(bench.ground, bench.order(EMAIL), agreed), /No space left on device/);
  const [half] = await fieldStatus(bench.ground);
  assert.equal(half?.phase, 'backfilling');
  assert.equal((await bench.pool.query('select count(email)::integer as n from people')).rows[0].n, 2000);
  await bench.pool.query('update disk set is_full = false');
  const { field } = await encryptField(bench.ground, bench.order(EMAIL), agreed);
  assert.deepEqual([field.phase, field.verified], ['switched', 2000]);
});

test('a key that is replaced in the middle: all values open, the census names both keys, and a rotation leaves one', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PEOPLE}; insert into people (id, email) select n, 'late' || n from generate_series(2001, 30000) as n`,
  });
  const { column } = bench.order(EMAIL);
  const ground = at(bench.ground, 'committed', () => void bench.keys.rotate('default', ''));
  await encryptField(ground, bench.order(EMAIL), agreed);
  const [status] = await fieldStatus(bench.ground);
  assert.equal(status?.keys.length, 2);
  assert.equal(
    (await finishField(bench.ground, column, agreed)).field.verified,
    30_000,
    'each was opened before its plaintext went',
  );
  const { census } = await rotateField(bench.ground, column, { agree: agreed, resume: false });
  assert.equal(census.length, 1);
  await decryptField(bench.ground, column, agreed);
  assert.equal(
    (
      await bench.pool.query(
        `select count(*)::integer as n from people where email = case when id <= 2000 then 'person' || id || '@example.org' else 'late' || id end`,
      )
    ).rows[0].n,
    30_000,
  );
});

test('a key that is gone in the middle stops the work, and no plaintext goes that could not be opened', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { column } = bench.order(EMAIL);
  await encryptField(bench.ground, bench.order(EMAIL), agreed);
  const gone: Ground['keys'] = { ...bench.ground.keys, open: () => Promise.reject(new SafekeepError('key-erased', { key: '00' })) };
  await assert.rejects(finishField({ ...bench.ground, keys: gone }, column, agreed), (error) =>
    isSafekeepError(error, 'key-erased'),
  );
  assert.equal((await bench.pool.query('select count(email)::integer as n from people')).rows[0].n, 2000);
  await decryptField(bench.ground, column, agreed);
});

test('a trigger of the user’s that changes the value as it is sealed is noticed, and nothing of the batch is kept', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PEOPLE}; create function shout() returns trigger language plpgsql as 'begin new.email := upper(new.email); return new; end';
      create trigger a_shout before update on people for each row execute function shout()`,
  });
  await assert.rejects(encryptField(bench.ground, bench.order(EMAIL), agreed), (error) =>
    isSafekeepError(error, 'field-not-equal'),
  );
  assert.equal((await bench.pool.query(`select count(email_encrypted)::integer as n from people`)).rows[0].n, 0);
  assert.equal((await bench.pool.query(`select count(*)::integer as n from people where email like 'person%'`)).rows[0].n, 2000);
  await decryptField(bench.ground, bench.order(EMAIL).column, agreed);
});

test('a trigger of the user’s names its tables as the application does, at once and deferred to the end of a batch', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PEOPLE}; create table counts (n integer); insert into counts values (0);
      create function count_at_once() returns trigger language plpgsql as 'begin update counts set n = n + 1; return null; end';
      create function count_later() returns trigger language plpgsql as 'begin perform count(*) from counts; return null; end';
      create trigger counting after update on people for each statement execute function count_at_once();
      create constraint trigger later after update on people deferrable initially deferred for each row execute function count_later()`,
  });
  const { column } = bench.order(EMAIL);
  await encryptField(bench.ground, bench.order(EMAIL), agreed);
  await finishField(bench.ground, column, agreed);
  await decryptField(bench.ground, column, agreed);
  assert.equal((await bench.pool.query(`select from people where email = 'person' || id || '@example.org'`)).rowCount, 2000);
});

test('a trigger of the user’s that fails is named, and the column is not called altered', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PEOPLE}; create function tell() returns trigger language plpgsql as 'begin update gone set n = 1; return null; end';
      create trigger telling after update on people for each statement execute function tell()`,
  });
  await assert.rejects(encryptField(bench.ground, bench.order(EMAIL), agreed), (error) => {
    assert.ok(isSafekeepError(error, 'field-trigger-failed'));
    assert.match(error.message, /Function (public\.)?tell, .*42P01/);
    return true;
  });
  await bench.pool.query('create table gone (n integer)');
  assert.equal((await encryptField(bench.ground, bench.order(EMAIL), agreed)).field.phase, 'switched');
});

test('what somebody writes past our triggers stops readers from being switched, where it is known that somebody does', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool } = bench;
  const role = `replica_${randomBytes(6).toString('hex')}`;
  await pool.query(`create role ${role}; alter role ${role} set session_replication_role = replica`);
  try {
    const applied = `begin; set local session_replication_role = replica; update people set email = 'applied@example.org' where id = 7; commit`;
    let isApplied = false;
    const observe: Ground['observe'] = (moment, { phase }) => {
      if (moment === 'phase' && phase === 'verified' && !isApplied) {
        isApplied = true;
        writes.push(pool.query(applied));
      }
    };
    const writes: Promise<unknown>[] = [];
    const stop = new AbortController();
    const stopping: Ground['observe'] = (...told) => {
      observe(...told);
      if (isApplied) stop.abort(new Error('stopped here'));
    };
    await assert.rejects(
      encryptField({ ...ground, observe: stopping, signal: stop.signal }, bench.order(EMAIL), agreed),
      /stopped here/,
    );
    await Promise.all(writes);
    await assert.rejects(encryptField(ground, bench.order(EMAIL), agreed), (error) =>
      isSafekeepError(error, 'field-values-differ'),
    );
    await pool.query('update people set email = email, email_encrypted = null where id = 7');
    const { field } = await encryptField(ground, bench.order(EMAIL), agreed);
    const { rows } = await pool.query('select email_encrypted as sealed from people where id = 7');
    assert.deepEqual(await ground.keys.open(field, [rows[0].sealed]), ['applied@example.org']);
  } finally {
    await pool.query(`drop role ${role}`);
  }
});

test('no stretch that others had locked goes uncompared: what differs in it stops the way back', async (t) => {
  // Each row is a stretch of its own: the second is not looked at before the first is committed.
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text); insert into people select n, repeat('x', 9000000) || n from generate_series(1, 2) as n`,
  });
  const { ground, pool } = bench;
  await encryptField(ground, bench.order(EMAIL), agreed);
  await pool.query(`begin; set local session_replication_role = replica; update people set email = 'applied' where id = 2; commit`);
  const holder = await pool.connect();
  let held: Promise<void> | undefined;
  const hold = async (): Promise<void> => {
    await holder.query('begin; lock table people');
    await wait(1_000);
    await holder.query('rollback');
  };
  const open: typeof ground.keys.open = async (...asked) => {
    if (held === undefined) {
      held = hold();
      const waiting = `select from pg_locks where relation = 'people'::regclass and not granted`;
      while ((await pool.query(waiting)).rowCount === 0) await wait(10);
    }
    return await ground.keys.open(...asked);
  };
  try {
    await assert.rejects(decryptField({ ...ground, keys: { ...ground.keys, open } }, bench.order(EMAIL).column, agreed), (error) =>
      isSafekeepError(error, 'field-values-differ'),
    );
    await held;
  } finally {
    holder.release();
  }
  assert.deepEqual((await pool.query('select count(email_encrypted)::integer as sealed from people')).rows, [{ sealed: 2 }]);
});

test('an application that still writes under the old key while a column is rotated is waited for', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, pool } = bench;
  const { column } = bench.order(EMAIL);
  const { field } = await encryptField(ground, bench.order(EMAIL), agreed);
  await finishField(ground, column, agreed);
  const [late] = await ground.keys.seal(field, ['late@example.org']);
  const writes: Promise<unknown>[] = [];
  const observe: Ground['observe'] = (moment) => {
    if (moment === 'waiting') writes.push(pool.query('update people set email_encrypted = $1 where id = 7', [late]));
  };
  const { census, currentKeyId } = await rotateField({ ...ground, observe, leaseMs: 300 }, column, {
    agree: agreed,
    resume: false,
  });
  await Promise.all(writes);
  assert.equal(writes.length, 1);
  assert.deepEqual(
    census.map(({ keyId }) => keyId),
    [currentKeyId],
  );
  const { rows } = await pool.query('select email_encrypted as sealed from people where id = 7');
  assert.deepEqual(await ground.keys.open(field, [rows[0].sealed]), ['late@example.org']);
  assert.equal(rows[0].sealed.toString('hex', 4, 12), currentKeyId);
});

test('limits of time that are set for the application do not end the work on a table', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PEOPLE}; delete from people where id > 60; create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.01); return new; end $$;
      create trigger slow before update on people for each row execute function slow()`,
  });
  const { rows } = await bench.pool.query('select current_database() as name');
  await bench.pool.query(`alter database "${rows[0].name}" set statement_timeout = '100ms'`);
  await bench.pool.query(`alter database "${rows[0].name}" set transaction_timeout = '500ms'`);
  const database = await openDatabase(bench.url);
  try {
    const { field } = await encryptField({ ...bench.ground, database }, bench.order(EMAIL), agreed);
    assert.equal(field.phase, 'switched');
  } finally {
    await database.close();
  }
});

test('work stops when the right to it is lost with its connection', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const stopped: Promise<unknown>[] = [];
  const observe: Ground['observe'] = (moment) => {
    if (moment === 'written' && stopped.length === 0)
      stopped.push(
        bench.pool.query(
          `select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.granted
              and l.database = (select oid from pg_database where datname = current_database())`,
        ),
      );
  };
  await assert.rejects(encryptField({ ...bench.ground, observe }, bench.order(EMAIL), agreed));
  await Promise.all(stopped);
  const { field } = await encryptField(bench.ground, bench.order(EMAIL), agreed);
  assert.equal(field.phase, 'switched', 'the same command goes on');
});

test('a table that others are at work on is known to be in use before they have committed anything', async (t) => {
  const bench = await workbench(t, { setUp: `${PEOPLE}; create table apart (id integer)` });
  const table = { schema: 'public', table: 'people' };
  const inUse = () => reading(bench.ground, (client) => isInUse(client, table));
  assert.equal(await inUse(), false);
  const other = await bench.pool.connect();
  await other.query(`begin; insert into apart values (1)`);
  assert.equal(await inUse(), false, 'it works on another table');
  await other.query(`update people set email = 'x' where id = 1`);
  assert.equal(await inUse(), true);
  await other.query('rollback');
  other.release();
  assert.equal(await inUse(), false);
});
