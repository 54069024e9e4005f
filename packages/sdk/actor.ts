import { proveActor, type ActorClaim, type ActorSecret } from '@safekeep/crypto';
import type { Queryable } from './model.ts';
import { readTransaction, setActor } from './store.ts';

/** Who acts (a login, a service), for which purpose of the data map, and for which request. */
export type Actor = Pick<ActorClaim, 'actor' | 'purpose' | 'request'>;

/**
 * Says who acts for the rest of the transaction that is open on `client`. The proof holds in this transaction and in no other, so
 * what a log or a pooled connection gives away is of no use. Without the application's secret the actor counts as claimed.
 */
export async function actAs(client: Queryable, who: Actor, secret?: ActorSecret): Promise<void> {
  const proof = secret === undefined ? null : proveActor(secret, { ...who, ...(await readTransaction(client)) });
  await setActor(client, [who.actor, who.purpose ?? null, who.request ?? null, proof]);
}
