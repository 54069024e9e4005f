import type { Queryable } from '@safekeep/postgres';

/** Asked first in a transaction of the application: gives `backend` and `began` for the claim of `proveActor`. */
export const TRANSACTION_OF_ACTOR =
  'select pg_catalog.pg_backend_pid() as backend, (extract(epoch from pg_catalog.now()) * 1000000)::bigint::text as began';

/** Makes a key by which an application proves its actors. The secret is answered this once; the server keeps what follows from it. */
export async function makeActorKey(db: Queryable, tenant: string): Promise<{ readonly keyId: string; readonly secret: string }> {
  const { rows } = await db.query('select key_id as "keyId", secret from safekeep.make_actor_key($1)', [tenant]);
  // The statement above answers exactly these columns.
  const [made] = rows as readonly { readonly keyId: string; readonly secret: string }[];
  if (made === undefined) throw new Error('The server made no key');
  return made;
}
