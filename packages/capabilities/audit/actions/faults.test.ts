import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { proveActor } from '@safekeep/crypto';
import { testServers } from '@safekeep/postgres/testing';
import { searchEvents } from '../questions/answer.ts';
import { readLog } from '../testing/read-log.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { attest } from './attest.ts';
import { makeActorKey } from './make-actor-key.ts';
import { dropOldPartitions, listPartitions } from './partitions.ts';
import { recordEvent } from './record-event.ts';

/** Which transaction a proof is for, asked within it. */
const TRANSACTION =
  'select pg_catalog.pg_backend_pid() as backend, (extract(epoch from pg_catalog.now()) * 1000000)::bigint::text as began';

const plain = { category: 'none', note: 'looked at' };
const personal = { category: 'user.contact.email' };
const nobody = { of: 'none', note: 'about nobody' };

/** Another login, with the rights of any application of the user. */
async function asApplication(bench: Workbench, act: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const login = `test_application_${randomBytes(4).toString('hex')}`;
  await bench.pool.query(`create role ${login} login password 'x' in role safekeep_app`);
  const url = new URL(bench.url.reveal());
  [url.username, url.password] = [login, 'x'];
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await act(client);
  } finally {
    await client.end();
    // A role belongs to the whole server and would stay.
    await bench.pool.query(`drop owned by ${login} cascade; drop role ${login}`);
  }
}

/** Who owns a schema and what is in it, and has no other rights. */
async function asOwnerOfTable(bench: Workbench, act: (client: pg.Client) => Promise<void>): Promise<void> {
  await asApplication(bench, async (client) => {
    const { rows } = await client.query<{ login: string }>('select current_user::text as login');
    await bench.pool.query(`create schema theirs authorization ${rows[0]?.login}; grant insert on public.ran to public`);
    await act(client);
  });
}

type Changed = { readonly old?: Record<string, unknown>; readonly new?: Record<string, unknown> };

async function changes(
  bench: Workbench,
): Promise<readonly (Changed & { readonly action: string; readonly record: string | null })[]> {
  return (await bench.events())
    .filter(({ kind }) => kind === 'change')
    .map(({ action, record, details }) => ({ action, record, ...(JSON.parse(details ?? '{}') as Changed) }));
}

