import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attest } from '../actions/attest.ts';
import { workbench } from '../testing/workbench.ts';

const plain = { category: 'none', note: 'looked at' };
const nobody = { of: 'none', note: 'about nobody' };

/** What whoever owns the schema, or is superuser, does so that changes do not come into the log, and how it is taken back. */
const attacks: readonly { readonly name: string; readonly deed: string; readonly undo?: string; readonly told: RegExp }[] = [
  {
    name: 'the function that tells of a TRUNCATE does nothing',
    deed: `create or replace function safekeep.note_truncate() returns trigger language plpgsql security definer set search_path = '' as 'begin return null; end'`,
    told: /^function-changed The function safekeep\.note_truncate is not the one/,
  },
  {
    name: 'the function that demands an actor demands nothing',
    deed: `create or replace function safekeep.require_actor() returns trigger language plpgsql security definer set search_path = '' as 'begin return null; end'`,
    told: /^function-changed The function safekeep\.require_actor is not the one/,
  },
  {
    name: 'a shared function runs with other rights',
    deed: 'alter function safekeep.note_truncate() security invoker',
    undo: 'alter function safekeep.note_truncate() security definer',
    told: /^function-changed The function safekeep\.note_truncate is not the one/,
  },
  {
    name: 'everybody may record events',
    deed: 'grant execute on function safekeep.record_audit_event(uuid, text, text, text, text, text, jsonb) to public',
    undo: 'revoke execute on function safekeep.record_audit_event(uuid, text, text, text, text, text, jsonb) from public',
    told: /^function-changed The function safekeep\.record_audit_event is not the one/,
  },
  {
    name: 'a function of a table does nothing, and what is written down of it is changed too',
    deed: `do $$ declare n text := (select proname from pg_proc where proname like 'capture\\_update\\_%'); begin
      execute format('create or replace function safekeep.%I() returns trigger language plpgsql security definer set search_path = '''' as %L', n, 'begin return null; end');
      update safekeep.audit_captures set definition = jsonb_set(definition, '{functions,1,sha256}', to_jsonb(encode(sha256('begin return null; end'), 'hex')));
    end $$`,
    told: /^function-changed What is written down of the capture of public\.things/,
  },
  {
    name: 'a shared function is skipped where an argument is null',
    deed: 'alter function safekeep.record_audit_event(uuid, text, text, text, text, text, jsonb) strict',
    undo: 'alter function safekeep.record_audit_event(uuid, text, text, text, text, text, jsonb) called on null input',
    told: /^function-changed The function safekeep\.record_audit_event is not the one/,
  },
  {
    name: 'a function of a table names an actor of its own',
    deed: `do $$ declare n text := (select proname from pg_proc where proname like 'capture\\_update\\_%'); begin
      execute format('alter function safekeep.%I() set safekeep.actor = %L', n, 'dr. innocent'); end $$`,
    undo: `do $$ declare n text := (select proname from pg_proc where proname like 'capture\\_update\\_%'); begin
      execute format('alter function safekeep.%I() reset safekeep.actor', n); end $$`,
    told: /^function-changed The function safekeep\.capture_update_\w+ of public\.things has other rights or settings/,
  },
  {
    name: 'a trigger fires on something else',
    deed: `do $$ declare f text := (select tgfoid::regproc::text from pg_trigger where tgname = 'safekeep_audit_insert' and tgrelid = 'public.things'::regclass); begin
      drop trigger safekeep_audit_insert on public.things;
      execute 'create trigger safekeep_audit_insert after update on public.things referencing new table as safekeep_new for each statement execute function ' || f || '()'; end $$`,
    undo: `do $$ declare f text := (select tgfoid::regproc::text from pg_trigger where tgname = 'safekeep_audit_insert' and tgrelid = 'public.things'::regclass); begin
      drop trigger safekeep_audit_insert on public.things;
      execute 'create trigger safekeep_audit_insert after insert on public.things referencing new table as safekeep_new for each statement execute function ' || f || '()'; end $$`,
    told: /^trigger-changed The trigger safekeep_audit_insert of public\.things does not fire as it was made to/,
  },
  {
    name: 'a check claims that a column holds ciphertext',
    deed: 'alter table public.things add constraint zz_safekeep_sealed_0123456789ab check (v is null or true)',
    undo: 'alter table public.things drop constraint zz_safekeep_sealed_0123456789ab',
    told: /^table-changed public\.things has the check zz_safekeep_sealed_0123456789ab, which no encrypted field explains/,
  },
  {
    name: 'a trigger on an inbox swallows events',
    deed: `create function public.swallow() returns trigger language plpgsql as 'begin return null; end';
      create trigger a before insert on safekeep.audit_inbox_even for each row execute function public.swallow()`,
    undo: 'drop function public.swallow() cascade',
    told: /^table-changed safekeep\.audit_inbox_even has the trigger a\.$/,
  },
  {
    name: 'a rule on an inbox swallows events',
    deed: 'create rule nothing as on insert to safekeep.audit_inbox_odd do instead nothing',
    undo: 'drop rule nothing on safekeep.audit_inbox_odd',
    told: /^table-changed safekeep\.audit_inbox_odd has the rule nothing\.$/,
  },
  {
    name: 'an inbox hides rows from its owner',
    deed: 'alter table safekeep.audit_inbox_even force row level security',
    undo: 'alter table safekeep.audit_inbox_even no force row level security',
    told: /^table-changed safekeep\.audit_inbox_even hides rows from its owner\.$/,
  },
  {
    name: 'a crash would empty an inbox',
    deed: 'alter table safekeep.audit_inbox_even set unlogged',
    undo: 'alter table safekeep.audit_inbox_even set logged',
    told: /^table-changed safekeep\.audit_inbox_even is unlogged/,
  },
  {
    name: 'an inbox fills in a time of its own',
    deed: 'alter table safekeep.audit_inbox_even alter column kind set default 1',
    undo: 'alter table safekeep.audit_inbox_even alter column kind drop default',
    told: /^table-changed safekeep\.audit_inbox_even fills in its column kind\.$/,
  },
  {
    name: 'everybody may write events',
    deed: 'grant insert on safekeep.audit_events to public',
    undo: 'revoke insert on safekeep.audit_events from public',
    told: /^table-changed safekeep\.audit_events may be written to by everybody\.$/,
  },
  {
    name: 'order numbers are given twice',
    deed: 'alter sequence safekeep.audit_order increment 2',
    undo: 'alter sequence safekeep.audit_order increment 1',
    told: /^table-changed safekeep\.audit_order does not count on by one\.$/,
  },
];

