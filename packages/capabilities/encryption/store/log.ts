import { formatTableName, newId, type ColumnRef } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';
import type { KeyEvent } from '../model.ts';

/** How many events of the audit log since then tell of changes of these columns. What they hold is sealed: under which key nobody sees. */
export async function countEventsOf(
  db: Queryable,
  tenant: string,
  { columns, since }: { readonly columns: readonly ColumnRef[]; readonly since: Date },
): Promise<number> {
  const { rows } = await db.query(
    `select count(*)::int8::float8 as events from safekeep.audit_events as e
      where e.tenant_id = $1 and e.at >= $4
        and exists (select from unnest($2::text[], $3::text[]) as c (table_name, name) where c.table_name = e.table_name and e.columns ? c.name)`,
    [tenant, columns.map((column) => formatTableName(column)), columns.map(({ column }) => column), since],
  );
  return (rows as readonly { readonly events: number }[])[0]?.events ?? 0; // The statement names this column.
}

/** A row for each batch or session. */
export async function insertLog(db: Queryable, event: KeyEvent, at: Date): Promise<void> {
  const { operation, tenant, keyId, rows, error } = event;
  await db.query(
    `insert into safekeep.encryption_audit_log (tenant_id, log_id, operation_type, key_id, operation_success, error, operation_timestamp, rows)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [tenant, newId<'key-log'>(), operation, keyId === null ? null : Buffer.from(keyId, 'hex'), error === null, error, at, rows],
  );
}
