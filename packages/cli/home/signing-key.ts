import { createHash } from 'node:crypto';
import { SafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem, type Signer } from '@safekeep/crypto';
import { homeKey, homeKeyPath, readHomeKey, readPrivate } from '@safekeep/files';

// The public half, to hand to whoever verifies; beside the key it also tells that there was one.
const VERIFIER_FILE = 'signing.vkey';

/**
 * The Ed25519 key with which this home signs reports and certificates; made on first use, in a folder only its owner enters.
 *
 * @throws `file-unwritable`; `home-key-lost` when it is gone and the home has signed with it; `key-file-unsafe` when others may read it; `key-file-broken` when it does not hold a key, when it is gone but its
 *   public half is still there, or when the two do not belong together. It is never made anew in place of a lost one:
 *   documents signed before could no longer be linked to this home.
 */
export async function openSigningKey(home: string): Promise<Signer> {
  const path = homeKeyPath(home, 'signing.pem');
  const known = await readVerifierKey(home);
  if (known === undefined) await homeKey(home, 'signing.pem', createSigningKey);
  const signer = await openKey(path);
  if (known === undefined) await homeKey(home, VERIFIER_FILE, () => `${signer.verifierKey}\n`);
  else if (known !== signer.verifierKey) throw broken(path, `it does not belong to ${VERIFIER_FILE} beside it`);
  return signer;
}

/** The public half alone, as whoever verifies needs it; undefined where this home has signed nothing yet. Makes nothing. @throws `file-unreadable` */
export async function readVerifierKey(home: string): Promise<string | undefined> {
  return (await readHomeKey(home, VERIFIER_FILE))?.trim();
}

async function openKey(path: string): Promise<Signer> {
  const pem = await readPrivate(path);
  if (pem === undefined) throw broken(path, `it is gone; ${VERIFIER_FILE} beside it tells which key it was`);
  try {
    return signingKeyFromPem(pem, nameOf(pem));
  } catch (cause) {
    throw broken(path, cause instanceof Error ? cause.message : 'unreadable', { cause });
  }
}

/** Follows from the key alone, so that the two cannot be parted. Eight digits tell the keys of two homes apart at a glance. */
function nameOf(pem: string): string {
  const { verifierKey } = signingKeyFromPem(pem, 'safekeep');
  return `safekeep-${createHash('sha256').update(verifierKey).digest('hex').slice(0, 8)}`;
}

function broken(path: string, reason: string, options?: ErrorOptions): SafekeepError {
  return new SafekeepError('key-file-broken', { path, reason }, options);
}
