import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join, basename } from 'node:path';
import { combine, split } from 'shamir-secret-sharing';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import { codeOf, newId, SafekeepError, type Clock, type Secret } from '@safekeep/core';
import { HOME_KEYS, readHomeKey } from '@safekeep/files';
import { BackupNote, noteBackup, readBackups } from '../files/backups.ts';
import { writing } from '../files/key-store.ts';
import { epochsOf, readKek, tenantsOf } from '../files/epochs.ts';
import { newestExport } from '../files/exports.ts';
import { withStoreLock } from '../files/lock.ts';
import type { KeyBackup } from '../model.ts';
import type { Roots } from '../roots/open.ts';
import { openKek } from './epoch-keys.ts';

// Everything that stands outside of the database and that a restored database needs: the keys of living epochs (open, for the root
// may be lost too), the newest export of each key table, and every key file of the home.

const Payload = Type.Object(
  {
    format: Type.Literal('safekeep-key-backup/1'),
    id: Type.String(),
    at: Type.String(),
    epochs: Type.Array(
      Type.Object({
        tenant: Type.String(),
        epoch: Type.Integer({ minimum: 1 }),
        key: Type.String(),
        check: Type.String(),
        createdAt: Type.String(),
      }),
    ),
    files: Type.Array(Type.Object({ name: Type.Enum(HOME_KEYS), content: Type.String() })),
    /** This backup and those before it: their copies of keys count for the horizon after a recovery too. */
    backups: Type.Optional(Type.Array(BackupNote)),
    exports: Type.Array(
      Type.Object({
        tenant: Type.String(),
        name: Type.String({ pattern: '^keys-[0-9TZ-]{1,40}\\.txt$' }),
        content: Type.String(),
      }),
    ),
  },
  { additionalProperties: false },
);
export type BackupPayload = Static<typeof Payload>;

const Share = Type.Object(
  {
    format: Type.Literal('safekeep-key-share/1'),
    id: Type.String(),
    share: Type.Integer({ minimum: 1 }),
    of: Type.Integer(),
    threshold: Type.Integer({ minimum: 2 }),
    secret: Type.String(),
    iv: Type.String(),
    tag: Type.String(),
    payload: Type.String(),
  },
  { additionalProperties: false },
);

const SHARES_AT_MOST = 16;
const EXPORT_BYTES_AT_MOST = 64 * 2 ** 20;
const CIPHER = 'aes-256-gcm';

export type BackupGround = {
  readonly directory: string;
  readonly home: string;
  readonly roots: Roots;
  readonly clock: Clock;
  /** A larger export is named instead of taken in: one text holds half a gigabyte at most, some two million keys. */
  readonly exportBytesAtMost?: number;
};

export type BackupWay =
  | { readonly kind: 'age'; readonly recipients: readonly string[] }
  | { readonly kind: 'shares'; readonly shares: number; readonly threshold: number };

/** Writes a backup of all keys of this home into a folder: one file for recipients of age, or one for each share. */
export async function backupKeys(
  ground: BackupGround,
  { way, out, keepUntil }: { readonly way: BackupWay; readonly out: string; readonly keepUntil: Date | null },
): Promise<KeyBackup> {
  if (way.kind === 'shares' && (way.threshold < 2 || way.threshold > way.shares || way.shares > SHARES_AT_MOST))
    throw unfit(`of ${way.shares} shares ${way.threshold} cannot be enough: 2 to ${SHARES_AT_MOST}, and no more than there are`);
  return await withStoreLock(ground.directory, async () => {
    const { note, payload, beside } = await gather(ground, keepUntil);
    if (payload.epochs.length === 0) throw unfit('there is no key to back up');
    const texts = way.kind === 'age' ? [await forRecipients(payload, way.recipients)] : await inShares(payload, way);
    await makeOutside(out);
    // Before the first file of it lies anywhere: a backup that nobody knows of would open what is said to be gone.
    await noteBackup(ground.directory, note);
    const files: string[] = [];
    for (const [number, text] of texts.entries()) {
      const path = join(
        out,
        way.kind === 'age' ? `safekeep-keys-${payload.id}.age` : `safekeep-keys-${payload.id}.share-${number + 1}.json`,
      );
      await writeOutside(path, text);
      files.push(path);
    }
    return { id: note.id, files, beside: [...beside], epochs: note.epochs, keepUntil: note.keepUntil };
  });
}

/** Opens a backup. Throws `key-backup-unfit`, `file-unreadable`. */
export async function openBackup(paths: readonly string[], identity: Secret | undefined): Promise<BackupPayload> {
  const texts = await Promise.all(paths.map(readBackup));
  const [first = ''] = texts;
  return first.startsWith('-----BEGIN AGE') ? await fromAge(first, identity) : await fromShares(texts);
}

