import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import type { Field } from '../model.ts';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { decryptColumns } from './decrypt-field.ts';
import { encryptField, encryptFields } from './encrypt-field.ts';
import { fieldStatus } from './field-status.ts';
import { finishFields } from './finish-field.ts';
import type { Ground } from './ground.ts';
import { rotateFields } from './rotate-field.ts';

const ROWS = 4_000;
const NAMES = ['note', 'email', 'born'].map((column) => `public.people.${column}`);
/** Each column is empty in other rows, the first that is named too: its rows begin later than those of the next. */
const PEOPLE = `create table people (id integer primary key, email varchar(80) not null, note text, born date, visits integer not null default 0);
  insert into people select n, 'person' || n || '@example.org', case when n % 3 = 0 then null when n % 3 = 1 then '' else 'note ' || n end,
      case when n % 5 > 0 then date '1950-01-01' + n end from generate_series(1, ${ROWS}) as n`;
const VALUES = { note: ROWS - Math.floor(ROWS / 3), email: ROWS, born: ROWS - Math.floor(ROWS / 5) };

function columnsOf({ order }: Workbench, names = NAMES) {
  return names.map((name) => order(name).column);
}

/** Every UPDATE says of how many rows it was. */
const COUNTED = `create table writes (n integer);
  create function count_writes() returns trigger language plpgsql as $$ begin insert into public.writes select count(*) from changed; return null; end $$;
  create trigger counted after update on people referencing new table as changed for each statement execute function count_writes()`;

async function rowsWritten({ pool }: Workbench, move: () => Promise<unknown>): Promise<number> {
  await pool.query('delete from writes');
  await move();
  const { rows } = await pool.query<{ n: number }>('select coalesce(sum(n), 0)::integer as n from writes');
  return rows[0]?.n ?? 0;
}

/** Stops once a batch of values is committed. */
function failing(ground: Ground): Ground {
  const stop = new AbortController();
  const observe: Ground['observe'] = (moment, _field, { done }) => {
    if (moment === 'committed' && done > 0) stop.abort(new Error('stopped'));
  };
  return { ...ground, observe, signal: stop.signal };
}

test('columns of one table go in, are rotated and come back in one walk each: a row is written once for all of them', async (t) => {
  const bench = await workbench(t, { setUp: `${PEOPLE}; ${COUNTED}` });
  const { ground, pool, order } = bench;
  const columns = columnsOf(bench);
  const before = await bench.fingerprint();
  const original = (await pool.query('select id, email, note, born::text from people order by id')).rows;
  const asked: string[][] = [];
  const encrypt = async () => {
    const { moved, stopped } = await encryptFields(
      ground,
      NAMES.map((name) => order(name, { search: name === 'public.people.email' ? ['exact'] : [] })),
      async (plans) => void asked.push(plans.map(({ field }) => field.column)),
    );
    assert.equal(stopped.size, 0);
    assert.deepEqual(
      moved.map(({ field }) => [field.column, field.phase, field.done, field.verified, field.total]),
      Object.entries(VALUES).map(([column, values]) => [column, 'switched', values, values, values]),
    );
  };
  assert.equal(await rowsWritten(bench, encrypt), ROWS);
  assert.deepEqual(asked, [['note', 'email', 'born']], 'a person is asked once');
  const finish = async () => {
    const { moved, stopped } = await finishFields(ground, columns, agreed);
    assert.equal(stopped.size, 0);
    assert.deepEqual(
      moved.map(({ field, residue }) => [field.column, field.phase, field.verified, residue.length > 0]),
      Object.entries(VALUES).map(([column, values]) => [column, 'finished', values, true]),
    );
  };
  assert.equal(await rowsWritten(bench, finish), ROWS);
  assert.equal(
    (await pool.query('select from people where email is not null or note is not null or born is not null')).rowCount,
    0,
  );
  const rotate = async () => {
    const { moved } = await rotateFields(ground, columns, { agree: agreed, resume: false });
    assert.deepEqual(
      moved.map(({ field, census, currentKeyId }) => [
        field.column,
        census.map(({ keyId, values }) => [keyId === currentKeyId, values]),
      ]),
      Object.entries(VALUES).map(([column, values]) => [column, [[true, values]]]),
    );
  };
  assert.equal(await rowsWritten(bench, rotate), ROWS);
  assert.equal(await rowsWritten(bench, () => decryptColumns(ground, columns, agreed)), ROWS);
  assert.deepEqual((await pool.query('select id, email, note, born::text from people order by id')).rows, original);
  assert.equal(await bench.fingerprint(), before);
  assert.equal((await pool.query('select from safekeep.fields')).rowCount, 0);
});