for (const server of testServers()) {
  test(`values of every kind of type come back as they were, whatever the session is set to, on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, {
      server,
      setUp: `create extension hstore; create extension citext; create type mood as enum ('good', 'bad'); create domain short as text check (length(value) < 9);
        create table odd (id integer primary key, j json, b jsonb, x xml, h hstore, p point, c citext, y bytea, a text[], r tstzrange, n numeric,
          f double precision, i interval, z timestamptz, d date, m mood, s short, g integer generated always as (id * 2) stored)`,
    });
    const names = 'id j b x h p c y a r n f i z d m s'.split(' ');
    await bench.capture({ 'public.odd': { ...nobody, columns: Object.fromEntries([...names, 'g'].map((name) => [name, plain])) } });
    await bench.pool
      .query(`begin; set local timezone = 'Asia/Kolkata'; set local datestyle = 'German'; set local bytea_output = 'escape';
      set local intervalstyle = 'postgres_verbose'; set local extra_float_digits = -5;
      insert into odd values (1, '{"a": "\\u0000", "a": 1}', '{"k": 1.00}', '<a/>', 'k=>v', '(1,2)', 'MiXed', '\\xdeadbeef', '{a,NULL,"b c"}',
        '[2026-01-01 00:00+00,2026-02-01 00:00+00)', 1.00, 0.1, '1 day 02:00', '2026-06-01 12:00:00.123456+00', '2026-06-01', 'good', 'ok');
      update odd set n = 1.0, j = '{"a":1}', h = 'k=>w', p = '(1,3)', x = '<b/>', c = 'mixed';
      delete from odd; commit`);
    await bench.sequence();
    const [inserted, updated, deleted] = await changes(bench);
    assert.deepEqual(Object.keys(updated?.new ?? {}).toSorted(), ['c', 'h', 'j', 'n', 'p', 'x']);
    assert.deepEqual(
      [updated?.old?.['n'], updated?.new?.['n'], updated?.old?.['c'], updated?.new?.['c']],
      ['1.00', '1.0', 'MiXed', 'mixed'],
    );
    const { y, z, i, f, d, a, r, j } = deleted?.old ?? {};
    assert.deepEqual(
      [y, z, i, f, d, a, j],
      ['\\xdeadbeef', '2026-06-01T12:00:00.123456', 'P1DT2H', '0.1', '2026-06-01', '{a,NULL,"b c"}', '{"a":1}'],
    );
    assert.equal(r, '["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")');
    assert.equal('g' in (deleted?.old ?? {}), false, 'a generated column follows from the others');
    // The INSERT's values were not written: they come from what the row lost since.
    assert.deepEqual(inserted?.new, { ...deleted?.old, ...updated?.old });
  });
}

test('a row of 50 MB, changed keys, composite keys, upserts and partitions are captured, and nobody is stopped', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table big (id integer primary key, body text, raw bytea);
      create table pairs (a integer, b text, v integer, primary key (a, b));
      create table logs (id integer, day date, v text, primary key (id, day)) partition by range (day);
      create table logs_1 partition of logs for values from ('2026-01-01') to ('2026-02-01');
      create table logs_2 partition of logs for values from ('2026-02-01') to ('2026-03-01')`,
  });
  await bench.capture({
    'public.big': { ...nobody, columns: { id: plain, body: plain, raw: plain } },
    'public.pairs': { ...nobody, columns: { a: plain, b: plain, v: plain } },
    'public.logs': { ...nobody, columns: { id: plain, day: plain, v: plain } },
  });
  await bench.pool.query(
    `insert into big select 1, string_agg(md5(n::text), ''), decode(repeat('ab', 1000000), 'hex') from generate_series(1, 1600000) as n`,
  );
  await bench.pool.query(`update big set body = 'small'`);
  await bench.pool.query(`insert into pairs values (1, 'x', 1); update pairs set a = 2, b = 'y,z'; update pairs set v = 2;
    insert into pairs values (2, 'y,z', 5) on conflict (a, b) do update set v = excluded.v`);
  await bench.pool.query(
    `insert into logs values (1, '2026-01-05', 'v'); update logs set day = '2026-02-05'; insert into logs_1 values (2, '2026-01-06', 'w'); truncate logs`,
  );
  await bench.sequence();
  const all = await changes(bench);
  const [big, small] = all;
  assert.match(JSON.stringify(big?.new?.['body']), /"bytes":51200000[,}]/);
  assert.deepEqual(small?.new, { body: 'small' });
  assert.deepEqual(
    all.slice(2).map(({ action, record }) => `${action} ${record}`),
    [
      'insert 1,x',
      'update 1,x',
      'update 2,y\\,z',
      'update 2,y\\,z',
      'insert 1,2026-01-05',
      'delete 1,2026-01-05',
      'insert 1,2026-02-05',
      'insert 2,2026-01-06',
      'truncate null',
    ],
  );
  assert.deepEqual(all[2]?.new, { a: '1', b: 'x', v: '1' }, 'found through the change of its key');
  assert.deepEqual(all[3]?.new, { a: '2', b: 'y,z' });
});

test('what is prepared, held open or rolled back comes when it is committed, and not before', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  await bench.pool.query(`begin; insert into things values (1, 'prepared'); prepare transaction 'later'`);
  await bench.pool.query(`insert into things values (2, 'now'), (3, 'now')`);
  await bench.pool.query(`begin; insert into things values (4, 'never'); rollback`);
  assert.equal((await bench.sequence()).events, 2);
  await bench.pool.query(`commit prepared 'later'`);
  assert.equal((await bench.sequence({ batch: 1 })).events, 1);
  assert.deepEqual(
    (await changes(bench)).map((each) => each.new?.['v']),
    ['now', 'now', 'prepared'],
  );
});

