import type { Queryable } from '@safekeep/postgres';

/** Makes a key by which an application proves its actors. The secret is answered this once; the server keeps what follows from it. */
export async function makeActorKey(db: Queryable, tenant: string): Promise<{ readonly keyId: string; readonly secret: string }> {
  const { rows } = await db.query('select key_id as "keyId", secret from safekeep.make_actor_key($1)', [tenant]);
  // The statement above answers exactly these columns.
  const [made] = rows as readonly { readonly keyId: string; readonly secret: string }[];
  if (made === undefined) throw new Error('The server made no key');
  return made;
}