test('what stops one column of several is told with its name, the others go on, and it goes on by itself once it is mended', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PEOPLE}; create table refused (column_name text);
      create function refuse() returns trigger language plpgsql as $$ begin
        if to_jsonb(new) -> 'note_encrypted' is distinct from to_jsonb(old) -> 'note_encrypted' and exists (select from public.refused) then raise exception 'not this one'; end if;
        return new; end $$;
      create trigger a_refuse before update on people for each row execute function refuse(); insert into refused values ('note')`,
  });
  const { ground, order, pool } = bench;
  const { moved, stopped } = await encryptFields(
    ground,
    NAMES.map((name) => order(name)),
    agreed,
  );
  assert.deepEqual(
    moved.map(({ field }) => [field.column, field.phase, field.verified]),
    [
      ['email', 'switched', VALUES.email],
      ['born', 'switched', VALUES.born],
    ],
  );
  assert.deepEqual([...stopped.keys()], ['public.people.note']);
  assert.match(String(stopped.get('public.people.note')), /not this one/);
  const note = (await fieldStatus(ground)).find(({ field }) => field === 'public.people.note');
  assert.deepEqual([note?.phase, note?.done], ['backfilling', 0]);
  await pool.query('delete from refused');
  const { field } = await encryptField(ground, order('public.people.note'), agreed);
  assert.deepEqual([field.phase, field.done, field.verified], ['switched', VALUES.note, VALUES.note]);
  const back = await decryptColumns(ground, columnsOf(bench, [...NAMES, 'public.people.visits']), agreed);
  assert.deepEqual([back.moved.length, [...back.stopped.keys()]], [3, ['public.people.visits']]);
});

test('what is about no column stops all at once: a table that others keep locked is waited for once, not by halves', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const holder = await bench.pool.connect();
  const locks: Promise<unknown>[] = [];
  let ready = 0;
  const observe: Ground['observe'] = (moment, { phase }) => {
    if (moment === 'phase' && phase === 'backfilling' && (ready += 1) === NAMES.length)
      locks.push(holder.query('begin; lock table people'));
  };
  const orders = NAMES.map((name) => bench.order(name));
  try {
    const ground = { ...bench.ground, observe, patience: { tries: 3, lockTimeoutMs: 50, pauseMs: 5 } };
    await assert.rejects(encryptFields(ground, orders, agreed), (error) => isSafekeepError(error, 'lock-timeout'));
    assert.equal(locks.length, 1);
    await Promise.all(locks);
    await holder.query('rollback');
  } finally {
    holder.release();
  }
  const { moved, stopped } = await encryptFields(bench.ground, orders, agreed);
  assert.deepEqual([moved.length, stopped.size], [NAMES.length, 0]);
});

test('an answer of the plan stops its column alone, before anything of it is touched', async (t) => {
  const bench = await workbench(t, { setUp: `${PEOPLE}; alter table people add constraint one_note unique (note, id)` });
  const { moved, stopped } = await encryptFields(
    bench.ground,
    NAMES.map((name) => bench.order(name)),
    agreed,
  );
  assert.deepEqual(
    moved.map(({ field }) => field.column),
    ['email', 'born'],
  );
  assert.ok(isSafekeepError(stopped.get('public.people.note'), 'field-unfit'));
  const { rows } = await bench.pool.query(
    `select column_name from information_schema.columns where table_name = 'people' and column_name like '%encrypted' order by 1`,
  );
  assert.deepEqual(
    rows.map((row) => row.column_name),
    ['born_encrypted', 'email_encrypted'],
  );
  const refused = await encryptFields(bench.ground, [bench.order('public.people.note')], () => assert.fail('nobody is asked'));
  assert.equal(refused.moved.length, 0);
  // Whoever declines declines all of it.
  await decryptColumns(bench.ground, columnsOf(bench, ['public.people.email', 'public.people.born']), agreed);
  await assert.rejects(
    encryptFields(
      bench.ground,
      NAMES.map((name) => bench.order(name)),
      () => Promise.reject(new Error('declined')),
    ),
    /declined/,
  );
  assert.deepEqual((await bench.pool.query('select from safekeep.fields')).rowCount, 0);
});

test('columns that were left at different places go on together, and nothing is counted twice', async (t) => {
  const bench = await workbench(t, {
    setUp: `${PEOPLE}; insert into people select n, 'person' || n || '@example.org', 'note', date '1950-01-01' from generate_series(${ROWS + 1}, 30000) as n; analyze people`,
  });
  const { ground, order, pool } = bench;
  await assert.rejects(encryptField(failing(ground), order('public.people.email'), agreed), /stopped/);
  await assert.rejects(
    encryptFields(
      failing(ground),
      ['public.people.note', 'public.people.born'].map((name) => order(name)),
      agreed,
    ),
    /stopped/,
  );
  const { rows: counts } = await pool.query(
    `select column_name, done::integer, next_page::integer as page from safekeep.fields order by 1`,
  );
  assert.ok(
    counts.every(({ done }) => done > 0 && done < 30_000),
    JSON.stringify(counts),
  );
  const { moved, stopped } = await encryptFields(
    ground,
    NAMES.map((name) => order(name)),
    agreed,
  );
  assert.equal(stopped.size, 0);
  const extra = 30_000 - ROWS;
  assert.deepEqual(
    moved.map(({ field }) => [field.column, field.done, field.verified]),
    Object.entries(VALUES).map(([column, values]) => [column, values + extra, values + extra]),
  );
});

test('a row that somebody changes in one column between read and write is sealed as it then stands, in all of them', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { pool } = bench;
  const writes: Promise<unknown>[] = [];
  const observe: Ground['observe'] = (moment) => {
    if (moment === 'read' && writes.length === 0)
      writes.push(pool.query(`update people set note = 'meanwhile', visits = 1 where id between 10 and 20`));
  };
  const ground = {
    ...bench.ground,
    observe,
    keys: {
      ...bench.ground.keys,
      // After the rows were read, before they are written.
      seal: async (...asked: Parameters<Ground['keys']['seal']>) => {
        await Promise.all(writes);
        return await bench.ground.keys.seal(...asked);
      },
    },
  };
  const { moved } = await encryptFields(
    ground,
    NAMES.map((name) => bench.order(name)),
    agreed,
  );
  assert.equal(writes.length, 1);
  const stood = await pool.query(
    'select id, email, note, born::text, email_encrypted, note_encrypted, born_encrypted from people order by id',
  );
  const opened = async (field: Field): Promise<readonly (string | null)[]> => {
    const sealed = stood.rows.map((row): Buffer | null => row[field.encryptedColumn]);
    const texts = [
      ...(await bench.ground.keys.open(
        field,
        sealed.filter((each) => each !== null),
      )),
    ];
    return sealed.map((each) => (each === null ? null : (texts.shift() ?? '')));
  };
  for (const { field } of moved)
    assert.deepEqual(
      await opened(field),
      stood.rows.map((row) => row[field.column]),
    );
  assert.ok(stood.rows.slice(9, 20).every((row) => row.note === 'meanwhile'));
});
