import { createHash } from 'node:crypto';
import type pg from 'pg';
import { newId, withoutMark } from '@safekeep/core';
import type { Column, Queryable, Table } from '@safekeep/postgres';

/** A column as it was judged: the same name, type and comment in the same table. Changes when any of them does; not by the mark that `apply` writes behind the comment. */
export function attributeHash(
  table: Pick<Table, 'schema' | 'name' | 'kind'>,
  column: Pick<Column, 'name' | 'type' | 'comment'>,
): string {
  return createHash('sha256')
    .update(JSON.stringify([table.schema, table.name, column.name, column.type, withoutMark(column.comment)]))
    .digest('hex');
}

export type StoredVerdict = {
  readonly category: string;
  readonly note: string | null;
  readonly by: string;
  readonly attributeHash: string;
};

export type StoredFinding = {
  readonly attributeHash: string;
  readonly category: string;
  readonly confidence: number;
  readonly decision: 'certain' | 'review' | 'none';
  readonly evidence: readonly string[];
  readonly freeText: boolean;
};

/** Whether this login keeps findings here: Safekeep's schema stands, and may be written. */
export async function keepsFindings(db: Queryable): Promise<boolean> {
  // By the catalogue: to_regclass refuses a login that may not use the schema, and such a login may still scan.
  const { rows } = await db.query(
    `select not pg_catalog.pg_is_in_recovery() and exists (
       select from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = 'safekeep' and c.relname = 'scan_findings' and pg_catalog.has_schema_privilege(n.oid, 'usage')
          and pg_catalog.has_table_privilege(c.oid, 'select') and pg_catalog.has_table_privilege(c.oid, 'insert')
          and pg_catalog.has_table_privilege(c.oid, 'update') and pg_catalog.has_table_privilege(c.oid, 'delete')) as keeps`,
  );
  // The statement above names this column.
  return (rows as readonly { readonly keeps: boolean }[])[0]?.keeps === true;
}

/** The newest verdict on each column, by its external name. */
export async function readVerdicts(db: Queryable, tenant: string): Promise<ReadonlyMap<string, StoredVerdict>> {
  const { rows } = await db.query(
    `select distinct on (column_name) column_name, category, note, decided_by, attribute_sha256 from safekeep.scan_verdicts
      where tenant_id = $1 order by column_name, decided_at desc, verdict_id desc`,
    [tenant],
  );
  // The statement above names these columns.
  const found = rows as readonly {
    readonly column_name: string;
    readonly category: string;
    readonly note: string | null;
    readonly decided_by: string;
    readonly attribute_sha256: string;
  }[];
  return new Map(
    found.map((row) => [
      row.column_name,
      { category: row.category, note: row.note, by: row.decided_by, attributeHash: row.attribute_sha256 },
    ]),
  );
}

export async function insertVerdict(
  client: pg.ClientBase,
  tenant: string,
  verdict: {
    readonly column: string;
    readonly attributeHash: string;
    readonly category: string;
    readonly note: string | null;
    readonly by: string;
    readonly at: Date;
  },
): Promise<void> {
  await client.query(
    `insert into safekeep.scan_verdicts (tenant_id, verdict_id, column_name, attribute_sha256, category, note, decided_by, decided_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [tenant, newId<'verdict'>(), verdict.column, verdict.attributeHash, verdict.category, verdict.note, verdict.by, verdict.at],
  );
}

/** What the last scan that was kept found, by external name of the column. */
export async function readFindings(db: Queryable, tenant: string): Promise<ReadonlyMap<string, StoredFinding>> {
  const { rows } = await db.query(
    `select column_name as "column", attribute_sha256 as "attributeHash", category, confidence, decision, evidence, free_text as "freeText"
       from safekeep.scan_findings where tenant_id = $1`,
    [tenant],
  );
  // The statement above names these columns.
  const found = rows as readonly (StoredFinding & { readonly column: string })[];
  return new Map(found.map(({ column, ...finding }) => [column, finding]));
}

/** Puts what was found in the place of what stood there. Columns of `schemas` that are gone are forgotten. */
export async function replaceFindings(
  client: pg.ClientBase,
  tenant: string,
  {
    findings,
    schemas,
    at,
  }: {
    readonly findings: readonly (StoredFinding & { readonly schema: string; readonly column: string })[];
    readonly schemas: readonly string[];
    readonly at: Date;
  },
): Promise<void> {
  // Two scans at once would each remove what the other put in.
  await client.query("select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('safekeep scan ' || $1, 0))", [tenant]);
  await client.query('delete from safekeep.scan_findings where tenant_id = $1 and schema_name = any ($2)', [tenant, schemas]);
  await client.query(
    `insert into safekeep.scan_findings (tenant_id, column_name, schema_name, attribute_sha256, category, confidence, decision, evidence, free_text, scanned_at)
     select $1, r."column", r.schema, r."attributeHash", r.category, r.confidence, r.decision, r.evidence, r."freeText", $3
       from pg_catalog.jsonb_to_recordset($2) as r ("column" text, schema text, "attributeHash" text, category text, confidence float8, decision text, evidence jsonb, "freeText" boolean)
     on conflict (tenant_id, column_name) do update set schema_name = excluded.schema_name, attribute_sha256 = excluded.attribute_sha256, category = excluded.category,
       confidence = excluded.confidence, decision = excluded.decision, evidence = excluded.evidence, free_text = excluded.free_text, scanned_at = excluded.scanned_at`,
    [tenant, JSON.stringify(findings), at],
  );
}
