import { createHash } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem, type Signer } from '@safekeep/crypto';

const FILE = 'signing.pem';
// The public half, to hand to whoever verifies; beside the key it also tells that there was one.
const VERIFIER_FILE = 'signing.vkey';
const OTHERS = 0o077;

/**
 * The Ed25519 key with which this home signs reports and certificates; made on first use, in a folder only its owner enters.
 *
 * @throws `key-file-unsafe` when others may read it; `key-file-broken` when it does not hold a key, when it is gone but its
 *   public half is still there, or when the two do not belong together. It is never made anew in place of a lost one:
 *   documents signed before could no longer be linked to this home.
 */
export async function openSigningKey(directory: string): Promise<Signer> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const path = join(directory, FILE);
  const known = await readFile(join(directory, VERIFIER_FILE), 'utf8').catch(() => undefined);
  if (known === undefined) await createOnce(path, createSigningKey());
  const signer = await openKey(path);
  if (known === undefined) await createOnce(join(directory, VERIFIER_FILE), `${signer.verifierKey}\n`);
  else if (known.trim() !== signer.verifierKey) throw broken(path, `it does not belong to ${VERIFIER_FILE} beside it`);
  return signer;
}

async function openKey(path: string): Promise<Signer> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw broken(path, `it is gone; ${VERIFIER_FILE} beside it tells which key it was`);
  if ((found.mode & OTHERS) !== 0) throw new SafekeepError('key-file-unsafe', { path, mode: (found.mode & 0o777).toString(8) });
  try {
    const pem = await readFile(path, 'utf8');
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

/** Writes the file whole under another name and links it into place: of two processes one wins, and both read the winner's. */
async function createOnce(path: string, content: string): Promise<void> {
  if (await exists(path)) return;
  const half = `${path}.${process.pid}`;
  const file = await open(half, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(half, path);
  } catch (error) {
    if (!(await exists(path))) throw error;
  } finally {
    await rm(half, { force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function broken(path: string, reason: string, options?: ErrorOptions): SafekeepError {
  return new SafekeepError('key-file-broken', { path, reason }, options);
}
