import { unlockFields, type DataKeys } from '@safekeep/crypto';
import type { Queryable } from './model.ts';
import { readUnlockable, unlockWith } from './store.ts';

/**
 * Unlocks all fields of the database mode for the transaction that is open on `client`: from here to its end the views
 * `…_decrypted` show values, and what is written is sealed. The keys go as a bound parameter; the server refuses them while it
 * would log that. Answers how many fields there are.
 *
 * @throws `unlock-outside-transaction`.
 */
export async function unlock(
  client: Queryable,
  { tenant, keys }: { readonly tenant: string; readonly keys: DataKeys },
): Promise<number> {
  const fields = await readUnlockable(client, tenant);
  if (fields.length > 0)
    await unlockWith(
      client,
      await unlockFields(
        keys,
        fields.map((field) => ({ ...field, tenant })),
      ),
    );
  return fields.length;
}
