import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { clinic } from './lived-in.ts';

// Unless its search_path names pg_temp, PostgreSQL looks there first for the types that a function mentions, and a domain runs the code of
// whoever made it: an UPDATE would be enough to act as the owner of the log.

/** Types that functions of ours name. */
const NAMES = ['text', 'bytea', 'jsonb', 'xid8', 'date', 'timestamptz', 'uuid', 'name', 'int8', 'int4', 'regclass', 'oid'];

test('types that a login makes in its temporary schema are never run with the rights of the log', async (t) => {
  const { pool, done, loginOf } = await clinic(t);
  await done('apply');
  await done('encrypt', 'patients.ssn');
  await pool.query('create table public.loot (who pg_catalog.text, type pg_catalog.text); grant insert on public.loot to public');
  const thief = await loginOf('safekeep_app');
  await pool.query('grant select, insert, update, delete on all tables in schema public to safekeep_app');
  const types = await Promise.all(
    NAMES.map(async (name) => {
      const { rows } = await pool.query<{ named: string }>(`select $1::pg_catalog.regtype::pg_catalog.text as named`, [
        `pg_catalog.${name}`,
      ]);
      return { name, type: rows[0]?.named === name ? `pg_catalog.${name}` : (rows[0]?.named ?? name) };
    }),
  );
  for (const { name, type } of types) {
    await thief.query(`create function pg_temp.${pg.escapeIdentifier(`evil_${name}`)}(v ${type}) returns pg_catalog.bool language plpgsql as
      $f$ begin insert into public.loot values (current_user, '${name}'); return true; end $f$`);
    await thief.query(
      `create domain pg_temp.${pg.escapeIdentifier(name)} as ${type} check (pg_temp.${pg.escapeIdentifier(`evil_${name}`)}(value))`,
    );
  }
  const attempt = (text: string, values: readonly unknown[] = []) =>
    thief.query(text, [...values]).catch((error: unknown) => error);
  await thief.query("select pg_catalog.set_config('safekeep.tenant', 'default', false)");
  assert.ok(!((await attempt(`update public.patients set phone = '(212) 555-0100' where id = 3`)) instanceof Error));
  await attempt(`update public.patients set phone = '(212) 555-0101' where id < 9`);
  await attempt(`insert into public.messages select * from public.messages where false`);
  await attempt(`delete from public.messages where id = 4`);
  await attempt(`select safekeep.record_audit_event('security', 'tried', null, null, null, '{}')`);
  for (const door of await doorsOf(pool)) await attempt(door);
  const { rows } = await pool.query(`select distinct who, type from public.loot where who <> $1 order by 1, 2`, [thief.user]);
  assert.deepEqual(rows, []);
});

/** A call of each function of ours that runs with the rights of its owner, with nothing in its arguments. */
async function doorsOf(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ call: string }>(
    `select pg_catalog.format('select safekeep.%I(%s)', p.proname,
              (select pg_catalog.string_agg('null::' || t.type, ', ')
                 from (select pg_catalog.format('%s', case when n.nspname = 'pg_catalog' then 'pg_catalog.' || pg_catalog.quote_ident(y.typname)
                                                           else pg_catalog.format_type(y.oid, null) end) as type
                         from pg_catalog.unnest(p.proargtypes) with ordinality as a (oid, place)
                         join pg_catalog.pg_type as y on y.oid = a.oid join pg_catalog.pg_namespace as n on n.oid = y.typnamespace
                        order by a.place) as t)) as call
       from pg_catalog.pg_proc as p
      where p.pronamespace = 'safekeep'::pg_catalog.regnamespace and p.prosecdef and p.prorettype <> 'trigger'::pg_catalog.regtype`,
  );
  assert.ok(rows.length > 5);
  return rows.map(({ call }) => call);
}
