import type { Queryable } from '@safekeep/postgres';
import { ownerName, type Fate, type KeyOwner } from '../model.ts';

/** `wrapped` is null once the key was destroyed. */
export type StoredKey = { readonly keyId: string; readonly wrapped: Buffer | null };

/** By {@link ownerName}. */
export async function readKeysOf(db: Queryable, owners: readonly KeyOwner[]): Promise<Map<string, StoredKey>> {
  if (owners.length === 0) return new Map();
  const { rows } = await db.query(
    `select k.tenant_id as tenant, k.subject, k.fate, k.key_id as "keyId", k.wrapped
       from unnest($1::text[], $2::text[], $3::text[]) as o (tenant, subject, fate)
       join safekeep.audit_subject_keys as k on k.tenant_id = o.tenant and k.subject = o.subject and k.fate = o.fate`,
    columnsOf(owners),
  );
  // The statement above answers exactly these columns.
  return new Map((rows as readonly (KeyOwner & StoredKey)[]).map((row) => [ownerName(row), row]));
}

export async function readKeysByIds(db: Queryable, keyIds: readonly string[]): Promise<readonly StoredKey[]> {
  if (keyIds.length === 0) return [];
  const { rows } = await db.query(
    `select key_id as "keyId", wrapped from safekeep.audit_subject_keys where key_id = any ($1::text[])`,
    [keyIds],
  );
  // The statement above answers exactly these columns.
  return rows as readonly StoredKey[];
}

export type NewKey = KeyOwner & { readonly keyId: string; readonly wrapped: Buffer };

/** Where a key stands already, or stood, nothing is written. */
export async function insertKeys(db: Queryable, keys: readonly NewKey[]): Promise<void> {
  await db.query(
    `insert into safekeep.audit_subject_keys (tenant_id, subject, fate, key_id, wrapped, made_at)
     select tenant, subject, fate, key_id, wrapped, now()
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[]) as made (tenant, subject, fate, key_id, wrapped)
     on conflict (tenant_id, subject, fate) do nothing`,
    [...columnsOf(keys), keys.map(({ keyId }) => keyId), keys.map(({ wrapped }) => wrapped)],
  );
}

/** Leaves a mark for each fate, also where there was no key: none is made afterwards. */
export async function destroyKeys(
  db: Queryable,
  { tenant, subject }: { readonly tenant: string; readonly subject: string },
  fates: readonly Fate[],
): Promise<readonly string[]> {
  const { rows } = await db.query(
    `insert into safekeep.audit_subject_keys as k (tenant_id, subject, fate, key_id, wrapped, made_at, destroyed_at)
     select $1, $2, fate, 'none-' || gen_random_uuid(), null, now(), now() from unnest($3::text[]) as fate
     on conflict (tenant_id, subject, fate) do update set wrapped = null, destroyed_at = coalesce(k.destroyed_at, now())
     returning key_id as "keyId"`,
    [tenant, subject, fates],
  );
  // The statement above answers exactly this column.
  return (rows as readonly { readonly keyId: string }[]).map(({ keyId }) => keyId).filter((keyId) => !keyId.startsWith('none-'));
}

function columnsOf(owners: readonly KeyOwner[]): [readonly string[], readonly string[], readonly string[]] {
  return [owners.map(({ tenant }) => tenant), owners.map(({ subject }) => subject), owners.map(({ fate }) => fate)];
}
