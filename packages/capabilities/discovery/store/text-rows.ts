import type pg from 'pg';
import { formatColumnName, SafekeepError, type ColumnRef } from '@safekeep/core';
import { quoteName, quoteTable, readCatalog, type Column } from '@safekeep/postgres';
import type { FeedPlace } from '../../audit/index.ts';
import { hiddenTables } from './reading.ts';

/** A row by its primary key as text, in the order of the key, and the text itself. */
export type TextRow = { readonly key: readonly string[]; readonly text: string | null };

export type TextFinding = {
  /** The key of the last row that was read; null before the first. */
  readonly readTo: readonly string[] | null;
  /** How far the log of changes was followed for rows up to there; null where it was not. */
  readonly followedTo: FeedPlace | null;
  readonly rows: number;
  readonly flagged: number;
  readonly kinds: Readonly<Record<string, number>>;
};

export async function lockTextFinding(client: pg.ClientBase, tenant: string, column: string): Promise<void> {
  await client.query('select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))', [
    `safekeep text ${tenant} ${column}`,
  ]);
}

export async function readTextFinding(client: pg.ClientBase, tenant: string, column: string): Promise<TextFinding | undefined> {
  const { rows } = await client.query<Omit<TextFinding, 'followedTo'> & { era: number | null; index: number | null }>(
    `select read_to as "readTo", rows_read::float8 as rows, rows_flagged::float8 as flagged, kinds, feed_era as era, feed_index::float8 as index
       from safekeep.text_findings where tenant_id = $1 and column_name = $2`,
    [tenant, column],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { era, index, ...finding } = row;
  return { ...finding, followedTo: era === null || index === null ? null : { era, index } };
}

export async function writeTextFinding(
  client: pg.ClientBase,
  tenant: string,
  finding: TextFinding & { readonly column: string; readonly at: Date },
): Promise<void> {
  await client.query(
    `insert into safekeep.text_findings (tenant_id, column_name, read_to, rows_read, rows_flagged, kinds, updated_at, feed_era, feed_index)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (tenant_id, column_name) do update set read_to = excluded.read_to, rows_read = excluded.rows_read, rows_flagged = excluded.rows_flagged,
       kinds = excluded.kinds, updated_at = excluded.updated_at, feed_era = excluded.feed_era, feed_index = excluded.feed_index`,
    [
      tenant,
      finding.column,
      finding.readTo === null ? null : JSON.stringify(finding.readTo),
      finding.rows,
      finding.flagged,
      JSON.stringify(finding.kinds),
      finding.at,
      finding.followedTo?.era ?? null,
      finding.followedTo?.index ?? null,
    ],
  );
}

/** A column of free text with what its rows are found by, as the catalogue had it. */
export type TextTable = {
  readonly ref: ColumnRef;
  /** The table as a statement names it. */
  readonly source: string;
  /** Types without their domains, whose checks are code of whoever made them. */
  readonly key: readonly { readonly name: string; readonly type: string }[];
  readonly column: Column;
};

/** Policies that Safekeep makes show a tenant its own rows, which are all there is to look at for it. */
const OWN_POLICY = /^safekeep_/;

/** Throws `text-column-unfit`. */
export async function findTextTable(client: pg.ClientBase, ref: ColumnRef): Promise<TextTable> {
  const catalog = await readCatalog(client, { schemas: [ref.schema] });
  const table = catalog.tables.find(({ name }) => name === ref.table);
  const column = table?.columns.find(({ name }) => name === ref.column);
  if (table === undefined || column === undefined) throw unfit(ref, 'there is no such column');
  const key = table.primaryKey?.columns ?? [];
  if (key.length === 0) throw unfit(ref, 'its table has no primary key to go on by');
  if (!column.privileges.select) throw unfit(ref, 'this login may not read it');
  const isOwn = table.policies.length > 0 && table.policies.every(({ name }) => OWN_POLICY.test(name));
  if (!isOwn && (await hiddenTables(client, [table.oid])).size > 0)
    throw unfit(ref, 'row security hides rows of it from this login');
  return {
    ref,
    source: quoteTable(ref),
    key: key.map((name) => ({ name, type: table.columns.find((each) => each.name === name)?.baseType ?? 'text' })),
    column,
  };
}

function unfit(ref: ColumnRef, reason: string): SafekeepError {
  return new SafekeepError('text-column-unfit', { column: formatColumnName(ref), reason });
}

function keyOf({ key }: TextTable): string {
  return key.map(({ name }) => `r.${quoteName(name)}`).join(', ');
}

/**
 * Parameters from number `first` on, each read by its type, of which the server's own words stand in its catalogue. Nowhere here is a
 * value cast from or to text: that would call the cast that the owner of a type wrote, with the rights of the worker.
 */
function keyValues({ key }: TextTable, first = 1): string {
  return key.map(({ type }, place) => `$${first + place}::${type}`).join(', ');
}

function printed(name: string): string {
  return `pg_catalog.format('%s', r.${quoteName(name)})`;
}

function textOf({ key, ref }: TextTable, letters: number): string {
  const parts = key.map(({ name }) => printed(name)).join(', ');
  const column = quoteName(ref.column);
  return `array[${parts}] as key, case when r.${column} is not null then pg_catalog.left(${printed(ref.column)}, ${letters}) end as text`;
}

/** The rows behind a key, in the order of the primary key. A text is cut to `letters`. */
export async function readTextRows(
  client: pg.ClientBase,
  table: TextTable,
  { after, limit, letters }: { readonly after: readonly string[] | null; readonly limit: number; readonly letters: number },
): Promise<readonly TextRow[]> {
  const behind = after === null ? '' : `where (${keyOf(table)}) > (${keyValues(table)})`;
  const { rows } = await client.query<TextRow>(
    `select ${textOf(table, letters)} from ${table.source} as r ${behind} order by ${keyOf(table)} limit ${limit}`,
    [...(after ?? [])],
  );
  return rows;
}

/** The key of the last row that stands up to this key; null where none does. */
export async function lastKeyUpTo(
  client: pg.ClientBase,
  table: TextTable,
  key: readonly string[],
): Promise<readonly string[] | null> {
  const order = table.key.map(({ name }) => `r.${quoteName(name)} desc`).join(', ');
  const { rows } = await client.query<Pick<TextRow, 'key'>>(
    `select array[${table.key.map(({ name }) => printed(name)).join(', ')}] as key from ${table.source} as r
      where (${keyOf(table)}) <= (${keyValues(table)}) order by ${order} limit 1`,
    [...key],
  );
  return rows[0]?.key ?? null;
}

/** Those rows of these keys that still stand, up to and with the key `upTo`. A text is cut to `letters`. */
export async function readTextRowsAgain(
  client: pg.ClientBase,
  table: TextTable,
  {
    keys,
    upTo,
    letters,
  }: { readonly keys: readonly (readonly string[])[]; readonly upTo: readonly string[]; readonly letters: number },
): Promise<readonly TextRow[]> {
  if (keys.length === 0) return [];
  const width = table.key.length;
  const given = keys.map((_, place) => `(${keyValues(table, (place + 1) * width + 1)})`).join(', ');
  const names = table.key.map((_, place) => `k${place}`).join(', ');
  // Compared as the column's type, so that its index is used.
  const fits = table.key.map(({ name }, place) => `r.${quoteName(name)} = k.k${place}`).join(' and ');
  const { rows } = await client.query<TextRow>(
    `select ${textOf(table, letters)} from (values ${given}) as k (${names}) join ${table.source} as r on ${fits}
      where (${keyOf(table)}) <= (${keyValues(table)})`,
    [...upTo, ...keys.flat()],
  );
  return rows;
}

/** Of one row: what was read, and what is to stand there. */
export type Redaction = { readonly key: readonly string[]; readonly read: string; readonly redacted: string };

/**
 * Puts redacted texts in the place of those that were read, where these still stand unchanged. Gives back how many rows that were.
 * Keeps holds from being placed until the end of the transaction, and writes nothing while one stands: a hold by person or
 * condition may be about any of the rows.
 */
export async function writeRedactions(
  client: pg.ClientBase,
  table: TextTable,
  { tenant, redactions }: { readonly tenant: string; readonly redactions: readonly Redaction[] },
): Promise<number> {
  const { ref, column } = table;
  if (column.type !== 'text' && column.type !== 'character varying')
    throw unfit(ref, `only columns of type text are redacted, and this one is ${column.type}`);
  if (!column.privileges.update) throw unfit(ref, 'this login may not write it');
  await client.query('select safekeep.lock_holds($1, false)', [tenant]);
  const { rowCount: holds } = await client.query('select from safekeep.standing_holds where tenant_id = $1 limit 1', [tenant]);
  if (holds !== 0) throw unfit(ref, 'a hold stands, and what is redacted is gone for good');
  const name = quoteName(ref.column);
  const next = table.key.length + 1;
  let written = 0;
  for (const { key: values, read, redacted } of redactions) {
    // By bytes: a collation may hold different texts for equal.
    const { rowCount } = await client.query(
      `update ${table.source} as r set ${name} = $${next} where (${keyOf(table)}) = (${keyValues(table)})
          and r.${name} collate pg_catalog."C" = $${next + 1}`,
      [...values, redacted, read],
    );
    written += rowCount ?? 0;
  }
  return written;
}