test('a column that was renamed, and a table that was dropped, stop nobody and lose nothing', async (t) => {
  const bench = await workbench(t, {
    setUp: 'create table things (id integer primary key, v text); create table gone (id integer primary key)',
  });
  await bench.capture({
    'public.things': { ...nobody, columns: { id: plain, v: plain } },
    'public.gone': { ...nobody, columns: { id: plain } },
  });
  await bench.pool.query(`insert into things values (1, 'a'); insert into gone values (1)`);
  await bench.pool.query('alter table things rename v to w; alter table things alter id type bigint; drop table gone');
  await bench.pool.query(`update things set w = 'b'; insert into things values (2, 'c'); delete from things where id = 1`);
  const { quarantined } = await bench.sequence();
  assert.equal(quarantined, 0);
  const events = await bench.events();
  assert.deepEqual(
    events.map(({ action, table }) => `${action} ${table}`),
    ['insert public.things', 'insert public.gone', 'update public.things', 'insert public.things', 'delete public.things'],
  );
  assert.equal((JSON.parse(events[1]?.details ?? '{}') as { incomplete: boolean }).incomplete, true);
  const update = events[2];
  assert.ok(update);
  // Nobody has looked at a column of this name: it is sealed.
  assert.deepEqual((await bench.opened(update))[0]?.new, { w: 'b' });
  assert.deepEqual((await attest(bench.database, 'default')).faults.slice(0, 1), [
    { code: 'trigger-missing', detail: 'public.gone is gone or has another name; nothing captures it.' },
  ]);
});

test('a disabled trigger, a changed function and a login that works as a replica are found, and the answer is in the log', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  assert.deepEqual((await attest(bench.database, 'default')).faults, []);
  await bench.pool.query('alter table things disable trigger safekeep_audit_update');
  const { rows } = await bench.pool.query<{ name: string }>(
    `select proname as name from pg_proc where proname like 'capture_delete_%'`,
  );
  await bench.pool.query(
    `create or replace function safekeep.${rows[0]?.name}() returns trigger language plpgsql as $$ begin return null; end $$`,
  );
  const { rows: me } = await bench.pool.query<{ name: string; database: string }>(
    'select current_user as name, current_database() as database',
  );
  await bench.pool.query(`alter role "${me[0]?.name}" in database ${me[0]?.database} set session_replication_role = 'replica'`);
  const { ok, faults } = await attest(bench.database, 'default');
  assert.equal(ok, false);
  assert.deepEqual(
    faults.map(({ code, detail }) => `${code}: ${detail.replace(/(capture_delete)_[0-9a-f]{12}/, '$1')}`),
    [
      'trigger-disabled: The trigger safekeep_audit_update of public.things is disabled.',
      'function-changed: The function safekeep.capture_delete of public.things has another body than apply wrote.',
      `trigger-disabled: session_replication_role is replica for ${me[0]?.name} in ${me[0]?.database}: no trigger fires there.`,
    ],
  );
  await bench.sequence();
  assert.deepEqual(
    (await bench.events()).map(({ kind, action }) => `${kind} ${action}`),
    ['compliance attested', 'security capture-broken'],
  );
});

test('an actor is signed, claimed or none; where the map requires one nothing is changed without proof, and a proof is good once', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  const made = await makeActorKey(bench.database, 'default');
  const key = { keyId: made.keyId, secret: Buffer.from(made.secret, 'hex') };
  await bench.capture({
    'public.things': { ...nobody, audit: { writes: true, actor: 'require' }, columns: { id: plain, v: plain } },
  });
  await bench.database.withClient(async (client) => {
    const proven = async (statement: string, proof?: string): Promise<string> => {
      await client.query('begin');
      const { rows } = await client.query<{ backend: number; began: string }>(TRANSACTION);
      const claim = {
        actor: 'user:7',
        purpose: 'treatment',
        request: 'r-1',
        backend: rows[0]?.backend ?? 0,
        beganMicros: BigInt(rows[0]?.began ?? 0),
      };
      const sent = proof ?? proveActor(key, claim);
      await client.query('select safekeep.set_actor($1, $2, $3, $4)', [claim.actor, claim.purpose, claim.request, sent]);
      await client.query(statement);
      await client.query('commit');
      return sent;
    };
    const used = await proven(`insert into things values (1, 'a')`);
    await assert.rejects(
      proven(`insert into things values (2, 'b')`, used),
      /proven actor only/,
      'replayed on the same connection',
    );
    await client.query('rollback');
    await assert.rejects(client.query(`update things set v = 'x'`), /proven actor only/);
    await assert.rejects(
      client.query(`begin; select safekeep.set_actor('user:7', 'treatment', 'r-1', '${key.keyId}.AAAA'); truncate things`),
      /proven actor only/,
    );
    await client.query('rollback');
  });
  await bench.sequence();
  const change = (await bench.events()).find(({ kind }) => kind === 'change');
  assert.deepEqual(
    [change?.attribution, change?.actor, change?.purpose, change?.request],
    ['signed', 'user:7', 'treatment', 'r-1'],
  );
  assert.equal(change?.actorPseudonym?.length, 16);
});

