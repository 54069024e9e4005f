import { createHmac } from 'node:crypto';
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

/** The application's secret for proofs. Without it an actor counts as claimed. */
export type ActorSecret = { readonly keyId: string; readonly secret: Uint8Array };

/**
 * Says who acts for the rest of the transaction that is open on `client`. The proof is an HMAC-SHA-256 over the actor, this
 * backend and this transaction's beginning: it holds nowhere else, so what a log or a pooled connection gives away is of no use.
 */
export async function actAs(client: Queryable, who: Actor, secret?: ActorSecret): Promise<void> {
  const proof = secret === undefined ? null : proofOf(secret, who, await readTransaction(client));
  await setActor(client, [who.actor, who.purpose ?? null, who.request ?? null, proof]);
}

function proofOf(
  { keyId, secret }: ActorSecret,
  { actor, purpose = '', request = '' }: Actor,
  { backend, began }: { readonly backend: number; readonly began: string },
): string {
  const message = [actor, purpose, request, String(backend), began]
    .map((field) => `${Buffer.byteLength(field)}:${field}\n`)
    .join('');
  return `${keyId}.${createHmac('sha256', secret).update(`safekeep actor 1\n${message}`).digest('base64')}`;
}
