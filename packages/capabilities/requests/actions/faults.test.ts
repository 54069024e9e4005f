import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { onRelease, releaseHold } from '../../holds/index.ts';
import type { ErasureId, ErasureParticipant } from '../model.ts';
import { DIFFICULT, DIFFICULT_MAP, workbench, type Workbench } from '../testing/workbench.ts';
import { checkErasures } from './check-erasures.ts';
import { endErasure } from './end-erasure.ts';
import { exportSubject } from './export-subject.ts';
import { parseSubject } from './ground.ts';
import { listErasures, requeueErasures, runErasures } from './open-erasures.ts';
import { replayLedger } from './replay-ledger.ts';

const nothing = { counts: {}, keysDestroyed: [], horizon: null };

function participant(more: Partial<ErasureParticipant>): ErasureParticipant {
  return {
    name: 'test',
    plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
    within: async () => nothing,
    after: async () => {},
    recheck: async () => [],
    ...more,
  };
}

async function difficult(
  t: Parameters<typeof workbench>[0],
  more: { readonly map?: object; readonly ports?: readonly ErasureParticipant[] } = {},
): Promise<Workbench> {
  return await workbench(t, { schema: DIFFICULT, map: more.map ?? DIFFICULT_MAP, ports: { participants: more.ports ?? [] } });
}

/** Everything of every table, so that nothing can have changed unseen. */
async function whole(bench: Workbench): Promise<readonly (readonly string[])[]> {
  return await Promise.all(Object.keys(DIFFICULT_MAP.tables).map((table) => bench.rows(table)));
}

test('somebody who is not there, and a hash that nobody planned, are told and change nothing', async (t) => {
  const bench = await difficult(t);
  await assert.rejects(bench.plan('patient:99'), { code: 'subject-unknown' });
  await assert.rejects(bench.plan('nobody:1'), { code: 'subject-type-unknown' });
  await assert.rejects(bench.approve('patient:42', '0'.repeat(64)), { code: 'erasure-plan-unknown' });
  const { hash } = await bench.plan('patient:43');
  await assert.rejects(bench.approve('patient:42', hash), { code: 'erasure-plan-unknown' });
});

test('a plan does not change anything, and is the same twice', async (t) => {
  const bench = await difficult(t);
  const before = await whole(bench);
  const [first, second] = [await bench.plan('patient:42', 'delete'), await bench.plan('patient:42', 'delete')];
  assert.equal(first.hash, second.hash);
  assert.notEqual(first.hash, (await bench.plan('patient:42')).hash);
  assert.deepEqual(await whole(bench), before);
});

