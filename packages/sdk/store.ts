import { SafekeepError, type IndexKind, type SearchedType } from '@safekeep/core/values';
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
  readonly isCard: boolean;
  readonly mode: 'client' | 'database';
  readonly phase: string;
  readonly direction: 'in' | 'out';
  readonly keyScope: string;
  readonly tableOid: number;
  readonly columnNumber: number;
  /** Of a domain what it stands for. */
  readonly typeOid: number;
  readonly typeName: string;
  /** As pg_attribute has it: -1 where the type has no length, precision or scale. */
  readonly typeModifier: number;
  readonly encryptedNumber: number;
  readonly indexes: readonly IndexRow[];
  /** A database that was not migrated yet tells of none. */
  readonly partitions?: readonly PartitionRow[];
  /** Ours, that shows a field of the database mode with its ciphertext; null where none stands. */
  readonly view?: ViewRow | null;
};

/** A table that holds rows of the field's under a name of its own; `numbers`: by which results name the columns there. */
export type PartitionRow = {
  readonly schema: string;
  readonly table: string;
  readonly tableOid: number;
  readonly numbers: Readonly<Record<string, number>>;
};

export type ViewRow = { readonly tableOid: number; readonly encryptedNumber: number };

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

/** What the database knows of the fields of a tenant. `ageMs`: how old that may be already. */
export type KnownFields = {
  readonly isTenant: boolean;
  readonly ageMs: number;
  readonly fields: readonly (FieldRow & { readonly isMissing: boolean })[];
};

/** In one statement, which any connection takes, in a transaction or outside of one. */
export async function readFields(client: Queryable, tenant: string): Promise<KnownFields> {
  const { rows } = await client.query('select safekeep.known_fields($1) as known', [tenant]);
  // One row, whose column the statement names and whose content the function.
  return (rows[0] as { readonly known: KnownFields }).known;
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

/** In the caller's transaction, which is of this tenant from here on. @throws `unlock-outside-transaction` where there is none */
export async function readUnlockable(client: Queryable, tenant: string): Promise<readonly UnlockableField[]> {
  await client.query(
    `select pg_catalog.set_config('safekeep.tenant', $1, true), pg_catalog.set_config('safekeep.transaction', 'open', true)`,
    [tenant],
  );
  // Without a transaction what is set is gone with its statement, and a pool may have gone to another connection.
  const { rows: still } = await client.query(`select pg_catalog.current_setting('safekeep.transaction', true) = 'open' as open`);
  // The statement names this column.
  if ((still[0] as { readonly open: boolean | null }).open !== true) throw new SafekeepError('unlock-outside-transaction');
  const { rows } = await client.query(
    `select f.field_id as id, f.value_type as "valueType", f.key_scope as "keyScope",
            array(select pg_catalog.encode(k.key_id, 'hex') from safekeep.field_keys(f.tenant_id, 'data', f.key_scope) k
                   where k.state <> 'shredded' order by k.version desc limit 20) as earlier,
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
