import type { IndexKind, SearchedType } from '@safekeep/core';
import type { ActorClaim } from '@safekeep/crypto';
import type { Queryable } from './model.ts';

/** A field as the database describes it, with the numbers by which results name its columns. */
export type FieldRow = {
  readonly id: string;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly encrypted: string;
  readonly valueType: SearchedType;
  readonly lengthLimit: number | null;
  readonly isCard: boolean;
  readonly mode: 'client' | 'database';
  readonly phase: string;
  readonly direction: 'in' | 'out';
  readonly keyScope: string;
  readonly tableOid: number;
  readonly columnNumber: number;
  readonly typeOid: number;
  readonly encryptedNumber: number;
  readonly indexes: readonly IndexRow[];
};

export type IndexRow = {
  readonly kind: IndexKind;
  /** The ids of the fields that a compound index is made of, in their order. */
  readonly parts: readonly string[];
  readonly column: string;
  readonly bits: number;
  readonly version: number;
  /** Only one that serves is searched; one that has `left` is written no more. */
  readonly state: 'building' | 'serving' | 'leaving' | 'left';
  /** By which results name the column. */
  readonly number: number;
};

const FIELDS = `
  select f.field_id as id, f.table_schema as schema, f.table_name as table, f.column_name as column, f.encrypted_column as encrypted,
         f.value_type as "valueType", f.length_limit as "lengthLimit", f.is_card as "isCard", f.mode, f.phase, f.direction,
         f.key_scope as "keyScope", c.oid::int8::float8 as "tableOid", p.attnum::int4 as "columnNumber",
         p.atttypid::int8::float8 as "typeOid", e.attnum::int4 as "encryptedNumber",
         coalesce((select jsonb_agg(jsonb_build_object('kind', i.kind, 'column', i.column_name, 'bits', i.bits, 'version', i.version,
                     'state', i.state, 'number', n.attnum,
                     'parts', coalesce(pg_catalog.to_jsonb(i.parts), '[]')) order by i.kind, i.version)
                     from safekeep.field_indexes i
                     join pg_catalog.pg_attribute n on n.attrelid = c.oid and n.attname = i.column_name and not n.attisdropped
                    where i.tenant_id = f.tenant_id and i.field_id = f.field_id), '[]') as indexes
    from safekeep.fields f
    join pg_catalog.pg_namespace s on s.nspname = f.table_schema
    join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relname = f.table_name
    join pg_catalog.pg_attribute p on p.attrelid = c.oid and p.attname = f.column_name and not p.attisdropped
    join pg_catalog.pg_attribute e on e.attrelid = c.oid and e.attname = f.encrypted_column and not e.attisdropped
   where f.tenant_id = $1 and f.mode = 'client' and f.phase not in ('planned', 'added')`;

/**
 * All client-mode fields of a tenant whose triggers stand: before, ciphertext that we wrote would not be taken away by others who
 * write plaintext only, and would be taken for true. In a transaction of its own, since row security asks for the
 * tenant of the transaction.
 */
export async function readFields(client: Queryable, tenant: string): Promise<readonly FieldRow[]> {
  await client.query('begin read only');
  try {
    await client.query(`select pg_catalog.set_config('safekeep.tenant', $1, true)`, [tenant]);
    const { rows } = await client.query(FIELDS, [tenant]);
    // The statement names these columns.
    return rows as readonly FieldRow[];
  } finally {
    await client.query('rollback');
  }
}

/** Which transaction this is, for a proof that holds in no other. */
export async function readTransaction(client: Queryable): Promise<Pick<ActorClaim, 'backend' | 'beganMicros'>> {
  const { rows } = await client.query(
    'select pg_catalog.pg_backend_pid() as backend, (extract(epoch from pg_catalog.now()) * 1000000)::bigint::text as began',
  );
  // One row, whose columns the statement names.
  const { backend, began } = rows[0] as { readonly backend: number; readonly began: string };
  return { backend, beganMicros: BigInt(began) };
}

export async function setActor(
  client: Queryable,
  values: readonly [actor: string, purpose: string | null, request: string | null, proof: string | null],
): Promise<void> {
  await client.query('select safekeep.set_actor($1, $2, $3, $4)', values);
}

/** A field that sessions unlock, with the ids of all keys that its values may be under. */
export type UnlockableField = Pick<FieldRow, 'id' | 'valueType' | 'keyScope'> & {
  readonly earlier: readonly string[];
  readonly indexVersions: readonly number[];
};

/** In the caller's transaction, which is of this tenant from here on. */
export async function readUnlockable(client: Queryable, tenant: string): Promise<readonly UnlockableField[]> {
  await client.query(`select pg_catalog.set_config('safekeep.tenant', $1, true)`, [tenant]);
  const { rows } = await client.query(
    `select f.field_id as id, f.value_type as "valueType", f.key_scope as "keyScope",
            array(select pg_catalog.encode(k.key_id, 'hex') from safekeep.encryption_keys k
                   where k.tenant_id = f.tenant_id and k.key_purpose = 'data' and k.scope = f.key_scope and k.state <> 'shredded'
                   order by k.version desc limit 20) as earlier,
            array(select distinct i.version from safekeep.field_indexes i
                   where i.tenant_id = f.tenant_id and i.field_id = f.field_id and i.state <> 'left') as "indexVersions"
       from safekeep.fields f where f.tenant_id = $1 and f.mode = 'database'`,
    [tenant],
  );
  // The statement names these columns.
  return rows as readonly UnlockableField[];
}

export async function unlockWith(client: Queryable, bundle: Uint8Array): Promise<void> {
  await client.query('select safekeep.unlock($1)', [bundle]);
}
