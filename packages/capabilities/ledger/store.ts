import type pg from 'pg';
import { setTenant, together, type Queryable } from '@safekeep/postgres';
import type { OperationId, Receipt, Seen, SeenHead } from './model.ts';

export async function begin(client: pg.ClientBase, tenant: string): Promise<void> {
  await client.query('begin');
  await setTenant(client, tenant);
}

/**
 * Begins a transaction of the tenant. Until it ends the operation counts as being carried out; false where somebody else carries
 * it out.
 */
export async function beginOperation(client: pg.ClientBase, tenant: string, id: OperationId): Promise<boolean> {
  const [, , taken] = await together(client, [
    async () => await client.query('begin'),
    () => setTenant(client, tenant),
    () => takeOperation(client, id),
  ]);
  return taken;
}

export async function commit(client: pg.ClientBase): Promise<void> {
  await client.query('commit');
}

export async function rollback(client: pg.ClientBase): Promise<void> {
  await client.query('rollback');
}

/** Until the transaction ends this operation counts as being carried out. False where somebody else carries it out. */
export async function takeOperation(client: pg.ClientBase, id: OperationId): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    "select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('safekeep operation ' || $1::text, 0)) as taken",
    [id],
  );
  return rows[0]?.taken === true;
}

/** In the transaction that destroys: once it is committed the database knows that the intent was carried out. */
export async function insertHead(
  client: pg.ClientBase,
  tenant: string,
  { receipt, at }: { readonly receipt: Receipt; readonly at: Date },
): Promise<void> {
  const { ledger, sequence, id, sha256 } = receipt;
  await client.query(
    'insert into safekeep.ledger_heads (tenant_id, ledger_id, sequence, operation_id, sha256, seen_at) values ($1, $2, $3, $4, $5, $6)',
    [tenant, ledger, sequence, id, sha256, at],
  );
}

export async function wasCommitted(client: pg.ClientBase, tenant: string, id: OperationId): Promise<boolean> {
  const { rowCount } = await client.query('select from safekeep.ledger_heads where tenant_id = $1 and operation_id = $2', [
    tenant,
    id,
  ]);
  return rowCount !== null && rowCount > 0;
}

/** Everything that the database has seen of a ledger, and of how many others it knows. */
export async function readSeen(db: Queryable, tenant: string, ledger: string | undefined): Promise<Seen> {
  const { rows } = await db.query(
    `select sequence, sha256, operation_id as operation from safekeep.ledger_heads where tenant_id = $1 and ledger_id = $2 order by sequence`,
    [tenant, ledger],
  );
  const { rows: others } = await db.query(
    'select count(distinct ledger_id)::integer as count from safekeep.ledger_heads where tenant_id = $1 and ledger_id is distinct from $2',
    [tenant, ledger],
  );
  // The statements above name these columns; a bigint comes as text.
  const heads = (rows as readonly (Omit<SeenHead, 'sequence'> & { readonly sequence: string })[]).map((row) => ({
    ...row,
    sequence: Number(row.sequence),
  }));
  const [counted] = others as readonly { readonly count: number }[]; // As above.
  return { heads, otherLedgers: counted?.count ?? 0 };
}
