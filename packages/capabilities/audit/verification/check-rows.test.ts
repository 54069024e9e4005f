import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { readMap, systemClock } from '@safekeep/core';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { applyPlan } from '@safekeep/capabilities/plan';
import { auditCapture } from '../contributors/capture.ts';
import type { SubjectKeys } from '../../encryption/index.ts';
import { openEvents } from '../store/event-values.ts';
import { readOnly } from '../store/read-only.ts';
import { checkRows } from './check-rows.ts';
import { checkEnded } from './check-ended.ts';
import { checkStanding } from './check-standing.ts';
import { faultList } from './faults.ts';
import { markOf, TENANT, writtenLog, type Told } from '../testing/written-log.ts';

const SET_UP = `
  create table public.patients (id integer primary key, note text, amount numeric(10, 2), seen_at timestamptz, born date, tags text[], wait interval);
  create table public.letters (a integer, b text, body text, primary key (a, b));
  insert into public.patients values (1, 'before capture', 1.00, '2026-01-01T00:00:00+02', '1980-05-01', '{a,b}', '1 day');`;
const plain = { category: 'none', note: 'looked at' };
const TABLES = {
  'public.patients': {
    audit: { writes: true },
    columns: { id: plain, note: plain, amount: plain, seen_at: plain, born: plain, tags: plain, wait: plain },
  },
  'public.letters': { of: 'none', note: 'x', audit: { writes: true }, columns: { a: plain, b: plain, body: plain } },
};
/** Nothing in these logs is sealed, so a key that is asked for is a fault of the test. */
const noKeys: SubjectKeys = {
  forSealing: () => assert.fail('no key is needed'),
  forOpening: () => assert.fail('no key is needed'),
  destroy: () => assert.fail('no key is needed'),
};

async function bench(t: TestContext, server = testServers()[0]) {
  const made = await testDatabase(t, { migrated: true, server });
  await made.pool.query(SET_UP);
  const file = { version: 1, tenant: 'fixed', subjects: { patient: { table: 'public.patients', key: 'id' } }, tables: TABLES };
  const reading = readMap(file);
  if (!('map' in reading)) assert.fail(JSON.stringify(reading.faults));
  const text = JSON.stringify(file);
  const read = { map: reading.map, text, sha256: createHash('sha256').update(text).digest('hex') };
  await applyPlan(
    {
      patience: { tries: 2, lockTimeoutMs: 50, pauseMs: 1 },
      database: made.database,
      tenant: TENANT,
      clock: systemClock,
      signal: new AbortController().signal,
      observe: () => undefined,
    },
    { intent: { tenant: TENANT, contributors: [auditCapture], read }, author: 'Ada', agree: async () => undefined },
  );
  const log = await writtenLog(made.pool);
  const rows = async (first = 'select'): Promise<string[]> => {
    const faults = faultList();
    const signal = new AbortController().signal;
    await readOnly(made.database, TENANT, async (client) => {
      await client.query(first);
      await checkRows(client, { tenant: TENANT, signal, faults, markOf, valuesOf: (db, events) => openEvents(db, noKeys, events) });
    });
    // This log was written by hand, and no sequencer has taken any.
    const list = faults.list().filter(({ code }) => code !== 'baseline-missing');
    return list.map(({ code, index, detail }) => `${code} ${index ?? ''} ${detail}`);
  };
  const standing = async (wanted: readonly string[] = []): Promise<string[]> => {
    const faults = faultList();
    await readOnly(made.database, TENANT, async (client) => {
      await checkStanding(client, TENANT, faults);
      await checkEnded(client, { tenant: TENANT, wanted, markOf, faults });
    });
    return faults.list().map(({ code }) => code);
  };
  /** With triggers off, as somebody would who wants to leave no trace. */
  const unseen = async (sql: string) =>
    await made.pool.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
  return { ...made, log, rows, standing, unseen };
}

const change = (action: string, record: string, details: object, table = 'public.patients'): Told => ({
  action,
  record,
  details,
  table,
});