test('whatever stands between a table and its log is attested by what Safekeep makes, not by what the database says of itself', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { ...nobody, columns: { id: plain, v: plain } } });
  const whole = await attest(bench.database, 'default');
  assert.deepEqual([whole.ok, whole.faults], [true, []]);
  assert.match(whole.digest, /^[0-9a-f]{64}$/);
  const { rows: definers } = await bench.pool.query<{ statement: string }>(
    `select pg_get_functiondef(oid) as statement from pg_proc where pronamespace = 'safekeep'::regnamespace
      and (proname in ('note_truncate', 'require_actor') or proname like 'capture\\_update\\_%')`,
  );
  const { rows: kept } = await bench.pool.query<{ definition: object }>('select definition from safekeep.audit_captures');
  for (const { name, deed, undo, told } of attacks) {
    await bench.pool.query(deed);
    const { ok, faults, digest } = await attest(bench.database, 'default');
    assert.deepEqual([ok, digest === whole.digest], [false, false], name);
    assert.match(faults.map(({ code, detail }) => `${code} ${detail}`).join('\n'), new RegExp(told.source, 'm'), name);
    assert.ok(
      (await bench.verify()).faults.some((fault) => told.test(`${fault.code} ${fault.detail}`)),
      `${name}, for a verification`,
    );
    for (const statement of undo === undefined ? definers.map((each) => each.statement) : [undo]) await bench.pool.query(statement);
    await bench.pool.query('update safekeep.audit_captures set definition = $1', [JSON.stringify(kept[0]?.definition)]);
  }
  const again = await attest(bench.database, 'default');
  assert.deepEqual([again.ok, again.digest], [true, whole.digest], 'two attestations that are the same say that nothing changed');
  await bench.sequence();
  const { rows } = await bench.pool.query<{ digest: string }>(
    `select details ->> 'digest' as digest from safekeep.audit_events where action in ('attested', 'capture-broken') order by leaf_index`,
  );
  assert.deepEqual([rows[0]?.digest, rows[1]?.digest === whole.digest], [whole.digest, false], 'the leaf holds it');
});

test('rows of every tenant of a table are held against the log of that tenant', async (t) => {
  const bench = await workbench(t, {
    setUp: `create table things (id integer primary key, org text, v text); insert into safekeep.tenants (tenant_id, name) values ('b', 'B')`,
  });
  await bench.capture(
    { 'public.things': { ...nobody, columns: { id: plain, org: plain, v: plain } } },
    { tenant: { column: 'org' } },
  );
  await bench.pool.query(
    `insert into things values (1, 'default', 'a'), (2, 'b', 'a'), (3, 'b', 'a'); update things set v = 'b' where id > 1`,
  );
  await bench.sequence();
  const told = async (tenant: string) => (await bench.verify(tenant)).faults.map(({ code, detail }) => `${code} ${detail}`);
  assert.deepEqual([await told('default'), await told('b')], [[], []]);
  assert.equal((await attest(bench.database, 'b')).tables, 1);
  await bench.pool.query(
    `begin; set local session_replication_role = replica; update things set v = 'x' where id = 2; delete from things where id = 3; commit`,
  );
  assert.deepEqual(await told('default'), []);
  assert.deepEqual(await told('b'), [
    'row-unexplained public.things: the row 2 has other values in v than event 2 left there.',
    'row-unexplained public.things: the row 3 is gone, and the log has it last as changed, not as deleted.',
  ]);
  await bench.pool.query('truncate things');
  await bench.sequence();
  assert.deepEqual(await told('b'), [], 'a TRUNCATE is told in the log of whoever applied the map');
});
