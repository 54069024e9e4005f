import { proveActor, type ActorSecret } from '@safekeep/crypto';
import type { Queryable } from './model.ts';
import { readTransaction, setActor } from './store.ts';

export type Actor = {
  /** Who acts: a login, a service. */
  readonly actor: string;
  /** A purpose of the data map. */
  readonly purpose?: string;
  /** The request that it is done for. */
  readonly request?: string;
};

/**
 * Says who acts for the rest of the transaction that is open on `client`. The proof is an HMAC-SHA-256 over the actor, this
 * backend and this transaction's beginning: it holds nowhere else, so what a log or a pooled connection gives away is of no use.
 */
export async function actAs(client: Queryable, who: Actor, secret?: ActorSecret): Promise<void> {
  const proof = secret === undefined ? null : await proofOf(client, who, secret);
  await setActor(client, [who.actor, who.purpose ?? null, who.request ?? null, proof]);
}

async function proofOf(client: Queryable, who: Actor, secret: ActorSecret): Promise<string> {
  const { backend, began } = await readTransaction(client);
  return proveActor(secret, { ...who, backend, beganMicros: BigInt(began) });
}
