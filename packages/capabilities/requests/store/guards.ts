import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { formatName, OWN_SCHEMAS, parseTableName, SafekeepError } from '@safekeep/core';

/** How a foreign key is named among all of a database. */
export function keyName(table: string, foreignKey: string): string {
  return `${table} ${foreignKey}`;
}

/**
 * Foreign keys that do not keep new rows out while the row that they refer to is locked: they are checked at the commit only, not at
 * all, or their triggers are switched off. `conenforced` is there since PostgreSQL 18.
 */
export async function looseKeys(client: pg.ClientBase): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ schema: string; table: string; name: string }>(
    `select n.nspname as schema, c.relname as "table", k.conname as name
       from pg_catalog.pg_constraint as k
       join pg_catalog.pg_class as c on c.oid = k.conrelid
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where k.contype = 'f'
        and (k.condeferrable or pg_catalog.to_jsonb(k) ->> 'conenforced' = 'false'
             or exists (select from pg_catalog.pg_trigger as t
                         where t.tgconstraint = k.oid and t.tgrelid = k.conrelid and t.tgenabled in ('D', 'R')))`,
  );
  return new Set(rows.map(({ schema, table, name }) => keyName(formatName(schema, table), name)));
}

/** Longer than transactions of an application take; what takes longer is waited for by the next `subject erasures --run`. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 25;

/**
 * Waits until every transaction has ended that may have written to these tables by now, or is about to: its rows cannot be seen before.
 *
 * @throws `erasure-unsettled` where one goes on for longer.
 */
export async function waitForWriters(client: pg.ClientBase, tables: readonly string[], patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + patienceMs;
  let known = await writersOf(client, tables);
  let open = known;
  while (open.size > 0) {
    if (performance.now() > deadline) throw new SafekeepError('erasure-unsettled', { tables: tables.join(', ') });
    await wait(PAUSE_MS);
    const now = await writersOf(client, tables);
    // One that is prepared goes on under another name: where one is missing, a new name of that kind may be it.
    const isMissing = [...open].some((transaction) => !now.has(transaction));
    open = new Set([...now].filter((one) => open.has(one) || (isMissing && isPrepared(one) && !known.has(one))));
    known = now;
  }
}

/** PREPARE TRANSACTION has taken it from its session: its locks are those of no backend (view pg_locks). */
function isPrepared(transaction: string): boolean {
  return transaction.startsWith('-1/');
}

/** Transactions that hold a lock by which one writes to these tables, their partitions or children, or is about to: SELECT FOR UPDATE. */
async function writersOf(client: pg.ClientBase, tables: readonly string[]): Promise<ReadonlySet<string>> {
  const refs = tables.map((name) => parseTableName(name));
  const { rows } = await client.query<{ transaction: string }>(
    `with recursive asked as (
       select c.oid
         from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) as a (schema, name)
         join pg_catalog.pg_namespace as n on n.nspname = a.schema
         join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = a.name
       union
       select i.inhrelid from pg_catalog.pg_inherits as i join asked on asked.oid = i.inhparent
     )
     select distinct l.virtualtransaction as transaction
       from pg_catalog.pg_locks as l join asked on asked.oid = l.relation
      where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()
        and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
        and l.mode in ('RowShareLock', 'RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`,
    [refs.map(({ schema }) => schema), refs.map(({ table }) => table)],
  );
  return new Set(rows.map(({ transaction }) => transaction));
}

/** A trigger or a rule that can write while rows of its table are changed. */
export type Writer = {
  readonly table: string;
  readonly kind: 'trigger' | 'rule';
  readonly name: string;
  /** UPDATE or DELETE of a row calls it; else only INSERT or TRUNCATE does. */
  readonly onChange: boolean;
  /** SHA-256 in hex of its definition, whether it is switched on, and the bodies of its function and of those that this one calls. */
  readonly sha256: string;
};

/**
 * What fires at these tables, their partitions and children, as it stands at this moment. Switched off, and Safekeep's own, are left out.
 * Functions are in it whole, with all that they name: under the same name another body may stand tomorrow. Of a body that is text the server
 * does not know what it calls, so every function counts whose name stands in it, in a comment or a string too. What it cannot tell is a name
 * that is put together only when it runs, and what hangs on operators, casts and views.
 */
