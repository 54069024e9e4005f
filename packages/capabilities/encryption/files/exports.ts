import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { SafekeepError } from '@safekeep/core';
import { codeOf } from '@safekeep/postgres';
import type { RestoredKey } from '../store/keys.ts';
import { makeFolder, syncFolder, writing } from './durable.ts';

// <keys>/exports/<tenant>/keys-<epoch>-<time>.ndjson: the key table of a tenant under the key of one epoch. Wrapped keys only: it
// opens nothing without the key files, and after a restore it says which keys live. The last line counts and hashes the others.

const Hex = (bytes: number) => Type.String({ pattern: `^[0-9a-f]{${2 * bytes}}$` });
const Line = Type.Object(
  {
    id: Hex(8),
    purpose: Type.Union([Type.Literal('subject'), Type.Literal('data'), Type.Literal('index')]),
    scope: Type.Union([Type.String(), Type.Null()]),
    mark: Type.Union([Hex(16), Type.Null()]),
    fate: Type.Union([Type.Literal('erasable'), Type.Literal('kept'), Type.Null()]),
    algorithm: Type.Union([Type.Literal('AES-256-GCM'), Type.Literal('HMAC-SHA-256')]),
    version: Type.Integer(),
    state: Type.Union([
      Type.Literal('pre-active'),
      Type.Literal('active'),
      Type.Literal('decrypt-only'),
      Type.Literal('held'),
      Type.Literal('shredded'),
    ]),
    epoch: Type.Integer(),
    wrapped: Type.Union([Hex(48), Type.Null()]),
    createdAt: Type.String(),
    expiresAt: Type.Union([Type.String(), Type.Null()]),
    destroyedAt: Type.Union([Type.String(), Type.Null()]),
  },
  { additionalProperties: false },
);
type Line = Static<typeof Line>;
const Head = Type.Object(
  { format: Type.Literal('safekeep-keys/1'), tenant: Type.String(), epoch: Type.Integer(), check: Hex(8), at: Type.String() },
  { additionalProperties: false },
);
export type ExportHead = Static<typeof Head>;
const Tail = Type.Object({ keys: Type.Integer(), sha256: Hex(32) }, { additionalProperties: false });

// Compiled: an export has a line for each key, and millions of them are read back.
const checks = new Map<unknown, { readonly Check: (value: unknown) => boolean }>([
  [Head, Compile(Head)],
  [Line, Compile(Line)],
  [Tail, Compile(Tail)],
]);

const NAME = /^keys-\d{6}-\d{8}T\d{9}Z\.ndjson$/;
const LINE_BYTES_AT_MOST = 4_096;
/** Older ones hold keys under epochs that are no more. */
const KEPT = 3;

export type ExportWriter = {
  readonly path: string;
  readonly write: (keys: readonly RestoredKey[]) => Promise<void>;
  /** Closes it, on disk. Until then it does not exist under its name. */
  readonly finish: () => Promise<void>;
  readonly abandon: () => Promise<void>;
};

export async function beginExport(directory: string, head: ExportHead): Promise<ExportWriter> {
  const folder = folderOf(directory, head.tenant);
  await makeFolder(folder);
  const path = join(folder, `keys-${String(head.epoch).padStart(6, '0')}-${head.at.replaceAll(/[-:.]/g, '')}.ndjson`);
  const half = `${path}.half`;
  return await writing(path, async () => {
    const file = await open(half, 'w', 0o600);
    const hash = createHash('sha256');
    await append(file, hash, `${JSON.stringify(head)}\n`);
    let keys = 0;
    return {
      path,
      write: async (rows) => {
        keys += rows.length;
        await writing(path, () => append(file, hash, rows.map((row) => `${JSON.stringify(lineOf(row))}\n`).join('')));
      },
      finish: () =>
        writing(path, async () => {
          await file.appendFile(`${JSON.stringify({ keys, sha256: hash.digest('hex') })}\n`);
          await file.sync();
          await file.close();
          await rename(half, path);
          await syncFolder(dirname(path));
        }),
      abandon: async () => {
        await file.close();
        await rm(half, { force: true });
      },
    };
  });
}

