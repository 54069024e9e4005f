import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { codeOf } from '@safekeep/postgres';
import { ownerName, type SubjectKey, type SubjectKeys } from '../model.ts';
import { destroyKeys, insertKeys, readKeysByIds, readKeysOf, type StoredKey } from '../store/subject-keys.ts';

const OTHERS = 0o077;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ID_BYTES = 12;
const PSEUDONYM_BYTES = 16;
const POOL_BYTES = 4096;

export type AuditKeys = {
  readonly subjectKeys: SubjectKeys;
  /** The same name in the same tenant gives the same 16 bytes; nobody without the home's key can tell which name. */
  readonly pseudonymOf: (tenant: string, actor: string) => Buffer;
};

/**
 * The key file of a home, from which keys of people and pseudonyms of actors come; made on first use. Each person's key is random and
 * stands in the database sealed under this one: who has only the database or only the file opens nothing.
 *
 * @throws `key-file-unsafe`, `key-file-broken`, `file-unwritable`.
 */
export async function openAuditKeys(home: string): Promise<AuditKeys> {
  const path = join(home, 'keys', 'audit.key');
  await createOnce(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  const { mode } = await stat(path);
  if ((mode & OTHERS) !== 0) throw new SafekeepError('key-file-unsafe', { path, mode: (mode & 0o777).toString(8) });
  const root = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
  if (root.length !== KEY_BYTES)
    throw new SafekeepError('key-file-broken', { path, reason: `it does not hold ${KEY_BYTES} bytes in base64` });
  const wrapping = derived(root, 'subject keys');
  const naming = derived(root, 'actor pseudonyms');
  return {
    subjectKeys: subjectKeys(wrapping, path),
    pseudonymOf: (tenant, actor) =>
      createHmac('sha256', naming).update(`${tenant}\n${actor}`).digest().subarray(0, PSEUDONYM_BYTES),
  };
}

function derived(root: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', root, '', `safekeep audit 1 ${purpose}`, KEY_BYTES));
}

function subjectKeys(wrapping: Buffer, path: string): SubjectKeys {
  const opened = ({ keyId, wrapped }: StoredKey): SubjectKey | 'erased' => {
    if (wrapped === null) return 'erased';
    try {
      return keyOf(keyId, unseal(wrapping, wrapped, wrapContext(keyId)));
    } catch (cause) {
      throw new SafekeepError(
        'key-file-broken',
        { path, reason: 'it is not the one that the keys of this database are sealed under' },
        { cause },
      );
    }
  };
  return {
    forSealing: async (db, owners) => {
      const wanted = [...new Map(owners.map((owner) => [ownerName(owner), owner])).values()];
      const known = await readKeysOf(db, wanted);
      const missing = wanted.filter((owner) => !known.has(ownerName(owner)));
      if (missing.length > 0) {
        await insertKeys(
          db,
          missing.map((owner) => {
            const keyId = randomBytes(ID_BYTES).toString('base64url');
            return { ...owner, keyId, wrapped: seal(wrapping, randomBytes(KEY_BYTES), wrapContext(keyId)) };
          }),
        );
        // Read again: of two that make a key at once one wins, and both use the winner's.
        for (const [owner, key] of await readKeysOf(db, missing)) known.set(owner, key);
      }
      return new Map([...known].map(([owner, key]) => [owner, opened(key)]));
    },
    forOpening: async (db, keyIds) => new Map((await readKeysByIds(db, keyIds)).map((key) => [key.keyId, opened(key)])),
    destroy: destroyKeys,
  };
}

function keyOf(keyId: string, key: Buffer): SubjectKey {
  return {
    keyId,
    seal: (plain, context) => seal(key, plain, context),
    open: (sealed, context) => unseal(key, sealed, context),
  };
}

function wrapContext(keyId: string): Buffer {
  return Buffer.from(`safekeep audit key 1\n${keyId}`, 'utf8');
}

let pool = Buffer.alloc(0);

/** Random bytes are fetched in pages: a call for each nonce would take as long as the sealing. */
export function freshBytes(count: number): Buffer {
  if (pool.length < count) pool = randomBytes(Math.max(POOL_BYTES, count));
  const taken = pool.subarray(0, count);
  pool = pool.subarray(count);
  return taken;
}

function seal(key: Buffer, plain: Uint8Array, context: Uint8Array): Buffer {
  const nonce = freshBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(context);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function unseal(key: Buffer, sealed: Uint8Array, context: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(context);
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)), decipher.final()]);
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
