import { createHmac } from 'node:crypto';

/** Who acts, why and for which request, as `safekeep.set_actor` takes them; and the transaction that it is for. */
export type ActorClaim = {
  readonly actor: string;
  readonly purpose?: string | null;
  readonly request?: string | null;
  /** `pg_backend_pid()` of the transaction's connection. */
  readonly backend: number;
  /** `now()` of the transaction in microseconds since 1970: `readTransaction` of the SDK asks for it. */
  readonly beganMicros: bigint;
};

export type ActorSecret = { readonly keyId: string; readonly secret: Uint8Array };

/**
 * The proof that the application, and not only somebody with its database login, names this actor: HMAC-SHA256 over all
 * arguments, the backend and this transaction's now(). It holds in this transaction only, so nothing that a log or a pooled
 * connection gives away can be used again.
 */
export function proveActor({ keyId, secret }: ActorSecret, claim: ActorClaim): string {
  return `${keyId}.${createHmac('sha256', secret).update(actorMessage(claim)).digest('base64')}`;
}

export function actorMessage({ actor, purpose, request, backend, beganMicros }: ActorClaim): string {
  const fields = [actor, purpose ?? '', request ?? '', String(backend), String(beganMicros)];
  return `safekeep actor 1\n${fields.map((field) => `${Buffer.byteLength(field)}:${field}\n`).join('')}`;
}
