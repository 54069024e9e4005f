import { chmod, mkdir, open, readFile, stat, link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem, type Signer } from '@safekeep/crypto';

const FILE = 'signing.pem';
const NAME_FILE = 'signing.name';
const OTHERS = 0o077;

/**
 * The Ed25519 key with which this home signs reports and certificates; made on first use, in a folder only its owner enters.
 *
 * @throws `key-file-unsafe` when others may read it, `key-file-broken` when it does not hold a key. It is never made anew in
 *   place of a broken one: documents signed before could no longer be linked to this home.
 */
export async function openSigningKey(directory: string): Promise<Signer> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const path = join(directory, FILE);
  await createOnce(join(directory, NAME_FILE), () => `safekeep-${randomName()}\n`);
  await createOnce(path, createSigningKey);
  const { mode } = await stat(path);
  if ((mode & OTHERS) !== 0) throw new SafekeepError('key-file-unsafe', { path, mode: (mode & 0o777).toString(8) });
  try {
    return signingKeyFromPem(await readFile(path, 'utf8'), (await readFile(join(directory, NAME_FILE), 'utf8')).trim());
  } catch (cause) {
    throw new SafekeepError('key-file-broken', { path, reason: cause instanceof Error ? cause.message : 'unreadable' }, { cause });
  }
}

/** Writes the file whole under another name and links it into place: of two processes one wins, and both read the winner's. */
async function createOnce(path: string, content: () => string): Promise<void> {
  if (await exists(path)) return;
  const half = `${path}.${process.pid}`;
  const file = await open(half, 'w', 0o600);
  try {
    await file.writeFile(content());
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

// Eight hex digits: tells the keys of two homes apart at a glance. What identifies a key is the id derived from it.
function randomName(): string {
  return crypto.randomUUID().slice(0, 8);
}
