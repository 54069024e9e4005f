import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { Secret } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import type { CommandContext } from '../capability.ts';
import { installSchedules, type JobContext, type JobKind } from '../jobs/index.ts';
import { logHealth } from './actions/log-health.ts';
import { keepPartitions } from './actions/partitions.ts';
import { auditJobs } from './jobs.ts';
import { searchEvents } from './questions/answer.ts';
import { workbench } from './testing/workbench.ts';

const plain = { category: 'none', note: 'looked at' };
const signal = new AbortController().signal;

async function bench(t: TestContext) {
  const made = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await made.capture({ 'public.things': { of: 'none', note: 'x', columns: { id: plain, v: plain } } }, { subjects: {} });
  const { clock, log } = made.sequencer;
  const work = async (kind: JobKind, payload: object = {}, host?: Partial<CommandContext>): Promise<unknown> => {
    // What these jobs use of theirs.
    const context = { database: made.database, tenant: 'default', clock, log, signal, ...(host === undefined ? {} : { host }) };
    return await kind.run(context as unknown as JobContext, payload as never);
  };
  const kindOf = (name: string): JobKind => auditJobs.find(({ kind }) => kind === name) ?? assert.fail(name);
  return { ...made, work, kindOf };
}

test('what the log needs from time to time is on schedule by itself, and doctor sees how it is doing', async (t) => {
  const { database, work, kindOf, pool, sequence, unapply } = await bench(t);
  assert.deepEqual(
    (await installSchedules(database, auditJobs, 'default')).map(({ kind }) => kind),
    ['audit-attest', 'audit-partitions'],
  );
  assert.match(
    (await logHealth(database, 'default')).detail,
    /^1 table\(s\) captured, 3 month\(s\) ahead; capture was not attested for a day/,
  );
  assert.deepEqual(await work(kindOf('audit-attest')), { ok: true, tables: 1, faults: 0 });
  await sequence();
  assert.equal((await logHealth(database, 'default')).state, 'ok');
  await pool.query('alter table things disable trigger safekeep_audit_update');
  assert.deepEqual(await work(kindOf('audit-attest')), { ok: false, tables: 1, faults: 1 });
  await sequence();
  assert.equal((await logHealth(database, 'default')).state, 'fail');
  await pool.query('alter table things enable trigger safekeep_audit_update');
  await work(kindOf('audit-attest'));
  await sequence();
  await pool.query(
    `insert into things values (1, 'a'); update safekeep.audit_inbox_even set at = at - interval '1 hour'; update safekeep.audit_inbox_odd set at = at - interval '1 hour'`,
  );
  assert.match(
    (await logHealth(database, 'default')).detail,
    /the oldest change waits for 60 minutes: safekeep start --role worker/,
  );
  await sequence();
  const { rows } = await pool.query<{ name: string }>(`select name from safekeep.audit_partition_health order by name offset 1`);
  for (const { name } of rows) await pool.query(`drop table safekeep.${name}`);
  assert.match((await logHealth(database, 'default')).detail, /no month is made ahead/);
  assert.deepEqual(await work(kindOf('audit-partitions')), { made: 3 });
  assert.equal((await logHealth(database, 'default')).state, 'ok');
  await unapply();
  const { state, detail } = await logHealth(database, 'default');
  assert.equal(state, 'warn');
  assert.match(detail, /^0 table\(s\) captured, .*; what is changed is in no log: safekeep plan, then safekeep apply$/);
});

test('with the home of the command that serves, closed months get an index of their words, and those that policy names are dropped', async (t) => {
  const { database, work, kindOf, pool, sequence, sequencer, home } = await bench(t);
  await pool.query(
    `insert into things select n, 'word' || n from generate_series(1, 2000) as n; insert into things values (0, 'needle')`,
  );
  await sequence();
  const host = { database: async () => database, home };
  assert.deepEqual(
    await work(kindOf('audit-partitions'), {}, host),
    { made: 0, dropped: 0, indexed: 0 },
    'this month is written to',
  );
  const later = { ...sequencer.clock, now: () => new Date(Date.now() + 70 * 86_400_000) };
  const order = { tenant: 'default', clock: later, signal };
  const [month] = (await keepPartitions(database, order)).indexed;
  assert.ok(month);
  await pool.query(`update pg_index set indisvalid = false where indexrelid = 'safekeep.${month}_words'::regclass`);
  assert.deepEqual((await keepPartitions(database, order)).indexed, [month], 'one that was broken off is made again');
  assert.deepEqual((await keepPartitions(database, order)).indexed, []);
  const { rows: plan } = await pool.query<{ 'QUERY PLAN': string }>(
    `explain select 1 from safekeep.audit_events where tenant_id = 'default'
      and pg_catalog.jsonb_to_tsvector('simple', coalesce(details, 'null'), '["all"]') @@ pg_catalog.websearch_to_tsquery('simple', 'needle')`,
  );
  assert.match(plan.map((line) => line['QUERY PLAN']).join('\n'), new RegExp(`${month}_words`));
  const { events } = await searchEvents(database, 'default', { text: 'needle' }, { limit: 10 });
  assert.deepEqual(
    events.map(({ record }) => record),
    ['0'],
  );
  const { dropped } = await keepPartitions(database, {
    ...order,
    policy: { keepMonths: 1, markOf: sequencer.keys.markOf, sequence },
  });
  assert.equal(dropped[0], month);
  assert.deepEqual(await work(kindOf('audit-partitions'), { keepMonths: 1 }, host), {
    made: 0,
    dropped: 0,
    indexed: 0,
  });
});

test('the login of a worker, which row security binds, attests and makes months ahead', async (t) => {
  const { database, url, pool, kindOf, sequencer, events, sequence } = await bench(t);
  const login = `test_login_${randomUUID().slice(0, 8)}`;
  await pool.query(`create role ${login} login password 'x' in role safekeep_app`);
  const bound = new URL(url.reveal());
  [bound.username, bound.password] = [login, 'x'];
  const weak = await openDatabase(new Secret(bound.href));
  try {
    // What these jobs use of theirs.
    const context = { ...sequencer, database: weak, tenant: 'default', signal } as unknown as JobContext;
    assert.deepEqual(await kindOf('audit-attest').run(context, {} as never), { ok: true, tables: 1, faults: 0 });
    assert.deepEqual(await kindOf('audit-partitions').run(context, {} as never), { made: 0 });
    await assert.rejects(logHealth(weak, 'default'), { code: '42501' });
  } finally {
    await weak.close();
    // A role belongs to the whole server and would stay.
    await pool.query(`drop role ${login}`);
  }
  await sequence();
  assert.deepEqual(
    (await events()).map(({ action }) => action),
    ['attested'],
  );
  assert.equal((await logHealth(database, 'default')).state, 'ok');
});
