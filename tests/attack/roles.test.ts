import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { livedIn } from './lived-in.ts';

const ROLES = ['safekeep_app', 'safekeep_client', 'safekeep_auditor', 'safekeep_ingest', 'safekeep_subject'] as const;

/** What has happened: of these the running pool may write none, or only add to. */
const NEVER_WRITTEN = /^(audit_|applied_|apply_|function_versions$|migration_history$|tenants$|standing_holds$)/;
const ONLY_ADDED_TO = /^(holds$|hold_|datamap_versions$|encryption_audit_log$|ledger_heads$|canary_runs$|scan_verdicts$)/;
/** Functions that run as the owner: each is a door, and has its own checks. */
const DOORS: Readonly<Record<(typeof ROLES)[number], readonly string[]>> = {
  safekeep_app: [
    'create_next_month_audit_partitions',
    'field_keys',
    'field_keys_by_id',
    'is_held',
    'keys_by_id',
    'keys_of_owners',
    'lock_holds',
    // All wrapped keys of the tenant, for an export: of no use without the epoch, which is not in the database.
    'open_keys',
    'record_audit_event',
    // That another tenant was here first, and no more of it.
    'tenant_standing',
  ],
  safekeep_client: [
    // Adds to a counter, and a line to the log of the keys.
    'count_field_key_uses',
    'field_keys',
    'field_keys_by_id',
  ],
  safekeep_auditor: [],
  safekeep_ingest: ['create_next_month_audit_partitions', 'record_audit_event'],
  safekeep_subject: [],
};

/** All that a client sees. */
const OF_CLIENTS = ['encryption_epochs', 'field_indexes', 'fields', 'tenants'];

const HELD_RIGHTS = `
  select c.relname as name, p as right
    from pg_class c join pg_namespace n on n.oid = c.relnamespace,
         unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p
   where n.nspname = 'safekeep' and c.relkind in ('r', 'p', 'v', 'm')
     and (has_table_privilege($1, c.oid, p) or (p in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') and has_any_column_privilege($1, c.oid, p)))`;

test('no role can rewrite what has happened, and only the worker’s can write at all', async (t) => {
  const { pool } = await testDatabase(t, { migrated: true });
  for (const role of ROLES) {
    const { rows } = await pool.query<{ name: string; right: string }>(HELD_RIGHTS, [role]);
    const beyond = rows.filter(({ name, right }) => {
      if (right === 'SELECT' && role === 'safekeep_client') return !OF_CLIENTS.includes(name);
      if (right === 'SELECT') return role === 'safekeep_ingest' || role === 'safekeep_subject';
      if (role !== 'safekeep_app' || !['INSERT', 'UPDATE', 'DELETE'].includes(right)) return true;
      return NEVER_WRITTEN.test(name) || (ONLY_ADDED_TO.test(name) && right !== 'INSERT');
    });
    assert.deepEqual(beyond, [], role);
    const { rows: doors } = await pool.query<{ name: string }>(
      `select p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'safekeep' and p.prosecdef and p.prorettype <> 'trigger'::regtype and has_function_privilege($1, p.oid, 'execute')
        order by 1`,
      [role],
    );
    assert.deepEqual(
      doors.map(({ name }) => name),
      DOORS[role],
      role,
    );
    const { rows: wrapped } = await pool.query<{ may: boolean }>(
      `select has_column_privilege($1, 'safekeep.encryption_keys', 'wrapped', 'select') as may`,
      [role],
    );
    assert.deepEqual(wrapped, [{ may: false }], `${role} reads wrapped keys in bulk`);
  }
});

test('a login of any role that tries to rise, to rewrite or to look behind is refused, and nothing is changed', async (t) => {
  const { loginOf, pool, done } = await livedIn(t);
  const attempts = [
    'set role safekeep_owner',
    'set role postgres',
    'set session authorization postgres',
    'grant safekeep_owner to current_user',
    'alter role current_user superuser',
    'alter role current_user bypassrls',
    'create table safekeep.mine (a integer)',
    'create function safekeep.mine() returns integer language sql as $$ select 1 $$',
    'create or replace function safekeep.current_tenant() returns text language sql as $$ select $$all$$ $$',
    'alter table safekeep.audit_events disable row level security',
    'alter table safekeep.audit_events disable trigger all',
    'drop policy tenant_isolation on safekeep.encryption_keys',
    'alter table public.patients disable trigger all',
    'drop trigger if exists safekeep_capture_insert on public.patients; truncate public.patients',
    `update safekeep.audit_events set actor = 'somebody else'`,
    'delete from safekeep.audit_events',
    'truncate safekeep.audit_events',
    'delete from safekeep.audit_checkpoints',
    'update safekeep.audit_tiles set tenant_id = tenant_id',
    'insert into safekeep.audit_inbox_even select * from safekeep.audit_inbox_odd',
    'select * from safekeep.audit_inbox_even',
    'select * from safekeep.audit_actor_keys',
    'select wrapped from safekeep.encryption_keys',
    'delete from safekeep.encryption_keys',
    'delete from safekeep.holds',
    `update safekeep.holds set reason = 'none'`,
    'delete from safekeep.migration_history',
    'select safekeep.make_actor_key($$default$$)',
    'select safekeep.close_commitments($$$$, null, null, null, false, null, null)',
    `set session_replication_role = 'replica'`,
    'load $$auto_explain$$',
    'set log_statement = $$all$$',
    `copy safekeep.tenants to program 'id'`,
    `select pg_read_file('PG_VERSION')`,
  ];
  for (const role of ROLES) {
    const thief = await thiefOf(role);
    for (const attempt of attempts) {
      await thief.query('begin');
      // The application may set its tenant; it must gain nothing else by it.
      await thief.query(`select set_config('safekeep.tenant', 'default', true)`);
      const outcome = await thief.query(attempt).then(
        () => 'done',
        (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown'),
      );
      await thief.query('rollback');
      assert.match(outcome, /^(42501|42704|42883|0LP01|42710|42P16|55000|42601|22023)$/, `${role}: ${attempt}`);
      assert.notEqual(outcome, 'done', `${role}: ${attempt}`);
    }
  }
  const { rows } = await pool.query('select count(*)::integer as n from patients');
  assert.deepEqual(rows, [{ n: 100 }]);
  await done('audit', 'verify');
  await done('status');

  async function thiefOf(role: string) {
    return await loginOf(role);
  }
});
