import { newId } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';
import type { KeyEvent } from '../model.ts';

/** A row for each batch or session. */
export async function insertLog(db: Queryable, event: KeyEvent, at: Date): Promise<void> {
  const { operation, tenant, keyId, rows, error } = event;
  await db.query(
    `insert into safekeep.encryption_audit_log (tenant_id, log_id, operation_type, key_id, operation_success, error, operation_timestamp, rows)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [tenant, newId<'key-log'>(), operation, keyId === null ? null : Buffer.from(keyId, 'hex'), error === null, error, at, rows],
  );
}
