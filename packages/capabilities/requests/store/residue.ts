import type pg from 'pg';
import { codeOf, parseTableName } from '@safekeep/core';
import { quote, quoteTable } from './sql.ts';

/** Servers and slots that hold copies of this database, as far as this login may see. */
export async function serverCopies(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ replicas: number; slots: number; archive: string }>(
    `select (select count(*)::integer from pg_catalog.pg_stat_replication) as replicas,
            (select count(*)::integer from pg_catalog.pg_replication_slots) as slots,
            pg_catalog.current_setting('archive_mode') as archive`,
  );
  const [found] = rows;
  if (found === undefined) return [];
  const { replicas, slots, archive } = found;
  return [
    'Backups made before hold the person until they expire; Safekeep does not know of all of them. After a restore: safekeep ledger replay.',
    ...(replicas > 0 ? [`${replicas} replica(s) receive the erasure with the WAL.`] : []),
    ...(slots > 0 ? [`${slots} replication slot(s) keep WAL in which old values stand until it is consumed.`] : []),
    ...(archive === 'off' ? [] : ['WAL is archived: old values stand in the archive until it expires.']),
  ];
}

/** What this transaction wrote is counted when it ends: the server may do so after a VACUUM, whose count would not be the last then. */
export async function countAtCommit(client: pg.ClientBase): Promise<void> {
  await client.query('select pg_catalog.pg_stat_force_next_flush()');
}

/** A table of which values went, and the columns in which; null for all. */
export type Stale = { readonly table: string; readonly columns: readonly string[] | null };

/**
 * Statistics with values of a table are made anew: until then old values can be read by SQL in pg_stats. False where it was not done:
 * of a table, or of one of its partitions, that the login may not analyze the server only warns.
 */
export async function analyze(
  client: pg.ClientBase,
  { table, columns }: Stale,
  options: { readonly vacuum: boolean },
): Promise<boolean> {
  const list = columns === null ? '' : ` (${columns.map((column) => quote(column)).join(', ')})`;
  let isDone = true;
  // Class 01 is a warning, in whatever language it is told.
  const note = ({ code }: { readonly code?: string | undefined }): void => void (isDone &&= code?.startsWith('01') !== true);
  client.on('notice', note);
  try {
    await client.query(options.vacuum ? `vacuum (analyze) ${quoteTable(table)}` : `analyze ${quoteTable(table)}${list}`);
  } catch (error) {
    if (codeOf(error) !== '42501') throw error;
    isDone = false;
  } finally {
    client.off('notice', note);
  }
  return isDone;
}

/**
 * Tables whose statistics are more than those of their columns: of expressions, of several columns together, of partitions and children.
 * ANALYZE makes those anew only where it is not given columns.
 */
export async function joinedStatistics(client: pg.ClientBase, tables: readonly string[]): Promise<ReadonlySet<string>> {
  const refs = tables.map((name) => parseTableName(name));
  const { rows } = await client.query<{ place: number }>(
    `select (asked.place - 1)::integer as place
       from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) with ordinality as asked (schema, name, place)
       join pg_catalog.pg_namespace as n on n.nspname = asked.schema
       join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = asked.name
      where exists (select from pg_catalog.pg_inherits as i where i.inhparent = c.oid)
         or exists (select from pg_catalog.pg_statistic_ext as s where s.stxrelid = c.oid)
         or exists (select from pg_catalog.pg_index as i where i.indrelid = c.oid and i.indexprs is not null)`,
    [refs.map(({ schema }) => schema), refs.map(({ table }) => table)],
  );
  return new Set(rows.map(({ place }) => tables[place] ?? ''));
}

/**
 * Rows that the statistics of the server count as dead, by table, with those of its partitions. Exact after a VACUUM only: an ANALYZE puts the
 * guess from its sample in their place.
 */
export async function deadRows(client: pg.ClientBase, tables: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const refs = tables.map((name) => parseTableName(name));
  const { rows } = await client.query<{ place: number; dead: string }>(
    `select (asked.place - 1)::integer as place, sum(pg_catalog.pg_stat_get_dead_tuples(part.oid))::text as dead
       from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) with ordinality as asked (schema, name, place)
       join pg_catalog.pg_namespace as n on n.nspname = asked.schema
       join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = asked.name
      cross join lateral (select c.oid union select tree.relid from pg_catalog.pg_partition_tree(c.oid) as tree) as part (oid)
      group by asked.place`,
    [refs.map(({ schema }) => schema), refs.map(({ table }) => table)],
  );
  return new Map(rows.map(({ place, dead }) => [tables[place] ?? '', Number(dead)]));
}

/** The positions of the sequences that number rows of these tables, so that a restore never gives an erased number again. */
export async function sequencePositions(
  client: pg.ClientBase,
  sequences: readonly string[],
): Promise<readonly { readonly name: string; readonly last: string }[]> {
  const positions: { name: string; last: string }[] = [];
  for (const name of sequences) {
    const { rows } = await client.query<{ last: string }>(`select last_value::text as last from ${quoteTable(name)}`);
    if (rows[0] !== undefined) positions.push({ name, last: rows[0].last });
  }
  return positions;
}

/** Moves a sequence on to at least this position; never back. Returns whether it moved. */
export async function advanceSequence(
  client: pg.ClientBase,
  { name, last }: { readonly name: string; readonly last: string },
): Promise<boolean> {
  const { schema, table } = parseTableName(name);
  const qualified = `${quote(schema)}.${quote(table)}`;
  const { rowCount } = await client.query(
    `select pg_catalog.setval($1::regclass, $2::bigint) from ${qualified} where last_value < $2::bigint`,
    [qualified, last],
  );
  return (rowCount ?? 0) > 0;
}
