import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { codeOf } from '@safekeep/postgres';

const OTHERS = 0o077;
const KEY_BYTES = 32;
const PSEUDONYM_BYTES = 16;
const POOL_BYTES = 4096;

/** The same name in the same tenant gives the same 16 bytes; nobody without the home's key can tell which name. */
export type PseudonymOf = (tenant: string, actor: string) => Buffer;

/**
 * Stands for a row of an erased person, or for a value that the erasure left in it: base64 of 16 bytes. Whoever has the database and
 * not the home's key can neither tell what it stands for nor make one for something else.
 */
export type MarkOf = (parts: readonly unknown[]) => string;

export type HomeKey = { readonly pseudonymOf: PseudonymOf; readonly markOf: MarkOf };

/**
 * Pseudonyms of actors and marks of rows, by a key file of the home that is made on first use.
 *
 * @throws `key-file-unsafe`, `key-file-broken`, `file-unwritable`.
 */
export async function openHomeKey(home: string): Promise<HomeKey> {
  const path = join(home, 'keys', 'audit.key');
  await createOnce(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  const { mode } = await stat(path);
  if ((mode & OTHERS) !== 0) throw new SafekeepError('key-file-unsafe', { path, mode: (mode & 0o777).toString(8) });
  const root = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
  if (root.length !== KEY_BYTES)
    throw new SafekeepError('key-file-broken', { path, reason: `it does not hold ${KEY_BYTES} bytes in base64` });
  const keyFor = (use: string): Buffer => Buffer.from(hkdfSync('sha256', root, '', `safekeep audit 1 ${use}`, KEY_BYTES));
  const [naming, marking] = [keyFor('actor pseudonyms'), keyFor('row marks')];
  const code = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest().subarray(0, PSEUDONYM_BYTES);
  return {
    pseudonymOf: (tenant, actor) => code(naming, `${tenant}\n${actor}`),
    markOf: (parts) => code(marking, JSON.stringify(parts)).toString('base64'),
  };
}

let pool = Buffer.alloc(0);

/** Random bytes are fetched in pages: a call for each nonce would take as long as the sealing. */
export function freshBytes(count: number): Buffer {
  if (pool.length < count) pool = randomBytes(Math.max(POOL_BYTES, count));
  const taken = pool.subarray(0, count);
  pool = pool.subarray(count);
  return taken;
}

/** Written whole under another name and linked into place: of two processes one wins, and both read the winner's. */
async function createOnce(path: string, text: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  if (await exists(path)) return;
  const half = `${path}.${process.pid}`;
  const file = await open(half, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(half, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
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