test('a key proves actors of its own tenant, and of what began before it was retired', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, org text, v text)' });
  await bench.pool.query(`insert into safekeep.tenants (tenant_id, name) values ('b', 'B')`);
  const made = await makeActorKey(bench.database, 'b');
  const key = { keyId: made.keyId, secret: Buffer.from(made.secret, 'hex') };
  await bench.capture(
    { 'public.things': { ...nobody, columns: { id: plain, org: plain, v: plain } } },
    { tenant: { column: 'org' } },
  );
  const write = async (statement: string): Promise<void> =>
    await bench.database.withClient(async (client) => {
      await client.query('begin');
      const { rows } = await client.query<{ backend: number; began: string }>(TRANSACTION);
      const [{ backend, began } = { backend: 0, began: '0' }] = rows;
      const proof = proveActor(key, { actor: 'user:7', purpose: 'x', request: 'r', backend, beganMicros: BigInt(began) });
      await client.query('select safekeep.set_actor($1, $2, $3, $4)', ['user:7', 'x', 'r', proof]);
      await client.query(statement);
      await client.query('commit');
    });
  await write(`insert into things values (1, 'default', 'a'), (2, 'b', 'b')`);
  await bench.pool.query('update safekeep.audit_actor_keys set retired_at = now()');
  await write(`insert into things values (3, 'b', 'c')`);
  await bench.sequence();
  const { rows } = await bench.pool.query(
    `select tenant_id, record, attribution from safekeep.audit_events where kind = 'change' order by record`,
  );
  assert.deepEqual(
    rows.map(({ tenant_id: tenant, record, attribution }) => [tenant, record, attribution]),
    [
      ['default', '1', 'claimed'],
      ['b', '2', 'signed'],
      ['b', '3', 'claimed'],
    ],
  );
});

test('an application that records an event by a name of ours is not taken for Safekeep, and what it says of dropped months hides nothing', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  await bench.pool.query(`insert into things select n, 'a' from generate_series(1, 9) as n`);
  await bench.sequence();
  await asApplication(bench, (application) =>
    application.query(`begin; select set_config('safekeep.tenant', 'default', true);
      select safekeep.record_audit_event(gen_random_uuid(), 'retention', 'audit-months-dropped', null, null, null, '{"era": 1, "minimumIndex": 8}'); commit`),
  );
  await recordEvent(bench.database, 'default', { kind: 'compliance', action: 'attested', details: { ok: true } });
  await bench.sequence();
  const told = (await bench.events()).filter(({ kind }) => kind !== 'change');
  assert.deepEqual(
    told.map(({ action, attribution }) => [action, attribution]),
    [
      ['audit-months-dropped', 'none'],
      ['attested', 'system'],
    ],
  );
  await bench.pool.query(
    'delete from safekeep.audit_events where leaf_index < 8; update safekeep.audit_trees set minimum_index = 8',
  );
  const [fault] = (await bench.verify()).faults;
  assert.deepEqual([fault?.code, fault?.index], ['entry-missing', 0]);
});

test('names of any length are logged and found: of rows, people and actors', async (t) => {
  const bench = await workbench(t, {
    setUp:
      'create table people (code text primary key, v text); create table pairs (id integer primary key, a text references people, b text references people)',
  });
  await bench.capture(
    {
      'public.people': { audit: { writes: true }, columns: { code: personal, v: personal } },
      'public.pairs': {
        of: { person: ['a -> people.code', 'b -> people.code'] },
        audit: { writes: true },
        columns: { id: plain, a: plain, b: plain },
      },
    },
    { subjects: { person: { table: 'public.people', key: 'code' } } },
  );
  // What does not get smaller: compressed, it would fit an index.
  const long = randomBytes(1900).toString('hex');
  await bench.pool.query('insert into people values ($1, $2)', [long.slice(0, 2600), 'x']);
  await bench.database.withClient(async (client) => {
    await client.query('begin');
    await client.query(`select set_config('safekeep.actor', $1, true)`, [`user:${randomBytes(4800).toString('hex')}`]);
    await client.query('insert into pairs values (1, $1, $1)', [long.slice(0, 2600)]);
    await client.query('commit');
  });
  const far = randomBytes(4800).toString('hex');
  await recordEvent(bench.database, 'default', {
    kind: 'access',
    action: 'read',
    table: 'public.people',
    record: far,
    subject: `person:${far}`,
  });
  assert.equal((await bench.sequence()).events, 3);
  const { events } = await searchEvents(bench.database, 'default', { subject: `person:${far}` }, { limit: 10 });
  assert.equal(events[0]?.record, far);
  assert.deepEqual((await bench.verify()).faults, []);
});