test('rows that the log explains are no fault, whatever their types and keys, on every server', async (t) => {
  for (const server of testServers()) {
    const { log, rows, pool } = await bench(t, server);
    await pool.query(`set timezone = 'Asia/Tokyo'; insert into public.patients values (2, 'x', 2.50, '2026-02-01T10:00:00+01', '1990-01-02', '{c}', '36 hours');
      insert into public.letters values (1, 'a,b', 'one'), (1, 'A\\', 'two'), (1, 'ä', 'three')`);
    const told = [
      change('insert', '2', {
        new: { id: '2', note: 'y', amount: '2.50', seen_at: '2026-02-01T09:00:00', born: '1990-01-02', tags: '{c}', wait: 'PT36H' },
      }),
      change('update', '2', { old: { note: 'y' }, new: { note: 'x' } }),
      change('insert', '1,a\\,b', { new: { a: '1', b: 'a,b', body: 'one' } }, 'public.letters'),
      change('insert', '1,A\\\\', { new: { a: '1', b: 'A\\', body: 'two' } }, 'public.letters'),
      change('insert', '1,ä', { new: { a: '1', b: 'ä', body: 'three' } }, 'public.letters'),
      change('insert', '9', { new: { id: '9', note: 'gone' } }),
      change('delete', '9', { old: { id: '9', note: 'gone' } }),
    ];
    await log.write(told.length, (index) => told[index] ?? assert.fail());
    assert.deepEqual(await rows(), []);
  }
});

test('what was written with triggers off is found: an edit, a new row, a deleted one, one that was brought back', async (t) => {
  const { log, rows, pool, unseen } = await bench(t);
  await pool.query(`insert into public.patients (id, note) values (2, 'two'), (3, 'three')`);
  const told = [
    change('insert', '2', { new: { id: '2', note: 'two' } }),
    change('insert', '3', { new: { id: '3', note: 'three' } }),
    change('insert', '4', { new: { id: '4', note: 'four' } }),
    change('delete', '4', { old: { id: '4', note: 'four' } }),
  ];
  await log.write(told.length, (index) => told[index] ?? assert.fail());
  assert.deepEqual(await rows(), []);
  await unseen(`update public.patients set note = 'secretly' where id = 2; delete from public.patients where id = 3;
    insert into public.patients (id, note) values (4, 'back'), (5, 'new'); update public.patients set note = 'old row' where id = 1`);
  assert.deepEqual(await rows(), [
    'row-unexplained 0 public.patients: the row 2 has other values in note than event 0 left there.',
    'row-unexplained 1 public.patients: the row 3 is gone, and the log has it last as changed, not as deleted.',
    'row-unexplained 3 public.patients: the row 4 is there, and the log has it last as deleted.',
    'row-unexplained  public.patients: the row 1 was written since capture began, and the log has no event of it.',
    'row-unexplained  public.patients: the row 5 was written since capture began, and the log has no event of it.',
  ]);
});

test('row security, forced too, keeps no change from the log; whoever it keeps rows from verifies none and is told so', async (t) => {
  const { log, rows, pool, unseen } = await bench(t);
  await pool.query(`alter table public.patients enable row level security, force row level security;
    create policy newer on public.patients using (id > 100) with check (true)`);
  const owner = 'set local role safekeep_owner';
  await pool.query(`alter table public.patients owner to safekeep_owner; grant create, usage on schema public to safekeep_owner;
    grant select on public.letters to safekeep_owner`);
  await pool.query(`begin; ${owner}; insert into public.patients (id, note) values (2, 'two'), (102, 'more'); commit`);
  await pool.query(`begin; ${owner}; update public.patients set note = 'changed'; commit`);
  const { rows: captured } = await pool.query<{ action: string; events: number }>(
    `select action, sum(events)::integer as events from (select * from safekeep.audit_inbox_even union all select * from safekeep.audit_inbox_odd) as i
      group by action order by action`,
  );
  assert.deepEqual(captured, [
    { action: 'insert', events: 2 },
    { action: 'update', events: 1 },
  ]);
  const told = [
    change('insert', '2', { new: { id: '2', note: 'two' } }),
    change('insert', '102', { new: { id: '102', note: 'more' } }),
    change('update', '102', { old: { note: 'more' }, new: { note: 'changed' } }),
  ];
  await log.write(told.length, (index) => told[index] ?? assert.fail());
  assert.deepEqual(await rows(), [], 'a superuser sees all');
  await unseen(`update public.patients set note = 'secretly' where id = 2`);
  assert.deepEqual(await rows(), [
    'row-unexplained 0 public.patients: the row 2 has other values in note than event 0 left there.',
  ]);
  assert.deepEqual(await rows(owner), [
    'rows-hidden  public.patients: row security keeps rows from this login, so none was held against the log.',
  ]);
});

