import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import { codeOf, SafekeepError } from '@safekeep/core';
import { readPrivate } from '@safekeep/files';
import { createOnce, destroyFile, makeFolder, replaceFile } from './key-store.ts';

// <keys>/kek/<tenant>/epoch-000001.kek holds the key of an epoch, wrapped by the root; epoch-000001.destroyed says that it is, or
// is about to be, no more. The second one is written first: who finds both finishes the destruction.

const Kek = Type.Object(
  {
    format: Type.Literal('safekeep-kek/1'),
    tenant: Type.String(),
    epoch: Type.Integer({ minimum: 1 }),
    root: Type.Object({ kind: Type.String(), id: Type.String() }),
    /** base64 */
    wrapped: Type.String({ minLength: 1 }),
    /** Of the key itself, 16 hex digits. */
    check: Type.String({ pattern: '^[0-9a-f]{16}$' }),
    createdAt: Type.String(),
  },
  { additionalProperties: false },
);
export type Kek = Static<typeof Kek>;

const Destroyed = Type.Object(
  { format: Type.Literal('safekeep-kek-destroyed/1'), tenant: Type.String(), epoch: Type.Integer(), at: Type.String() },
  { additionalProperties: false },
);

const NAME = /^epoch-(\d{6})\.(kek|destroyed)$/;
const TENANT = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export type EpochFile = { readonly epoch: number; readonly destroyedAt: Date | null };

/** Tells keys apart and tells nothing of the key: half of a SHA-256 of 256 random bits. */
export function kekCheck(key: Uint8Array): string {
  return createHash('sha256').update('safekeep/1 kek check').update(key).digest('hex').slice(0, 16);
}

/** Tenants that have keys here. */
export async function tenantsOf(directory: string): Promise<readonly string[]> {
  return (await namesIn(join(directory, 'kek'))).filter((name) => TENANT.test(name)).toSorted();
}

/** The epochs of a tenant by number. What is destroyed is, also where a crash left its key file: that is removed now. */
export async function epochsOf(directory: string, tenant: string): Promise<readonly EpochFile[]> {
  const folder = folderOf(directory, tenant);
  const found = new Map<number, { kek: boolean; destroyed: boolean }>();
  for (const name of await namesIn(folder)) {
    const [, number, kind] = NAME.exec(name) ?? [];
    if (number === undefined) continue;
    const known = found.get(Number(number)) ?? { kek: false, destroyed: false };
    found.set(Number(number), { ...known, [kind === 'kek' ? 'kek' : 'destroyed']: true });
  }
  const files: EpochFile[] = [];
  for (const [epoch, { kek, destroyed }] of [...found].toSorted(([a], [b]) => a - b)) {
    if (destroyed) await destroyHalves(directory, tenant, epoch);
    if (destroyed && kek) await destroyFile(pathOf(directory, tenant, epoch));
    files.push({ epoch, destroyedAt: destroyed ? await destroyedAt(directory, tenant, epoch) : null });
  }
  return files;
}

/** Undefined where there is none. Throws `key-file-broken`, `key-file-unsafe`. */
export async function readKek(directory: string, tenant: string, epoch: number): Promise<Kek | undefined> {
  const path = pathOf(directory, tenant, epoch);
  const text = await readPrivate(path);
  if (text === undefined) return undefined;
  const kek = parse(Kek, text, path);
  if (kek.tenant !== tenant || kek.epoch !== epoch)
    throw new SafekeepError('key-file-broken', { path, reason: 'it belongs to another tenant or epoch' });
  return kek;
}

/** False where the epoch has one already: it is kept. */
export async function createKek(directory: string, kek: Kek): Promise<boolean> {
  await makeFolder(folderOf(directory, kek.tenant));
  return await createOnce(pathOf(directory, kek.tenant, kek.epoch), `${JSON.stringify(kek)}\n`);
}

/** The same key under another root. */
export async function replaceKek(directory: string, kek: Kek): Promise<void> {
  await replaceFile(pathOf(directory, kek.tenant, kek.epoch), `${JSON.stringify(kek)}\n`);
}

export async function destroyKek(
  directory: string,
  tenant: string,
  { epoch, at }: { readonly epoch: number; readonly at: Date },
): Promise<Date> {
  await noteDestroyed(directory, tenant, { epoch, at });
  await destroyHalves(directory, tenant, epoch);
  await destroyFile(pathOf(directory, tenant, epoch));
  return (await destroyedAt(directory, tenant, epoch)) ?? at;
}

/** What somebody was killed while writing: the same key, under the root that was to come. */
async function destroyHalves(directory: string, tenant: string, epoch: number): Promise<void> {
  const folder = folderOf(directory, tenant);
  const begin = `${basename(pathOf(directory, tenant, epoch))}.`;
  for (const name of await namesIn(folder))
    if (name.startsWith(begin) && name.endsWith('.half')) await destroyFile(join(folder, name));
}

/** From now on no key of this epoch is put back from a backup. */
export async function noteDestroyed(
  directory: string,
  tenant: string,
  { epoch, at }: { readonly epoch: number; readonly at: Date },
): Promise<void> {
  await makeFolder(folderOf(directory, tenant));
  const note = { format: 'safekeep-kek-destroyed/1', tenant, epoch, at: at.toISOString() };
  await createOnce(pathOf(directory, tenant, epoch, 'destroyed'), `${JSON.stringify(note)}\n`);
}

async function destroyedAt(directory: string, tenant: string, epoch: number): Promise<Date | null> {
  const path = pathOf(directory, tenant, epoch, 'destroyed');
  const text = await readPrivate(path);
  return text === undefined ? null : new Date(parse(Destroyed, text, path).at);
}

function parse<Form extends typeof Kek | typeof Destroyed>(schema: Form, text: string, path: string): Static<Form> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SafekeepError('key-file-broken', { path, reason: 'it is not whole' }, { cause });
  }
  if (!Schema.Check(schema, value))
    throw new SafekeepError('key-file-broken', { path, reason: 'it has not the form of such a file' });
  return value;
}

function folderOf(directory: string, tenant: string): string {
  return join(directory, 'kek', tenant);
}

function pathOf(directory: string, tenant: string, epoch: number, kind: 'kek' | 'destroyed' = 'kek'): string {
  return join(folderOf(directory, tenant), `epoch-${String(epoch).padStart(6, '0')}.${kind}`);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT') return [];
    throw new SafekeepError('file-unreadable', { path: folder, reason: code ?? 'unknown reason' }, { cause });
  }
}