for (const when of ['before', 'after'] as const)
  test(`a type whose owner wrote its casts runs nothing with the rights of the log, mapped ${when} the owner did`, async (t) => {
    const bench = await workbench(t, { setUp: 'create table public.ran (who text)' });
    const columns = { id: plain, v: plain, d: plain };
    const evil = async (client: pg.Client): Promise<void> => {
      // What it would run writes down as whom.
      await client.query(`
        create type theirs.evil as enum ('x', 'y');
        create function theirs.text(theirs.evil) returns text language plpgsql as $$ begin insert into public.ran values (current_user || ' of ' || session_user); return 'x'; end $$;
        create function theirs.json(theirs.evil) returns json language plpgsql as $$ begin insert into public.ran values (current_user); return '1'; end $$;
        create function theirs.date(theirs.evil) returns date language plpgsql as $$ begin insert into public.ran values (current_user); return now(); end $$;
        create cast (theirs.evil as text) with function theirs.text(theirs.evil) as implicit;
        create cast (theirs.evil as json) with function theirs.json(theirs.evil);
        create cast (theirs.evil as date) with function theirs.date(theirs.evil) as implicit`);
      await client.query(
        `alter table theirs.things drop column v, drop column d, add column v theirs.evil default 'x', add column d theirs.evil default 'x'`,
      );
    };
    await asOwnerOfTable(bench, async (owner) => {
      await owner.query(`create table theirs.things (id integer primary key, v text, d date)`);
      if (when === 'before') await evil(owner);
      await bench.capture({ 'theirs.things': { ...nobody, columns } });
      if (when === 'after') await evil(owner);
      await owner.query(`insert into theirs.things (id) select n from generate_series(1, 5) as n`);
      await owner.query(`update theirs.things set v = 'y', d = 'y' where id = 1`);
      await owner.query(`update theirs.things set v = 'y'`);
      await owner.query(`delete from theirs.things where id = 2`);
      await bench.sequence();
      await bench.verify();
      assert.deepEqual((await bench.pool.query('select who from public.ran')).rows, []);
      // They do run, as whoever asks for them.
      await owner.query('select v::text from theirs.things where id = 3');
      const { rows } = await owner.query<{ who: string }>(`select current_user || ' of ' || session_user as who`);
      assert.deepEqual((await bench.pool.query('select who from public.ran')).rows, rows);
    });
    const changed = (await bench.events()).filter(({ kind }) => kind === 'change');
    assert.deepEqual(
      Object.entries(Object.groupBy(changed, ({ action }) => action)).map(([action, events = []]) => [action, events.length]),
      [
        ['insert', 5],
        ['update', when === 'before' ? 5 : 6],
        ['delete', 1],
      ],
    );
  });

