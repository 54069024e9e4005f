import { randomBytes, scrypt } from 'node:crypto';
import { join } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import { SafekeepError, Secret } from '@safekeep/core';
import { WrappingKey } from '@safekeep/crypto';
import { readPrivate } from '@safekeep/files';
import { createOnce, destroyFile, makeFolder, replaceFile } from '../files/key-store.ts';
import type { Root } from './root.ts';

// root.json in the folder of keys: a random root key, wrapped under scrypt (RFC 7914) of a passphrase, or of a secret made for this home that
// lies in root-<id>.secret beside it. root-next.json is the root that is about to take its place.

const RootFile = Type.Object(
  {
    format: Type.Literal('safekeep-root/1'),
    id: Type.String({ pattern: '^[0-9a-f]{16}$' }),
    secret: Type.Union([Type.Literal('passphrase'), Type.Literal('home')]),
    scrypt: Type.Object({
      n: Type.Integer({ minimum: 2 ** 14, maximum: 2 ** 20 }),
      r: Type.Literal(8),
      p: Type.Literal(1),
      salt: Type.String(),
    }),
    wrapped: Type.String(),
    createdAt: Type.String(),
  },
  { additionalProperties: false },
);
type RootFile = Static<typeof RootFile>;

const KEY_BYTES = 32;
/** 128 MiB and a third of a second for each guess at a passphrase (OWASP, password storage: the strongest of its settings). */
const COST_OF_PASSPHRASE = 2 ** 17;
/** A secret of 256 random bits cannot be guessed: stretching it would only make every command slow. */
const COST_OF_SECRET = 2 ** 14;

export type FileRootOptions = {
  readonly directory: string;
  /** Without one: a secret made for this home. */
  readonly passphrase: Secret | undefined;
  /** What opened the root before, while it is being replaced. */
  readonly previous: Secret | undefined;
  readonly now: Date;
  /** Told when a secret is made for this home. */
  readonly onSecretMade: (path: string) => void;
};

/**
 * Opens the root of a home; with `make` it is made on first use. One of `known` that the file still names is not opened again: to
 * stretch its passphrase takes a third of a second. Throws `key-file-broken`, `key-file-unsafe`, `key-root-wrong`, `key-root-missing`.
 */
export async function fileRoot(
  options: FileRootOptions,
  { make, next = false, known = [] }: { readonly make: boolean; readonly next?: boolean; readonly known?: readonly Root[] },
): Promise<Root> {
  const path = join(options.directory, next ? 'root-next.json' : 'root.json');
  let text = await readPrivate(path);
  if (text === undefined) {
    if (!make) throw new SafekeepError('key-root-missing', { path });
    await makeRoot(options, path);
    text = await readPrivate(path);
  }
  const file = parse(text ?? '', path);
  return known.find(({ kind, id }) => kind === 'file' && id === file.id) ?? (await rootOf(options, { path, file }));
}

/** The root that a rotation that did not end was moving to. */
export async function hasNextRoot(directory: string): Promise<boolean> {
  return (await readPrivate(join(directory, 'root-next.json'))) !== undefined;
}

/** root-next.json takes the place of root.json in one step; what opened the old one goes. */
export async function promoteNextRoot(directory: string): Promise<void> {
  const [path, nextPath] = [join(directory, 'root.json'), join(directory, 'root-next.json')];
  const [old, next] = [await readPrivate(path), await readPrivate(nextPath)];
  if (next === undefined) return;
  await replaceFile(path, next);
  await destroyFile(nextPath);
  if (old === undefined) return;
  const { id } = parse(old, path);
  if (id !== parse(next, nextPath).id) await destroyFile(secretPath(directory, id));
}

