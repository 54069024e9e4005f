import { unlockFields, type DataKeys } from '@safekeep/crypto';
import type { Queryable } from './model.ts';
import { readUnlockable, unlockWith } from './store.ts';

type Ring = { readonly tenant: string; readonly keys: DataKeys };

/**
 * Unlocks all fields of the database mode for the transaction that is open on `client`: from here to its end the views
 * `…_decrypted` show values, and what is written is sealed. The keys go as a bound parameter; the server refuses them while it
 * would log that. Answers how many fields there are.
 *
 * @throws `unlock-outside-transaction`.
 */
export async function unlock(client: Queryable, { tenant, keys }: Ring): Promise<number> {
  const { wrapped, fields } = await wrap(client, { tenant, keys });
  if (fields > 0) await unlockWith(client, wrapped);
  return fields;
}

/**
 * What `safekeep.unlock` and `safekeep.migrate_plaintext_to_encrypted_in_batches` take: the keys of all fields of the database mode, in
 * the clear. Only ever as a bound parameter, and never kept.
 *
 * @throws `unlock-outside-transaction`.
 */
export async function wrappedKeys(client: Queryable, ring: Ring): Promise<Buffer> {
  return (await wrap(client, ring)).wrapped;
}

async function wrap(client: Queryable, { tenant, keys }: Ring): Promise<{ readonly wrapped: Buffer; readonly fields: number }> {
  const fields = await readUnlockable(client, tenant);
  const wrapped = await unlockFields(
    keys,
    fields.map((field) => ({ ...field, tenant })),
  );
  return { wrapped, fields: fields.length };
}
