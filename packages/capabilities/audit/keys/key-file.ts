import { createHmac, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';
import { SafekeepError } from '@safekeep/core';
import { homeKey, homeKeyPath } from '@safekeep/files';

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
 * @throws `home-key-lost` where the home has a log that was made with it; `key-file-unsafe`, `key-file-broken`, `file-unwritable`.
 */
export async function openHomeKey(home: string): Promise<HomeKey> {
  const text = await homeKey(home, 'audit.key', () => `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  const root = Buffer.from(text.trim(), 'base64');
  if (root.length !== KEY_BYTES)
    throw new SafekeepError('key-file-broken', {
      path: homeKeyPath(home, 'audit.key'),
      reason: `it does not hold ${KEY_BYTES} bytes in base64`,
    });
  return keyFrom(root);
}

/** Of somebody who has no key of the log: random, so that no mark that stands in it is taken for one of the home. */
export function strangerKey(): HomeKey {
  return keyFrom(randomBytes(KEY_BYTES));
}

function keyFrom(root: Buffer): HomeKey {
  // Made once: createHmac makes an object of its own of bytes at each call, which takes five times as long as the code itself, for each row.
  const keyFor = (use: string): KeyObject =>
    createSecretKey(Buffer.from(hkdfSync('sha256', root, '', `safekeep audit 1 ${use}`, KEY_BYTES)));
  const [naming, marking] = [keyFor('actor pseudonyms'), keyFor('row marks')];
  const code = (key: KeyObject, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest().subarray(0, PSEUDONYM_BYTES);
  return {
    pseudonymOf: (tenant, actor) => code(naming, `${tenant}\n${actor}`),
    markOf: (parts) => code(marking, JSON.stringify(parts)).toString('base64'),
  };
}

/** The same, for one task: few actors make a million events. */
export function remembered(pseudonymOf: PseudonymOf): PseudonymOf {
  const known = new Map<string, Buffer>();
  return (tenant, actor) => {
    const name = `${tenant}\n${actor}`;
    const pseudonym = known.get(name) ?? pseudonymOf(tenant, actor);
    known.set(name, pseudonym);
    return pseudonym;
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