export async function firingAt(client: pg.ClientBase, tables: readonly string[]): Promise<readonly Writer[]> {
  const refs = tables.map((name) => parseTableName(name));
  const { rows } = await client.query<Omit<Writer, 'table'> & { readonly place: number }>(
    `with recursive asked as (
       select c.oid, a.place
         from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) with ordinality as a (schema, name, place)
         join pg_catalog.pg_namespace as n on n.nspname = a.schema
         join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = a.name
       union
       select i.inhrelid, asked.place from pg_catalog.pg_inherits as i join asked on asked.oid = i.inhparent
     ), own as (
       select f.oid, f.proname::text as name, pg_catalog.lower(f.prosrc) as body,
              case f.prokind when 'a' then (select a::text from pg_catalog.pg_aggregate as a where a.aggfnoid = f.oid)
                             else pg_catalog.pg_get_functiondef(f.oid) end as definition
         from pg_catalog.pg_proc as f join pg_catalog.pg_namespace as n on n.oid = f.pronamespace
        where n.nspname not in ('pg_catalog', 'information_schema', 'safekeep')
     ), found as (
       select asked.place, 'trigger' as kind, t.tgname::text as name, t.tgtype & 24 > 0 as changing,
              t.tgenabled::text || pg_catalog.pg_get_triggerdef(t.oid) as text, t.tgfoid as function
         from asked
         join pg_catalog.pg_trigger as t on t.tgrelid = asked.oid and not t.tgisinternal and t.tgenabled <> 'D'
         join pg_catalog.pg_proc as f on f.oid = t.tgfoid
         join pg_catalog.pg_namespace as n on n.oid = f.pronamespace and n.nspname <> 'safekeep'
       union all
       select asked.place, 'rule', r.rulename::text, true, r.ev_enabled::text || pg_catalog.pg_get_ruledef(r.oid), null
         from asked join pg_catalog.pg_rewrite as r on r.ev_class = asked.oid and r.ev_type <> '1' and r.ev_enabled <> 'D'
     ), called as (
       select function as root, function as oid from found where function is not null
       union
       select called.root, callee.oid
         from called
         join own as caller on caller.oid = called.oid
         cross join lateral pg_catalog.regexp_split_to_array(caller.body, '[^a-z0-9_$]+') as words
         join own as callee
           on pg_catalog.lower(callee.name) = any (words)
           or (callee.name !~ '^[A-Za-z0-9_$]+$'
               and pg_catalog.strpos(caller.body, pg_catalog.replace(pg_catalog.lower(callee.name), '"', '""')) > 0)
           or exists (select from pg_catalog.pg_depend as d
                       where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = caller.oid
                         and d.refclassid = d.classid and d.refobjid = callee.oid)
     ), bodies as (
       select called.root, pg_catalog.string_agg(own.definition, '' order by own.definition) as text
         from called join own on own.oid = called.oid group by called.root
     )
     select (found.place - 1)::integer as place, found.kind, found.name, found.changing as "onChange",
            pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(found.text || coalesce(bodies.text, ''), 'SQL_ASCII')), 'hex') as sha256
       from found left join bodies on bodies.root = found.function
      order by found.place, found.kind, found.name, sha256`,
    [refs.map(({ schema }) => schema), refs.map(({ table }) => table)],
  );
  return rows.map(({ place, ...writer }) => ({ ...writer, table: tables[place] ?? '' }));
}

/** The server was told not to count. */
export type Uncounting = 'off';

/**
 * How many rows this transaction has written so far, by table as the map has it: that of a partition counts for its parent. Statistics
 * of the transactions just before may be among them, so two answers are to be compared. Safekeep's own tables are left out. Large objects are
 * among them; of a foreign table the server counts nothing, so its lock for writing is one row. 'off' where it does not count.
 */
export async function writesSoFar(client: pg.ClientBase): Promise<ReadonlyMap<string, number> | Uncounting> {
  const { rows } = await client.query<{ schema: string | null; table: string; writes: string }>(
    `select n.nspname as schema, c.relname as "table", sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::text as writes
       from pg_catalog.pg_stat_xact_all_tables as s
       join pg_catalog.pg_class as c on c.oid = coalesce(pg_catalog.pg_partition_root(s.relid), s.relid)
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 and c.relpersistence <> 't'
        and n.nspname !~ '^(${OWN_SCHEMAS}|information_schema|pg_toast)$'
        and (n.nspname <> 'pg_catalog' or c.relname = 'pg_largeobject')
      group by 1, 2
     union all
     select n.nspname, c.relname, '1'
       from pg_catalog.pg_locks as l
       join pg_catalog.pg_class as f on f.oid = l.relation and f.relkind = 'f'
       join pg_catalog.pg_class as c on c.oid = coalesce(pg_catalog.pg_partition_root(f.oid), f.oid)
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where l.locktype = 'relation' and l.pid = pg_catalog.pg_backend_pid() and l.mode = 'RowExclusiveLock'
        and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
     union all
     select null, '', '0' where pg_catalog.current_setting('track_counts')::boolean is false`,
  );
  if (rows.some(({ schema }) => schema === null)) return 'off';
  return new Map(rows.map(({ schema, table, writes }) => [formatName(schema ?? '', table), Number(writes)]));
}
