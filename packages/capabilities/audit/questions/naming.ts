import { createHmac, createHash } from 'node:crypto';
import type { Signer } from '@safekeep/crypto';
import type { EventView } from './model.ts';
import { isMachine } from './sentences.ts';

/**
 * How those who acted are told to the person whom it is about. Who works for the controller is no recipient (CJEU C-579/21, Pankki S): the
 * person learns that, when and why somebody looked, and their identity only where it is needed to exercise a right and outweighs
 * theirs. So it is pseudonyms, unless somebody has decided otherwise.
 */
export type Naming = 'names' | { readonly pseudonymKey: Uint8Array };

/** From the home's signing key: Ed25519 signs the same bytes always alike (RFC 8032), and nobody without the key can try names. */
export function namingOf(setting: 'names' | 'pseudonyms', signer: Pick<Signer, 'signBytes'>): Naming {
  if (setting === 'names') return 'names';
  const secret = createHash('sha256')
    .update(signer.signBytes(Buffer.from('safekeep/1 actor-pseudonym\n')))
    .digest();
  return { pseudonymKey: secret };
}

/** A kind of actor as applications write it before a colon: `doctor:ann`. */
const ROLE = /^([a-z][a-z0-9_-]{1,30}):./;
const DIGITS = 8;

/** The event as that person may see it. Programs have no identity to protect; who looked at their own record knows it. */
export function namedFor(subject: string, event: EventView, naming: Naming): EventView {
  const { actor, actorState } = event;
  const isSelf = actor === subject && actorState !== 'claimed';
  if (naming === 'names' || actor === null || isSelf || isMachine(event)) return event;
  // For this person alone: two of them cannot find out together whom both have met.
  const number = createHmac('sha256', naming.pseudonymKey)
    .update(JSON.stringify([subject, actor]))
    .digest('hex')
    .slice(0, DIGITS);
  return { ...event, actor: `${ROLE.exec(actor)?.[1]?.replaceAll(/[_-]+/g, ' ') ?? 'somebody'} no. ${number}` };
}