test('a row that came after the approval stops it; so does one that comes while it waits', async (t) => {
  const bench = await difficult(t);
  const { hash } = await bench.plan('patient:42');
  await bench.pool.query(`insert into visits (id, patient_id, reason) values (100, 42, 'new')`);
  await assert.rejects(bench.approve('patient:42', hash), { code: 'erasure-plan-changed' });
  const again = await bench.plan('patient:42');
  const booking = await bench.pool.connect();
  try {
    await booking.query(`begin; insert into visits (id, patient_id, reason) values (101, 42, 'newer')`);
    const erasing = assert.rejects(bench.approve('patient:42', again.hash), { code: 'erasure-plan-changed' });
    // The insert holds the person's row; once the erasure waits for it, let it go.
    for (;;) {
      const { rows } = await bench.pool.query(
        `select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      if (rows[0].waiting > 0) break;
    }
    await booking.query('commit');
    await erasing;
  } finally {
    booking.release();
  }
  assert.equal((await bench.erase('patient:42')).verified, true);
});

test("a user's trigger that raises is in the plan by name; one that comes later takes everything back", async (t) => {
  const bench = await difficult(t);
  const { hash } = await bench.plan('patient:42');
  await bench.pool
    .query(`create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no: %', old.body; end $$;
    create trigger refuse before update on messages for each row execute function public.refuse()`);
  const before = await whole(bench);
  const failure = await bench.approve('patient:42', hash).catch((error: unknown) => error);
  assert.match(String(failure), /Erasing was refused at public\.messages: .*refuse/);
  assert.ok(!String(failure).includes('hello'), 'no value of a row is told');
  assert.deepEqual(await whole(bench), before);
  const plan = await bench.plan('patient:42', 'anonymise', await bench.refresh());
  assert.match(plan.blocked[0]?.what ?? '', /refuse.*P0001/);
  // A function may raise any code: its words go no further whichever it is.
  await bench.pool.query(
    `create or replace function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no: %', old.body using errcode = 'P1001'; end $$`,
  );
  const own = await bench.plan('patient:42', 'anonymise', await bench.refresh());
  assert.match(own.blocked[0]?.what ?? '', /P1001/);
  assert.ok(!JSON.stringify(own).includes('hello'));
});

test('a trigger that puts the old value back is found out', async (t) => {
  const bench = await difficult(t);
  await bench.pool
    .query(`create function public.put_back() returns trigger language plpgsql as $$ begin new.agent := old.agent; return new; end $$;
    create trigger put_back before update on clicks for each row execute function public.put_back()`);
  const plan = await bench.plan('patient:42', 'anonymise', await bench.refresh());
  assert.match(plan.blocked[0]?.what ?? '', /does not stay/);
});

test('deleting: a table that the map does not know stops it, a kept row leaves an empty shell, a circle goes as one', async (t) => {
  const bench = await difficult(t);
  await bench.pool.query(
    'create table public.unknown (id bigint primary key, visit integer, tenant integer default 1, foreign key (tenant, visit) references visits (tenant, id)); insert into unknown values (1, 3)',
  );
  const blocked = await bench.plan('patient:42', 'delete', await bench.refresh());
  assert.match(blocked.blocked[0]?.what ?? '', /public\.unknown.*refer/);
  await bench.pool.query('drop table unknown');
  const ground = await bench.refresh();
  const done = await bench.erase('patient:42', 'delete', ground);
  assert.equal(done.verified, true);
  assert.equal((await bench.rows('visits', 'patient_id = 42')).length, 0);
  assert.equal((await bench.rows('c1', 'id < 3')).length, 0);
  assert.equal((await bench.rows('c1')).length, 1);
  assert.deepEqual(
    (await bench.rows('patients', 'id = 42 and full_name = $$erased$$')).length,
    1,
    'invoices that must be kept still point there',
  );
  assert.ok((await bench.rows('invoices', 'patient_id = 42 and note is null')).length > 0);
});

test("a column of the user's that is called like one of ours is theirs: unmapped it stops an erasure, and an export says that it is left out", async (t) => {
  const bench = await difficult(t);
  await bench.pool.query('alter table visits add mass_index integer; update visits set mass_index = 27 where patient_id = 42');
  const ground = await bench.refresh();
  const plan = await bench.plan('patient:42', 'anonymise', ground);
  assert.match(plan.blocked[0]?.what ?? '', /says nothing about mass_index/);
  const out = join(bench.folder, 'export.json');
  const order = { ...parseSubject(ground.map, 'patient:42'), format: 'json', window: { from: null, to: null }, out } as const;
  const { withheld } = await exportSubject({ ...ground, directory: bench.folder, key: randomBytes(32) }, order);
  assert.deepEqual(
    withheld.filter(({ column }) => column === 'mass_index').map(({ table, reason }) => [table, reason.slice(0, 14)]),
    [['public.visits', 'not in the map']],
  );
  assert.doesNotMatch(await readFile(out, 'utf8'), /mass_index":27/);
});

test('what is held stays whole, also where only the other person of a shared row is held', async (t) => {
  const bench = await difficult(t);
  await bench.hold('patient:43');
  const messages = await bench.rows('messages', 'id in (1, 2)');
  const done = await bench.erase('patient:42');
  assert.equal(done.state, 'held');
  assert.deepEqual(await bench.rows('messages', 'id in (1, 2)'), messages);
  assert.equal((await bench.rows('messages', 'id = 4 and body is null')).length, 1);
});

test('when a hold ends, what it had stopped is erased with the next run', async (t) => {
  const bench = await difficult(t);
  t.after(onRelease(requeueErasures));
  const onPerson = await bench.hold('patient:44');
  const plan = await bench.plan('patient:44');
  assert.equal(plan.holds[0]?.wholePerson, true);
  const before = await whole(bench);
  await assert.rejects(bench.approve('patient:44', plan.hash), { code: 'erasure-held' });
  assert.deepEqual(await whole(bench), before);
  const onRow = await bench.hold('public.visits:1,3');
  assert.equal((await bench.erase('patient:42')).state, 'held');
  assert.equal((await bench.rows('visits', "id = 3 and reason = 'reason 3'")).length, 1);
  for (const id of [onPerson, onRow])
    await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  const { erasures } = await runErasures(bench.ground);
  assert.deepEqual(
    erasures.map(({ state, error }) => [state, error]),
    [
      ['kept', null],
      ['kept', null],
    ],
  );
  assert.equal((await bench.rows('visits', "patient_id in (42, 44) and reason <> 'erased'")).length, 0);
  assert.equal((await runErasures(bench.ground)).erasures.length, 0);
});

test('a row of two people goes when the second of them is erased too, be it that the machine stopped behind the commit of the first', async (t) => {
  const bench = await difficult(t);
  const onCommitted = (): void => {
    throw new Error('no certificate yet');
  };
  const { hash } = await bench.plan('patient:42');
  await assert.rejects(bench.approve('patient:42', hash, { onCommitted }), /no certificate yet/);
  await bench.erase('patient:43');
  assert.equal((await runErasures(bench.ground)).erasures[0]?.state, 'kept');
  assert.deepEqual(await bench.rows('messages', 'id in (1, 2)'), ['(1,42,43,,,)', '(2,43,42,,,)']);
  assert.deepEqual(await bench.rows('messages', 'id = 3'), ['(3,43,44,,"Cy Dunn",hey)']);
});

test('an erasure that died behind its commit comes to its end before the next one of the person begins, whose masks are nobody’s words', async (t) => {
  const bench = await workbench(t, {
    schema: `create table people (id bigint primary key, code char(4) not null unique); insert into people values (1, 'AB12')`,
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.people', key: 'id', find_by: ['code'], label: 'code' } },
      tables: { 'public.people': { columns: { id: { category: 'none' }, code: { category: 'user.unique_id' } } } },
    },
  });
  const onCommitted = (): void => {
    throw new Error('no certificate yet');
  };
  const { hash } = await bench.plan('person:1');
  await assert.rejects(bench.approve('person:1', hash, { onCommitted }), /no certificate yet/);
  assert.equal((await bench.erase('person:1')).state, 'done');
  assert.deepEqual(await runErasures(bench.ground), { erasures: [] });
  assert.deepEqual(await listErasures(bench.ground, { open: true }), { erasures: [] });
});

test('rows that come by a path without a foreign key after they were counted: unfulfilled, and no certificate', async (t) => {
  const late: { pool?: Workbench['pool'] } = {};
  const bench = await difficult(t, {
    ports: [
      participant({
        within: async (_client, moment) => {
          if (moment === 'after-rows') await late.pool?.query(`insert into clicks (patient_id, agent) values (42, 'late')`);
          return nothing;
        },
      }),
    ],
  });
  late.pool = bench.pool;
  const done = await bench.erase('patient:42');
  assert.deepEqual([done.state, done.certificate, done.verified], ['unfulfilled', null, false]);
  assert.equal(done.residue[0]?.place, 'public.clicks');
  // Their own row is masked; what stands there is what they do now, says somebody who has looked.
  const erasure = done.erasure as ErasureId; // As the record has it.
  const ended = await endErasure(bench.ground, { erasure, because: 'came-back', actor: { by: 'ann' } });
  assert.equal(ended.state, 'done');
  assert.deepEqual(await checkErasures(bench.ground), { erasures: [], missing: [] });
});

test('a part that fails, or a statement that runs into its time, takes everything back and is noted as abandoned', async (t) => {
  const bench = await difficult(t);
  const before = await whole(bench);
  const slow = participant({
    within: async (client, moment) => {
      if (moment === 'after-rows') await client.query(`set local statement_timeout = '10ms'; select pg_sleep(5)`);
      return nothing;
    },
  });
  const ground = await bench.refresh(DIFFICULT_MAP, { participants: [slow] });
  await assert.rejects(bench.erase('patient:42', 'anonymise', ground), { code: 'statement-cancelled' });
  assert.deepEqual(await whole(bench), before);
  const kinds: string[] = [];
  for await (const { entry } of bench.ground.ledger.read()) kinds.push(entry.kind);
  assert.deepEqual(kinds, ['intent', 'abandoned']);
});

test('where a second person is asked for, who planned cannot approve', async (t) => {
  const bench = await difficult(t);
  const ground = { ...bench.ground, approval: 'second-person' as const };
  const { hash } = await bench.plan('patient:42', 'anonymise', ground);
  await assert.rejects(bench.approve('patient:42', hash, { by: 'ann', ground }), { code: 'second-person-needed' });
  assert.equal((await bench.approve('patient:42', hash, { by: 'ben', ground })).state, 'kept');
});

test('a place outside that is down is told until it answers; until then the certificate says so', async (t) => {
  const told: string[] = [];
  let isUp = false;
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => void told.push(chunk.toString()));
    request.on('end', () => response.writeHead(isUp ? 204 : 503).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const outside = {
    crm: { kind: 'webhook', of: 'patient', at: `http://127.0.0.1:${port}/erase/{key}`, export: false, erase: true },
    script: { kind: 'command', of: 'patient', at: '/bin/sh -c exit', export: false, erase: true },
  };
  const bench = await difficult(t, { map: { ...DIFFICULT_MAP, outside } });
  const done = await bench.erase('patient:42');
  assert.equal(done.state, 'outside');
  assert.deepEqual(
    done.externalCopies.slice(0, 2).map(({ place, state }) => [place, state]),
    [
      ['crm', 'pending'],
      ['script', 'done'],
    ],
  );
  isUp = true;
  assert.equal((await runErasures(bench.ground)).erasures[0]?.state, 'kept');
  assert.deepEqual(JSON.parse(told[1] ?? ''), {
    event: 'subject-erased',
    erasure: done.erasure,
    place: 'crm',
    subject: { type: 'patient', key: ['42'] },
    issuedAt: '2026-11-21T10:00:00.000Z',
  });
  const { rows } = await bench.pool.query('select certificate, subject_key from safekeep.erasures');
  assert.equal(rows[0].certificate.document.externalCopies[0].state, 'done');
  assert.equal(rows[0].subject_key, '42', 'as long as a duty keeps rows');
});

test('after a restore the erased are erased again, and a stranger with the same number is not', async (t) => {
  const bench = await difficult(t);
  await bench.pool.query(`create table public.copy_patients as table patients; create table public.copy_visits as table visits`);
  const copied = await bench.refresh();
  await bench.erase('patient:42', 'anonymise', copied);
  await bench.erase('patient:44', 'anonymise', copied);
  // The copy comes back without what Safekeep knew; number 44 was given to somebody else before it was made.
  await bench.pool.query(`delete from safekeep.erasure_calls; delete from safekeep.erasures;
    update patients as p set full_name = c.full_name, email = c.email, phone = c.phone, born = c.born, created_at = c.created_at from copy_patients as c where c.id = p.id and p.id in (42, 44);
    update patients set full_name = 'Dee Eng', email = 'dee@example.org', phone = '77', created_at = '2026-11-01' where id = 44;
    update visits as v set reason = c.reason from copy_visits as c where c.id = v.id;
    select setval('patients_id_seq', 1, false)`);
  await bench.pool.query(`drop table copy_patients, copy_visits`);
  const stranger = await bench.rows('patients', 'id = 44');
  const ground = await bench.refresh();
  const plan = await replayLedger(ground, { plan: true, by: 'ann' });
  assert.deepEqual(
    plan.persons.map(({ subject, state }) => [subject, state]),
    [
      ['patient:42', 'planned'],
      ['patient:44', 'ambiguous'],
    ],
  );
  const done = await replayLedger(ground, { plan: false, by: 'ann' });
  assert.deepEqual(
    done.persons.map(({ subject, state, error }) => [subject, state, error]),
    [
      ['patient:42', 'kept', null],
      ['patient:44', 'ambiguous', null],
    ],
    'nobody is erased for their number, and nobody is passed over in silence',
  );
  assert.deepEqual(await bench.rows('patients', 'id = 44'), stranger);
  assert.equal((await bench.rows('visits', "patient_id = 42 and reason <> 'erased'")).length, 0);
  assert.deepEqual(
    (await replayLedger(ground, { plan: true, by: 'ann' })).persons.map(({ subject }) => subject),
    ['patient:44'],
  );
});

test('a table that was restored alone brings nobody back: the replay looks at the rows, not only at what it remembers', async (t) => {
  const bench = await difficult(t);
  await bench.pool.query(`create table public.copy_patients as table patients; create table public.copy_visits as table visits`);
  const copied = await bench.refresh();
  await bench.erase('patient:42', 'anonymise', copied);
  await bench.erase('patient:44', 'anonymise', copied);
  const none = await replayLedger(copied, { plan: true, by: 'ann' });
  assert.deepEqual(none.persons, [], 'an erased person is not taken for one who is back, though the time of their row stayed');
  await bench.pool.query(`update visits as v set reason = c.reason from copy_visits as c where c.id = v.id;
    update patients as p set full_name = c.full_name, email = c.email from copy_patients as c where c.id = p.id and p.id = 44;
    drop table copy_patients, copy_visits`);
  const ground = await bench.refresh();
  const before = await bench.rows('patients', 'id = 43');
  const plan = await replayLedger(ground, { plan: true, by: 'ann' });
  assert.deepEqual(plan.persons.map(({ subject }) => subject).toSorted(), ['patient:42', 'patient:44']);
  const unasked = await replayLedger(ground, { plan: false, by: 'ann' });
  assert.deepEqual(
    unasked.persons.map(({ subject, state }) => [subject, state]),
    [
      ['patient:44', 'ambiguous'],
      ['patient:42', 'ambiguous'],
    ],
    'whoever has rows again may have given them since',
  );
  const done = await replayLedger(ground, { plan: false, by: 'ann', also: ['patient:44', 'patient:42'] });
  assert.deepEqual(
    done.persons.map(({ subject, state, error }) => [subject, state, error]),
    [
      ['patient:44', 'kept', null],
      ['patient:42', 'kept', null],
    ],
  );
  assert.equal((await bench.rows('visits', "patient_id in (42, 44) and reason <> 'erased'")).length, 0);
  assert.equal((await bench.rows('patients', "id in (42, 44) and full_name <> 'erased'")).length, 0);
  assert.deepEqual(await bench.rows('patients', 'id = 43'), before);
  assert.deepEqual((await replayLedger(ground, { plan: true, by: 'ann' })).persons, []);
});

test('a row that was given the number of an erased person whose row is gone is a stranger, with or without the old visits', async (t) => {
  const bench = await difficult(t);
  await bench.erase('patient:44');
  await bench.pool
    .query(`delete from c1 where patient_id = 44; delete from messages where 44 in (sender_id, recipient_id); delete from documents where patient_id = 44; delete from clicks where patient_id = 44;
    delete from notes; delete from invoices where patient_id = 44; delete from visits where patient_id = 44; delete from patients where id = 44;
    insert into patients (id, full_name, email, born, sex, code) values (44, 'Dee Eng', 'dee@example.org', '1990-01-01', 'f', 'AB12');
    insert into visits (id, patient_id, reason) values (900, 44, 'new here')`);
  assert.deepEqual((await replayLedger(bench.ground, { plan: true, by: 'ann' })).persons, []);
});

test('a person of too many rows is worked off in chunks, and an interrupted one goes on', async (t) => {
  const bench = await difficult(t);
  await bench.pool.query(
    `insert into visits (id, patient_id, reason) select n, 42, 'r' || n from generate_series(1000, 1249) as n; analyze visits`,
  );
  const ground = { ...bench.ground, rowsAtOnce: 60 };
  const plan = await bench.plan('patient:42', 'anonymise', ground);
  assert.ok(plan.estimate.chunks >= 5);
  const stop = new AbortController();
  await assert.rejects(
    bench.approve('patient:42', plan.hash, {
      ground,
      signal: stop.signal,
      onProgress: (done) => void (done >= 120 && stop.abort(new Error('stopped'))),
    }),
    /stopped/,
  );
  assert.equal((await bench.rows('visits', "patient_id = 42 and reason = 'erased'")).length, 120);
  assert.equal((await bench.rows('patients', "id = 42 and full_name = 'Ada Byron'")).length, 1, 'the person is last');
  const done = await bench.approve('patient:42', plan.hash, { ground });
  assert.equal(done.state, 'kept');
  assert.equal((await bench.rows('visits', "patient_id = 42 and reason <> 'erased'")).length, 0);
  const { rows } = await bench.pool.query('select certificate from safekeep.erasures');
  const before = rows[0].certificate.document.tables
    .filter((line: { table: string }) => line.table === 'public.visits')
    .reduce((sum: number, line: { before: number }) => sum + line.before, 0);
  assert.equal(before, 254);
});

test('nothing of the person is left in any column of the database, nor in its statistics', async (t) => {
  const bench = await difficult(t);
  await bench.pool.query(
    `insert into visits (id, patient_id, reason) select n, 42, 'canary-reason' from generate_series(1000, 1200) as n; analyze`,
  );
  const values = ['Ada Byron', 'ada@example.org', '0123 456', 'canary-reason', '1970-12-10', 'note 3/', 's11', 's31'];
  assert.ok((await hits(bench, 'canary-reason')).length > 1);
  await bench.erase('patient:42');
  for (const value of values) assert.deepEqual(await hits(bench, value), [], value);
});

/** Where a text stands, in any column of any table of the database, or in pg_stats. */
async function hits(bench: Workbench, value: string): Promise<readonly string[]> {
  const { rows: tables } = await bench.pool.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const { rows } = await bench.pool.query(`select from ${name} as t where strpos(t::text, $1) > 0 limit 1`, [value]);
    if (rows.length > 0) found.push(name);
  }
  const { rows: stats } = await bench.pool.query(
    `select schemaname || '.' || tablename as name from pg_stats where strpos(coalesce(most_common_vals::text, '') || coalesce(histogram_bounds::text, ''), $1) > 0 and schemaname not like 'pg\\_%'`,
    [value],
  );
  return [...found, ...stats.map(({ name }) => `statistics of ${name}`)];
}