async function gather(
  { directory, home, roots, clock, exportBytesAtMost = EXPORT_BYTES_AT_MOST }: BackupGround,
  keepUntil: Date | null,
): Promise<{ readonly note: BackupNote; readonly payload: BackupPayload; readonly beside: readonly string[] }> {
  const epochs: BackupPayload['epochs'] = [];
  const exports: BackupPayload['exports'] = [];
  const beside: string[] = [];
  for (const tenant of await tenantsOf(directory)) {
    for (const { epoch, destroyedAt } of await epochsOf(directory, tenant)) {
      const kek = destroyedAt === null ? await readKek(directory, tenant, epoch) : undefined;
      if (kek === undefined) continue;
      const key = await openKek(roots, kek);
      epochs.push({ tenant, epoch, key: key.toString('base64'), check: kek.check, createdAt: kek.createdAt });
      key.fill(0);
    }
    const path = await newestExport(directory, tenant);
    if (path === undefined) continue;
    if ((await stat(path)).size > exportBytesAtMost) beside.push(path);
    else exports.push({ tenant, name: basename(path), content: await readFile(path, 'utf8') });
  }
  const files: BackupPayload['files'] = [];
  for (const name of HOME_KEYS) {
    const content = await readHomeKey(home, name);
    if (content !== undefined) files.push({ name, content });
  }
  const [id, at] = [newId<'key-backup'>(), clock.now().toISOString()];
  const held: Record<string, number[]> = {};
  for (const { tenant, epoch } of epochs) (held[tenant] ??= []).push(epoch);
  const note = { id, at, epochs: held, keepUntil: keepUntil?.toISOString() ?? null };
  const backups = [...(await readBackups(directory)), note];
  return { note, beside, payload: { format: 'safekeep-key-backup/1', id, at, epochs, files, exports, backups } };
}

/** A folder of somebody else's keeps its rights, whoever may enter it. */
async function makeOutside(path: string): Promise<void> {
  await writing(path, () => mkdir(path, { recursive: true, mode: 0o700 }));
}

/** On disk, and nothing replaced. Not by way of a link: sticks and shares of other systems know none. */
async function writeOutside(path: string, text: string): Promise<void> {
  await writing(path, async () => {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  });
}

async function forRecipients(payload: BackupPayload, recipients: readonly string[]): Promise<string> {
  const { armor, Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      // What begins otherwise may be the secret, given by mistake.
      const shown = /^age1[0-9a-z]+$/.test(recipient) ? recipient.slice(0, 70) : 'what was given';
      throw unfit(`${shown} is no recipient of age`, cause);
    }
  }
  return armor.encode(await encrypter.encrypt(JSON.stringify(payload)));
}

async function inShares(
  payload: BackupPayload,
  { shares, threshold }: { readonly shares: number; readonly threshold: number },
): Promise<readonly string[]> {
  const [key, iv] = [randomBytes(32), randomBytes(12)];
  const cipher = createCipheriv(CIPHER, key, iv);
  cipher.setAAD(Buffer.from(payload.id));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(payload), 'utf8'), cipher.final()]);
  const tag = cipher.getAuthTag().toString('base64');
  const parts = await split(new Uint8Array(key), shares, threshold);
  key.fill(0);
  const common = {
    format: 'safekeep-key-share/1',
    id: payload.id,
    of: shares,
    threshold,
    iv: iv.toString('base64'),
    tag,
    payload: sealed.toString('base64'),
  };
  return parts.map(
    (part, number) => `${JSON.stringify({ ...common, share: number + 1, secret: Buffer.from(part).toString('base64') })}\n`,
  );
}

async function fromAge(text: string, identity: Secret | undefined): Promise<BackupPayload> {
  if (identity === undefined) throw unfit('it is for a recipient of age, and no identity was given');
  const { armor, Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  try {
    for (const line of identity.reveal().split('\n')) if (line.startsWith('AGE-SECRET-KEY-')) decrypter.addIdentity(line.trim());
    return parsePayload(await decrypter.decrypt(armor.decode(text), 'text'));
  } catch (cause) {
    if (cause instanceof SafekeepError) throw cause;
    throw unfit('it is not for this identity, or it was changed', cause);
  }
}

async function fromShares(texts: readonly string[]): Promise<BackupPayload> {
  const shares = new Map(texts.map(parseShare).map((share) => [share.share, share]));
  const [first] = shares.values();
  if (first === undefined) throw unfit('no file was given');
  if ([...shares.values()].some(({ id, payload }) => id !== first.id || payload !== first.payload))
    throw unfit('the shares are of different backups');
  if (shares.size < first.threshold) throw unfit(`${first.threshold} shares are needed, and ${shares.size} were given`);
  const key = await combine([...shares.values()].map(({ secret }) => new Uint8Array(Buffer.from(secret, 'base64'))));
  try {
    const decipher = createDecipheriv(CIPHER, key, Buffer.from(first.iv, 'base64'));
    decipher.setAAD(Buffer.from(first.id));
    decipher.setAuthTag(Buffer.from(first.tag, 'base64'));
    return parsePayload(Buffer.concat([decipher.update(Buffer.from(first.payload, 'base64')), decipher.final()]).toString('utf8'));
  } catch (cause) {
    if (cause instanceof SafekeepError) throw cause;
    throw unfit('a share was changed', cause);
  }
}

function parseShare(text: string): Static<typeof Share> {
  const value = parsed(text);
  if (!Schema.Check(Share, value)) throw unfit('a file is neither a share nor a file of age');
  return value;
}

function parsePayload(text: string): BackupPayload {
  const value = parsed(text);
  if (!Schema.Check(Payload, value)) throw unfit('its content has not the form of a backup of keys');
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message may quote what it read.
    throw unfit('a file is not whole');
  }
}

async function readBackup(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new SafekeepError('file-unreadable', { path, reason: codeOf(cause) ?? 'unknown reason' }, { cause });
  }
}

function unfit(reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('key-backup-unfit', { reason }, { cause });
}
