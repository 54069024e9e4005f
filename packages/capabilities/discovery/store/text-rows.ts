import pg from 'pg';
import { formatColumnName, SafekeepError, type ColumnRef } from '@safekeep/core';
import { readCatalog, type Column } from '@safekeep/postgres';

/** A row by its primary key as text, in the order of the key, and the text itself. */
export type TextRow = { readonly key: readonly string[]; readonly text: string | null };

export type TextFinding = {
  /** The key of the last row that was read; null before the first. */
  readonly readTo: readonly string[] | null;
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
  const { rows } = await client.query<{ readTo: string[] | null; rows: string; flagged: string; kinds: Record<string, number> }>(
    `select read_to as "readTo", rows_read as rows, rows_flagged as flagged, kinds from safekeep.text_findings where tenant_id = $1 and column_name = $2`,
    [tenant, column],
  );
  const [row] = rows;
  return row === undefined
    ? undefined
    : { readTo: row.readTo, rows: Number(row.rows), flagged: Number(row.flagged), kinds: row.kinds };
}

export async function writeTextFinding(
  client: pg.ClientBase,
  tenant: string,
  finding: Omit<TextFinding, 'readTo'> & { readonly column: string; readonly readTo: readonly string[]; readonly at: Date },
): Promise<void> {
  await client.query(
    `insert into safekeep.text_findings (tenant_id, column_name, read_to, rows_read, rows_flagged, kinds, updated_at) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (tenant_id, column_name) do update set read_to = excluded.read_to, rows_read = excluded.rows_read, rows_flagged = excluded.rows_flagged,
       kinds = excluded.kinds, updated_at = excluded.updated_at`,
    [
      tenant,
      finding.column,
      JSON.stringify(finding.readTo),
      finding.rows,
      finding.flagged,
      JSON.stringify(finding.kinds),
      finding.at,
    ],
  );
}

type TextTable = {
  readonly source: string;
  readonly key: readonly string[];
  readonly types: readonly string[];
  readonly column: Column;
};

async function textTable(client: pg.PoolClient, ref: ColumnRef): Promise<TextTable> {
  const catalog = await readCatalog(client, { schemas: [ref.schema] });
  const table = catalog.tables.find(({ name }) => name === ref.table);
  const column = table?.columns.find(({ name }) => name === ref.column);
  if (table === undefined || column === undefined) throw unfit(ref, 'there is no such column');
  const key = table.primaryKey?.columns ?? [];
  if (key.length === 0) throw unfit(ref, 'its table has no primary key to go on by');
  return {
    source: `${pg.escapeIdentifier(ref.schema)}.${pg.escapeIdentifier(ref.table)}`,
    key: key.map((name) => pg.escapeIdentifier(name)),
    types: key.map((name) => table.columns.find((each) => each.name === name)?.type ?? 'text'),
    column,
  };
}

function unfit(ref: ColumnRef, reason: string): SafekeepError {
  return new SafekeepError('text-column-unfit', { column: formatColumnName(ref), reason });
}

/** The types are the server's own words for what stands in its catalogue. */
function keyValues(types: readonly string[]): string {
  return types.map((type, place) => `$${place + 1}::text::${type}`).join(', ');
}

/** The rows behind a key, in the order of the primary key. A text is cut to `letters`. */
export async function readTextRows(
  client: pg.PoolClient,
  ref: ColumnRef,
  { after, limit, letters }: { readonly after: readonly string[] | null; readonly limit: number; readonly letters: number },
): Promise<readonly TextRow[]> {
  const { source, key, types } = await textTable(client, ref);
  const behind = after === null ? '' : `where (${key.join(', ')}) > (${keyValues(types)})`;
  const { rows } = await client.query<{ key: string[]; text: string | null }>(
    `select array[${key.map((column) => `${column}::text`).join(', ')}] as key, pg_catalog.left(${pg.escapeIdentifier(ref.column)}::text, ${letters}) as text
       from ${source} ${behind} order by ${key.join(', ')} limit ${limit}`,
    [...(after ?? [])],
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
  client: pg.PoolClient,
  ref: ColumnRef,
  { tenant, redactions }: { readonly tenant: string; readonly redactions: readonly Redaction[] },
): Promise<number> {
  const { source, key, types, column } = await textTable(client, ref);
  if (column.type !== 'text' && column.type !== 'character varying')
    throw unfit(ref, `only columns of type text are redacted, and this one is ${column.type}`);
  if (!column.privileges.update) throw unfit(ref, 'this login may not write it');
  await client.query('select safekeep.lock_holds($1, false)', [tenant]);
  const { rowCount: holds } = await client.query('select from safekeep.standing_holds where tenant_id = $1 limit 1', [tenant]);
  if (holds !== 0) throw unfit(ref, 'a hold stands, and what is redacted is gone for good');
  const name = pg.escapeIdentifier(ref.column);
  let written = 0;
  for (const { key: values, read, redacted } of redactions) {
    // By bytes: a collation may hold different texts for equal.
    const { rowCount } = await client.query(
      `update ${source} set ${name} = $${types.length + 1} where (${key.join(', ')}) = (${keyValues(types)})
          and ${name} collate pg_catalog."C" = $${types.length + 2}`,
      [...values, redacted, read],
    );
    written += rowCount ?? 0;
  }
  return written;
}