test('a table that requires an actor does so in its partitions too, when they are written to by their own names', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table parts (id integer, v text, primary key (id)) partition by range (id);
      create table parts_1 partition of parts for values from (0) to (100)`,
  });
  const columns = { id: plain, v: plain };
  const written = { ...nobody, audit: { writes: true, actor: 'require' }, columns };
  await bench.pool.query(`insert into parts values (1, 'a')`);
  await bench.capture({ 'public.parts': written, 'public.parts_1': { ...nobody, audit: { writes: false }, columns } });
  for (const statement of [
    `insert into parts values (2, 'b')`,
    `insert into parts_1 values (2, 'b')`,
    `update parts_1 set v = 'x'`,
    `delete from parts_1`,
  ])
    await assert.rejects(bench.pool.query(statement), /proven actor only/, statement);
  assert.deepEqual((await bench.pool.query('select id, v from parts')).rows, [{ id: 1, v: 'a' }]);
});

for (const server of testServers()) {
  test(`a part of a table is not emptied by its own name, whatever was said before, and goes with its table on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, {
      server,
      setUp: `create table parts (id integer, v text, primary key (id)) partition by range (id);
        create table parts_1 partition of parts for values from (0) to (100);
        create table parts_2 partition of parts for values from (100) to (200) partition by range (id);
        create table parts_2a partition of parts_2 for values from (100) to (150);
        create table things (id integer primary key, v text); create table child () inherits (things)`,
    });
    const columns = { id: plain, v: plain };
    const tables = { 'public.parts': { ...nobody, columns }, 'public.things': { ...nobody, columns } };
    await bench.capture(tables);
    await bench.pool.query(`insert into parts values (1, 'a'), (101, 'b'); insert into things values (1, 'a')`);
    const noted = `select set_config('safekeep.emptied_' || md5(E'default\npublic.' || name), 'on', true) from (values ('parts'), ('things')) as n (name)`;
    for (const statement of [
      'truncate parts_1',
      'truncate parts_2',
      'truncate parts_2a',
      'truncate child',
      'truncate parts_1, things',
      `begin; ${noted}; truncate parts_1`,
      `begin; ${noted}; truncate child`,
      `begin; truncate parts; insert into parts values (1, 'again'); truncate parts_1`,
    ]) {
      const client = await bench.pool.connect();
      await assert.rejects(client.query(statement), { code: '42501' }, statement);
      await client.query('rollback');
      client.release();
    }
    await bench.sequence();
    assert.deepEqual((await bench.verify()).faults, []);
    await bench.pool.query('truncate parts, things');
    // Taken out it is a table of its own.
    await bench.pool.query(`insert into parts values (1, 'a'); alter table parts detach partition parts_2; truncate parts_2`);
    await bench.sequence();
    const emptied = (await bench.events()).flatMap(({ action, table }) => (action === 'truncate' ? [table] : []));
    assert.deepEqual(emptied, ['public.parts', 'public.things']);
    assert.deepEqual((await bench.verify()).faults, []);
    await bench.pool.query('begin; set local session_replication_role = replica; truncate parts_1; commit');
    const { faults } = await bench.verify();
    assert.deepEqual(
      faults.map(({ detail }) => detail),
      ['public.parts: the row 1 is gone, and the log has it last as changed, not as deleted.'],
    );
  });
}