async function makeRoot({ directory, passphrase, now, onSecretMade }: FileRootOptions, path: string): Promise<void> {
  await makeFolder(directory);
  const id = randomBytes(8).toString('hex');
  const salt = randomBytes(16);
  const secret = passphrase ?? new Secret(randomBytes(KEY_BYTES).toString('base64url'));
  const n = passphrase === undefined ? COST_OF_SECRET : COST_OF_PASSPHRASE;
  // The secret first: a root file without it could never be opened.
  if (passphrase === undefined) await createOnce(secretPath(directory, id), `${secret.reveal()}\n`);
  const wrapping = await stretched(secret, { n, salt });
  const file: RootFile = {
    format: 'safekeep-root/1',
    id,
    secret: passphrase === undefined ? 'home' : 'passphrase',
    scrypt: { n, r: 8, p: 1, salt: salt.toString('base64') },
    wrapped: wrapping.wrap(randomBytes(KEY_BYTES)).toString('base64'),
    createdAt: now.toISOString(),
  };
  const made = await createOnce(path, `${JSON.stringify(file)}\n`);
  if (passphrase !== undefined) return;
  if (made) onSecretMade(secretPath(directory, id));
  else await destroyFile(secretPath(directory, id));
}

async function rootOf(options: FileRootOptions, { path, file }: { readonly path: string; readonly file: RootFile }): Promise<Root> {
  const { directory } = options;
  const key = await openRoot(options, { path, file });
  return {
    kind: 'file',
    id: file.id,
    wrap: async (plain) => key.wrap(plain),
    unwrap: async (wrapped) => key.unwrap(wrapped),
    ...(file.secret === 'passphrase' ? {} : { isUnparted: true as const }),
    describe: async () =>
      file.secret === 'passphrase'
        ? `${path}, opened by the passphrase in SAFEKEEP_ROOT_PASSPHRASE`
        : `${path}, opened by ${secretPath(directory, file.id)}: whoever copies this folder has both`,
    destroy: async () => {
      await destroyFile(path);
      await destroyFile(secretPath(directory, file.id));
      return { at: options.now };
    },
  };
}

async function openRoot(
  { directory, passphrase, previous }: FileRootOptions,
  { path, file }: { readonly path: string; readonly file: RootFile },
): Promise<WrappingKey> {
  const { n, salt } = file.scrypt;
  const beside = file.secret === 'home' ? await readPrivate(secretPath(directory, file.id)) : undefined;
  if (file.secret === 'home' && beside === undefined)
    throw new SafekeepError('key-root-missing', { path: secretPath(directory, file.id) });
  const secrets = beside === undefined ? [passphrase, previous] : [new Secret(beside.trim())];
  for (const secret of secrets) {
    if (secret === undefined) continue;
    const opened = tryUnwrap(
      await stretched(secret, { n, salt: Buffer.from(salt, 'base64') }),
      Buffer.from(file.wrapped, 'base64'),
    );
    if (opened !== undefined) return opened;
  }
  throw new SafekeepError('key-root-wrong', { root: path });
}

function tryUnwrap(wrapping: WrappingKey, wrapped: Buffer): WrappingKey | undefined {
  try {
    return new WrappingKey(wrapping.unwrap(wrapped));
  } catch (error) {
    if (error instanceof SafekeepError) return undefined;
    throw error;
  }
}

async function stretched(secret: Secret, { n, salt }: { readonly n: number; readonly salt: Buffer }): Promise<WrappingKey> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const text = secret.reveal().normalize('NFC');
  scrypt(text, salt, KEY_BYTES, { N: n, r: 8, p: 1, maxmem: 256 * n * 8 }, (error, key) =>
    error === null ? resolve(key) : reject(error),
  );
  return new WrappingKey(await promise);
}

function parse(text: string, path: string): RootFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SafekeepError('key-file-broken', { path, reason: 'it is not whole' }, { cause });
  }
  if (!Schema.Check(RootFile, value)) throw new SafekeepError('key-file-broken', { path, reason: 'it has not the form of a root' });
  return value;
}

function secretPath(directory: string, id: string): string {
  return join(directory, `root-${id}.secret`);
}
