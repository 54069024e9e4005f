import pg from 'pg';
import { formatColumnName, SafekeepError, type ColumnRef } from '@safekeep/core';
import { readCatalog } from '@safekeep/postgres';

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

/** The rows behind a key, in the order of the primary key. A text is cut to `letters`. */
export async function readTextRows(
  client: pg.PoolClient,
  ref: ColumnRef,
  { after, limit, letters }: { readonly after: readonly string[] | null; readonly limit: number; readonly letters: number },
): Promise<readonly TextRow[]> {
  const catalog = await readCatalog(client, { schemas: [ref.schema] });
  const table = catalog.tables.find(({ name }) => name === ref.table);
  const key = table?.primaryKey?.columns ?? [];
  const types = key.map((name) => table?.columns.find((column) => column.name === name)?.type ?? 'text');
  if (table?.columns.some(({ name }) => name === ref.column) !== true)
    throw new SafekeepError('text-column-unfit', { column: formatColumnName(ref), reason: 'there is no such column' });
  if (key.length === 0)
    throw new SafekeepError('text-column-unfit', {
      column: formatColumnName(ref),
      reason: 'its table has no primary key to go on by',
    });
  const columns = key.map((name) => pg.escapeIdentifier(name));
  const source = `${pg.escapeIdentifier(ref.schema)}.${pg.escapeIdentifier(ref.table)}`;
  // The types are the server's own words for what stands in its catalogue.
  const behind =
    after === null
      ? ''
      : `where (${columns.join(', ')}) > (${types.map((type, place) => `$${place + 1}::text::${type}`).join(', ')})`;
  const { rows } = await client.query<{ key: string[]; text: string | null }>(
    `select array[${columns.map((column) => `${column}::text`).join(', ')}] as key, pg_catalog.left(${pg.escapeIdentifier(ref.column)}::text, ${letters}) as text
       from ${source} ${behind} order by ${columns.join(', ')} limit ${limit}`,
    [...(after ?? [])],
  );
  return rows;
}