test('a key that was changed, a table that was emptied and values that are erased are no fault', async (t) => {
  const { log, rows, pool } = await bench(t);
  await pool.query(`truncate public.patients; insert into public.patients (id, note) values (8, 'moved'), (6, 'after')`);
  const told = [
    change('insert', '3', { new: { id: '3', note: 'emptied' } }),
    { action: 'truncate', table: 'public.patients', details: { rows: 1 } },
    change('insert', '7', { new: { id: '7', note: 'moved' } }),
    change('update', '7', { old: { id: '7' }, new: { id: '8' } }),
    change('insert', '6', { new: { id: '6', note: 'erased long ago' } }),
    { ...change('update', '6', { erased: true }), columns: ['note'] },
  ];
  await log.write(told.length, (index) => told[index] ?? assert.fail());
  assert.deepEqual(await rows(), []);
});

test('a key that a deleted row had may be taken by another row, again and again; what is done unseen to it then is found', async (t) => {
  const { log, rows, pool, unseen } = await bench(t);
  await pool.query(`insert into public.patients (id, note) values (5, 'other')`);
  const told = [
    change('insert', '5', { new: { id: '5', note: 'first' } }),
    change('delete', '5', { old: { id: '5', note: 'first' } }),
    change('insert', '-5', { new: { id: '-5', note: 'second' } }),
    change('update', '-5', { old: { id: '-5' }, new: { id: '5' } }),
    change('delete', '5', { old: { id: '5', note: 'second' } }),
    change('insert', '-5', { new: { id: '-5', note: 'third' } }),
    change('update', '-5', { old: { note: 'third' }, new: { note: 'other' } }),
    change('update', '-5', { old: { id: '-5' }, new: { id: '5' } }),
  ];
  await log.write(told.length, (index) => told[index] ?? assert.fail());
  assert.deepEqual(await rows(), []);
  await unseen(`update public.patients set note = 'secretly' where id = 5`);
  assert.deepEqual(await rows(), [
    'row-unexplained 6 public.patients: the row 5 has other values in note than event 6 left there.',
  ]);
  await unseen('delete from public.patients where id = 5');
  assert.deepEqual(await rows(), [
    'row-unexplained 7 public.patients: the row 5 is gone, and the log has it last as changed, not as deleted.',
  ]);
});

test('a row that came from another key and was deleted or emptied away since is no excuse for one that is planted', async (t) => {
  const { log, rows, unseen } = await bench(t);
  const told = [
    change('insert', '-5', { new: { id: '-5', note: 'moved' } }),
    change('update', '-5', { old: { id: '-5' }, new: { id: '5' } }),
    change('delete', '5', { old: { id: '5', note: 'moved' } }),
  ];
  await log.write(told.length, (index) => told[index] ?? assert.fail());
  await unseen(`insert into public.patients (id, note) values (5, 'moved')`);
  assert.deepEqual(await rows(), ['row-unexplained 2 public.patients: the row 5 is there, and the log has it last as deleted.']);
  await unseen('delete from public.patients where id = 5');
  const more = [
    change('insert', '-7', { new: { id: '-7', note: 'moved' } }),
    change('update', '-7', { old: { id: '-7' }, new: { id: '7' } }),
    { action: 'truncate', table: 'public.patients', details: { rows: 2 } },
  ];
  await log.write(more.length, (index) => more[index - told.length] ?? assert.fail());
  await unseen(`insert into public.patients (id, note) values (7, 'moved')`);
  assert.deepEqual(await rows(), [
    'row-unexplained  public.patients: the row 7 was written since capture began, and the log has no event of it.',
  ]);
});