test('a partition that comes later is told until the next apply; a guard that is off is a fault; unapply takes all of them out', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table parts (id integer, v text, primary key (id)) partition by range (id);
      create table parts_1 partition of parts for values from (0) to (100)`,
  });
  const columns = { id: plain, v: plain };
  const before = await bench.fingerprint();
  const intent = bench.intent({ 'public.parts': { ...nobody, columns } });
  await bench.apply(intent);
  await bench.sequence();
  await bench.pool.query(`create table parts_2 partition of parts for values from (100) to (200)`);
  const { notes } = await bench.verify();
  assert.ok(
    notes.some((note) => note.startsWith('public.parts_2, a part of public.parts, can be emptied')),
    notes.join('\n'),
  );
  assert.deepEqual(
    (await bench.plan(intent)).steps.map(({ object }) => object),
    ['audit-part:public.parts_2'],
  );
  await bench.apply(intent);
  await assert.rejects(bench.pool.query('truncate parts_2'), { code: '42501' });
  assert.deepEqual((await bench.verify()).faults, []);
  await bench.pool.query('alter table parts_2 disable trigger safekeep_audit_update');
  const unheard = await bench.verify();
  assert.ok(unheard.faults.some(({ detail }) => detail === 'The capture of public.parts is disabled on its part public.parts_2.'));
  await bench.pool.query('alter table parts_2 enable trigger safekeep_audit_update');
  await bench.pool.query('alter table parts_1 disable trigger safekeep_audit_part_after');
  assert.deepEqual(
    (await bench.verify()).faults.map(({ code }) => code),
    ['trigger-disabled'],
  );
  await bench.apply(intent);
  await bench.pool.query('drop table parts_2');
  await bench.apply(intent);
  assert.deepEqual((await bench.plan(intent)).steps, []);
  assert.deepEqual((await bench.verify()).faults, []);
  await bench.unapply();
  assert.equal(await bench.fingerprint(), before);
});

test('a TRUNCATE of several tables says of each how many rows it had', async (t) => {
  const bench = await workbench(t, {
    setUp: 'create table few (id integer primary key); create table more (id integer primary key)',
  });
  const columns = { id: plain };
  await bench.capture({ 'public.few': { ...nobody, columns }, 'public.more': { ...nobody, columns } });
  await bench.pool.query('insert into few select generate_series(1, 5); insert into more select generate_series(1, 9)');
  await bench.pool.query('truncate few, more');
  await bench.sequence();
  const emptied = (await bench.events()).filter(({ action }) => action === 'truncate');
  assert.deepEqual(
    emptied.map(({ table, details }) => [table, details]),
    [
      ['public.few', '{"rows": "5"}'],
      ['public.more', '{"rows": "9"}'],
    ],
  );
});

test('a denial is in the log although what was denied was rolled back', async (t) => {
  const bench = await workbench(t);
  await bench.database.withClient(async (client) => {
    await client.query('begin');
    await recordEvent(bench.database, 'default', {
      kind: 'security',
      action: 'access-denied',
      details: { reason: 'no purpose' },
      actor: { name: 'user:7' },
    });
    await client.query('rollback');
  });
  await assert.rejects(recordEvent(bench.database, 'default', { kind: 'security', action: 'Not Kebab' }), /not whole/);
  await bench.sequence();
  const [event] = await bench.events();
  assert.deepEqual(
    [event?.kind, event?.action, event?.attribution, event?.details],
    ['security', 'access-denied', 'claimed', '{"reason": "no purpose"}'],
  );
});

test('a database put back to an older point signs no fork: its log goes on as a new era that names the last checkpoint', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  await bench.pool.query(`insert into things values (1, 'a')`);
  await bench.sequence();
  // A copy of the safekeep tables as a restore would bring them back.
  const tables = ['audit_events', 'audit_tiles', 'audit_trees', 'audit_checkpoints', 'audit_sequencer'];
  for (const table of tables) await bench.pool.query(`create table kept_${table} as table safekeep.${table}`);
  await bench.pool.query(`insert into things values (2, 'b')`);
  await bench.sequence();
  const [file = ''] = await readdir(join(bench.home, 'audit'));
  const signed = await readFile(join(bench.home, 'audit', file), 'utf8');
  await bench.pool.query(`truncate ${tables.map((table) => `safekeep.${table}`).join(', ')}`);
  for (const table of ['audit_trees', 'audit_events', 'audit_tiles', 'audit_checkpoints', 'audit_sequencer'])
    await bench.pool.query(`insert into safekeep.${table} table kept_${table}`);
  await bench.pool.query('truncate safekeep.audit_inbox_even, safekeep.audit_inbox_odd');
  await bench.pool.query(`insert into things values (3, 'c')`);
  const { logs } = await bench.sequence();
  assert.deepEqual(
    logs.map(({ era, size }) => [era, size]),
    [[2, 2]],
  );
  assert.match(logs[0]?.origin ?? '', /-2$/);
  const opened = (await bench.events()).find(({ action }) => action === 'era-opened');
  const { reason, previous } = JSON.parse(opened?.details ?? '{}') as { reason: string; previous: { size: number; root: string } };
  assert.deepEqual([reason, previous.size, previous.root], ['rolled-back', 2, signed.split('\n')[2]]);
  assert.deepEqual((await readLog(bench.pool)).faults, []);
});

test('another cluster with the same database: what is left is moved, nothing twice, in a new era', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  await bench.pool.query(`insert into things values (1, 'a'), (2, 'b')`);
  await bench.sequence();
  await bench.pool.query(`insert into things values (3, 'c')`);
  // As after dump and restore: another identifier, and transaction ids that say nothing, here larger than any that are given now.
  await bench.pool.query(`update safekeep.audit_sequencer set system_identifier = '1', done = '900000000:900000000:'`);
  assert.equal((await bench.sequence()).state, 'done');
  const events = await bench.events();
  assert.deepEqual(
    events.map(({ era, action, record }) => `${era} ${action} ${record}`),
    ['1 insert 1', '1 insert 2', '2 era-opened null', '2 insert 3'],
  );
  await bench.pool.query(`insert into things values (4, 'd')`);
  assert.equal((await bench.sequence()).events, 1);
});

test('tiles that somebody exchanged are not appended to, and nothing is sealed under new keys where the old ones are gone', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: personal } } });
  await bench.pool.query(`insert into things values (1, 'a')`);
  await bench.sequence();
  await bench.pool.query(`update safekeep.audit_tiles set hashes = decode(repeat('00', 32), 'hex')`);
  await bench.pool.query(`insert into things values (2, 'b')`);
  await assert.rejects(bench.sequence(), /do not make its root/);
  await rename(join(bench.home, 'keys', 'kek'), join(bench.home, 'keys', 'gone'));
  bench.forgetKeys();
  // The session of the call that failed may still be ending; as long as it is, another is told `busy`.
  const undisturbed = async (): Promise<void> => {
    for (let tries = 0; tries < 200 && (await bench.sequence()).state === 'busy'; tries += 1);
  };
  await assert.rejects(undisturbed(), { code: 'key-store-missing' });
});

test('a partition that is missing is made; the inbox that nobody writes to is emptied; a clock set back does not turn the log back', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  const { partitions } = await listPartitions(bench.database);
  assert.equal(partitions.length, 4);
  for (const { name } of partitions) await bench.pool.query(`drop table safekeep.${name}`);
  await bench.pool.query(`insert into things values (1, 'a')`);
  await bench.sequence();
  // Made under a superuser's login, and not the superuser's.
  assert.deepEqual((await bench.verify()).faults, []);
  assert.equal((await listPartitions(bench.database)).made.length, 3);
  await bench.pool.query(`update safekeep.audit_sequencer set moved_at = now() + interval '40 days'`);
  await bench.pool.query(`insert into things values (2, 'b')`);
  // What lies in the inbox of the other slot is moved too, and then gone.
  await bench.pool
    .query(`with even as (delete from safekeep.audit_inbox_even returning *), odd as (delete from safekeep.audit_inbox_odd returning *),
    back as (insert into safekeep.audit_inbox_even select * from odd returning 1) insert into safekeep.audit_inbox_odd select * from even`);
  await bench.sequence();
  const events = await bench.events();
  assert.ok((events[1]?.sequencedAt ?? '') > (events[0]?.sequencedAt ?? ''));
  const { rows } = await bench.pool.query<{ left: number }>(
    'select (select count(*) from safekeep.audit_inbox_even) + (select count(*) from safekeep.audit_inbox_odd) as left',
  );
  assert.equal(Number(rows[0]?.left), 0);
});

test('old months are dropped, the trees stay; a hold that concerns them stops it', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  await bench.pool.query(`insert into things values (1, 'a'), (2, 'b')`);
  await bench.sequence();
  const drop = (keepMonths: number, at: string) =>
    dropOldPartitions(bench.database, {
      tenant: 'default',
      keepMonths,
      markOf: bench.sequencer.keys.markOf,
      sequence: () => bench.sequence(),
      clock: { ...bench.sequencer.clock, now: () => new Date(at) },
    });
  await bench.pool
    .query(`insert into safekeep.holds (tenant_id, hold_id, kind, target, table_schema, table_name, table_oid, row_count, reason, owner, review_by, placed_by, placed_at)
    values ('default', gen_random_uuid(), 'row', 'public.things:1', 'public', 'things', 'things'::regclass, 0, 'claim', 'legal', '2099-01-01', 'me', now())`);
  await assert.rejects(drop(1, '2098-06-01'), { code: 'audit-partition-held' });
  await bench.pool.query(`insert into safekeep.hold_releases select tenant_id, hold_id, 'done', 'me', now() from safekeep.holds`);
  const { dropped } = await drop(1, '2098-06-01');
  assert.equal(dropped.length, 4);
  const { rows } = await bench.pool.query(`select minimum_index::int, size::int from safekeep.audit_trees`);
  assert.deepEqual(rows, [{ minimum_index: 2, size: 2 }]);
  await bench.sequence();
  assert.deepEqual(
    (await bench.events()).map(({ action, index }) => [action, index]),
    [['audit-months-dropped', 2]],
  );
});