/** The newest export of a tenant; undefined where there is none. */
export async function newestExport(directory: string, tenant: string): Promise<string | undefined> {
  const folder = folderOf(directory, tenant);
  const newest = (await namesIn(folder)).at(-1);
  return newest === undefined ? undefined : join(folder, newest);
}

/** Removes all but the newest ones. */
export async function pruneExports(directory: string, tenant: string): Promise<void> {
  const folder = folderOf(directory, tenant);
  for (const name of (await namesIn(folder)).slice(0, -KEPT)) await writing(folder, () => rm(join(folder, name), { force: true }));
}

export async function readHead(path: string): Promise<ExportHead> {
  for await (const line of linesOf(path)) return parsed(Head, line, path);
  throw broken(path, 'it is empty');
}

/** All keys in batches; only when everything was read is it known to be whole, so look at it before acting upon it. Throws `key-export-broken`. */
export async function* readExport(path: string, batch: number): AsyncGenerator<readonly RestoredKey[]> {
  const hash = createHash('sha256');
  let keys: RestoredKey[] = [];
  let count = 0;
  let head: ExportHead | undefined;
  let tail: Static<typeof Tail> | undefined;
  for await (const line of linesOf(path)) {
    if (tail !== undefined) throw broken(path, 'it goes on after its end');
    if (line.startsWith('{"keys":')) {
      tail = parsed(Tail, line, path);
      continue;
    }
    hash.update(`${line}\n`);
    if (head === undefined) head = parsed(Head, line, path);
    else {
      keys.push(rowOf(parsed(Line, line, path)));
      count += 1;
    }
    if (keys.length < batch) continue;
    yield keys;
    keys = [];
  }
  if (tail === undefined) throw broken(path, 'its end is missing');
  if (tail.keys !== count || tail.sha256 !== hash.digest('hex')) throw broken(path, 'it was changed');
  if (keys.length > 0) yield keys;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new SafekeepError('file-unreadable', { path, reason: codeOf(cause) ?? 'unknown reason' }, { cause });
  });
  if (!facts.isFile()) throw broken(path, 'it is no file');
  const input = createReadStream(path);
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      if (line.length > LINE_BYTES_AT_MOST) throw broken(path, 'a line is too long');
      yield line;
    }
  } finally {
    input.destroy();
  }
}

async function append(file: FileHandle, hash: Hash, text: string): Promise<void> {
  hash.update(text);
  await file.appendFile(text);
}

function lineOf(row: RestoredKey): Line {
  return {
    id: row.key_id.toString('hex'),
    purpose: row.key_purpose,
    scope: row.scope,
    mark: row.owner_mark?.toString('hex') ?? null,
    fate: row.fate,
    algorithm: row.algorithm,
    version: row.version,
    state: row.state,
    epoch: row.epoch,
    wrapped: row.wrapped?.toString('hex') ?? null,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    destroyedAt: row.destroyed_at?.toISOString() ?? null,
  };
}

function rowOf(line: Line): RestoredKey {
  const bytes = (hex: string | null): Buffer | null => (hex === null ? null : Buffer.from(hex, 'hex'));
  const day = (text: string | null): Date | null => (text === null ? null : new Date(text));
  return {
    key_id: Buffer.from(line.id, 'hex'),
    key_purpose: line.purpose,
    scope: line.scope,
    owner_mark: bytes(line.mark),
    fate: line.fate,
    algorithm: line.algorithm,
    version: line.version,
    state: line.state,
    epoch: line.epoch,
    wrapped: bytes(line.wrapped),
    created_at: new Date(line.createdAt),
    expires_at: day(line.expiresAt),
    destroyed_at: day(line.destroyedAt),
  };
}

function parsed<Schema extends typeof Head | typeof Line | typeof Tail>(
  schema: Schema,
  text: string,
  path: string,
): Static<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw broken(path, 'a line is not whole', cause);
  }
  if (checks.get(schema)?.Check(value) !== true) throw broken(path, 'a line has not the form of an export');
  // Checked on the line above against the schema of which this is the type.
  return value as Static<Schema>;
}

function broken(path: string, reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('key-export-broken', { path, reason }, { cause });
}

function folderOf(directory: string, tenant: string): string {
  return join(directory, 'exports', tenant);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => NAME.test(name)).toSorted();
}