test('capture stands after apply, and whatever was done to it is told', async (t) => {
  const { standing, pool } = await bench(t);
  assert.deepEqual(await standing(['public.patients', 'public.other']), []);
  const attacks: readonly (readonly [string, readonly string[]])[] = [
    [`alter table public.patients disable trigger safekeep_audit_update`, ['trigger-disabled']],
    [`alter table public.patients enable replica trigger safekeep_audit_update`, ['trigger-disabled']],
    [`drop trigger safekeep_audit_delete on public.patients`, ['trigger-missing']],
    [
      `do $$ declare f text; begin
         select tgfoid::regproc::text into f from pg_trigger where tgname = 'safekeep_audit_update' and tgrelid = 'public.patients'::regclass;
         drop trigger safekeep_audit_update on public.patients;
         execute format('create trigger safekeep_audit_update after update on public.patients for each row when (false) execute function %s()', f);
       end $$`,
      ['trigger-changed'],
    ],
    [
      `do $$ declare f text; begin
         select tgfoid::regproc::text into f from pg_trigger where tgname = 'safekeep_audit_update' and tgrelid = 'public.patients'::regclass;
         drop trigger safekeep_audit_update on public.patients;
         execute format('create trigger safekeep_audit_update after update of born on public.patients for each row execute function %s()', f);
       end $$`,
      ['trigger-changed'],
    ],
    [
      `create function public.nothing() returns trigger language plpgsql as 'begin return null; end';
       drop trigger safekeep_audit_update on public.patients;
       create trigger safekeep_audit_update after update on public.patients for each row execute function public.nothing()`,
      ['trigger-changed'],
    ],
    [
      `do $$ declare f text; begin
         select tgfoid::regproc::text into f from pg_trigger where tgname = 'safekeep_audit_update' and tgrelid = 'public.patients'::regclass;
         execute format('create or replace function %s() returns trigger language plpgsql security definer set search_path = '''' as %L', f, 'begin return null; end');
       end $$`,
      ['function-changed'],
    ],
    [
      `do $$ declare f text; begin
         select tgfoid::regproc::text into f from pg_trigger where tgname = 'safekeep_audit_update' and tgrelid = 'public.patients'::regclass;
         execute format('alter function %s() set search_path = public', f);
       end $$`,
      ['function-changed'],
    ],
    [`alter table public.patients rename to persons`, ['trigger-missing']],
    [
      `do $$ begin execute format('alter database %I set session_replication_role = replica', current_database()); end $$`,
      ['trigger-disabled'],
    ],
  ];
  for (const [sql, told] of attacks) {
    const client = await pool.connect();
    try {
      await client.query(`begin; ${sql}`);
      const faults = faultList();
      await client.query(`set local search_path = ''`);
      await checkStanding(client, TENANT, faults);
      assert.deepEqual(
        faults.list().map(({ code }) => code),
        told,
        sql,
      );
    } finally {
      await client.query('rollback');
      client.release();
    }
  }
  assert.deepEqual(await standing(), []);
});

test('a table that was taken out of the list of captures is still missed where the map wants it and the log has it', async (t) => {
  const { standing, pool, log } = await bench(t);
  await log.write(1, () => change('insert', '2', { new: { id: '2' } }));
  await pool.query(`delete from safekeep.audit_captures where table_name = 'public.patients'`);
  assert.deepEqual(await standing(['public.patients', 'public.letters']), ['trigger-missing']);
  assert.deepEqual(await standing(['public.letters']), []);
});
