import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import { codeOf, SafekeepError } from '@safekeep/core';
import { syncFolder } from '@safekeep/files';
import { parseKeyLine, type ExportedKey } from '../rules/key-line.ts';
import { makeFolder, writing } from './key-store.ts';

// <keys>/exports/<tenant>/keys-<epoch>-<time>.txt: the key table of a tenant under the key of one epoch. Wrapped keys only: it opens
// nothing without the key files, and after a restore it says which keys live. The first line is about the whole and the last one
// counts and hashes the others, both in JSON; each line in between is a key, its parts by tabs (rules/key-line.ts).

const Hex = (bytes: number) => Type.String({ pattern: `^[0-9a-f]{${2 * bytes}}$` });
const Head = Type.Object(
  { format: Type.Literal('safekeep-keys/1'), tenant: Type.String(), epoch: Type.Integer(), check: Hex(8), at: Type.String() },
  { additionalProperties: false },
);
export type ExportHead = Static<typeof Head>;
const Tail = Type.Object({ keys: Type.Integer(), sha256: Hex(32) }, { additionalProperties: false });

const NAME = /^keys-\d{6}-\d{8}T\d{9}Z\.txt$/;
const LINE_CHARS_AT_MOST = 4_096;
/** Read at once. */
const PIECE_BYTES = 2 ** 20;
/** Older ones hold keys under epochs that are no more. */
const KEPT = 3;

export type ExportWriter = {
  readonly path: string;
  /** Lines of `safekeep.open_keys`. */
  readonly write: (keys: readonly string[]) => Promise<void>;
  /** Closes it, on disk. Until then it does not exist under its name. */
  readonly finish: () => Promise<void>;
  readonly abandon: () => Promise<void>;
};

export async function beginExport(directory: string, head: ExportHead): Promise<ExportWriter> {
  const folder = folderOf(directory, head.tenant);
  await makeFolder(folder);
  const path = join(folder, `keys-${String(head.epoch).padStart(6, '0')}-${head.at.replaceAll(/[-:.]/g, '')}.txt`);
  const half = `${path}.half`;
  return await writing(path, async () => {
    const file = await open(half, 'w', 0o600);
    const hash = createHash('sha256');
    await append(file, hash, `${JSON.stringify(head)}\n`);
    let keys = 0;
    return {
      path,
      write: async (lines) => {
        keys += lines.length;
        await writing(path, () => append(file, hash, `${lines.join('\n')}\n`));
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
  for await (const [line = ''] of linesOf(path)) return parsed(Head, line, path);
  throw broken(path, 'it is empty');
}

/** All keys in batches; only when everything was read is it known to be whole, so look at it before acting upon it. Throws `key-export-broken`. */
export async function* readExport(path: string, batch: number): AsyncGenerator<readonly ExportedKey[]> {
  const hash = createHash('sha256');
  let keys: ExportedKey[] = [];
  let count = 0;
  let head: ExportHead | undefined;
  let tail: Static<typeof Tail> | undefined;
  for await (const lines of linesOf(path)) {
    for (const line of lines) {
      if (tail !== undefined) throw broken(path, 'it goes on after its end');
      if (head === undefined) head = parsed(Head, line, path);
      else if (line.startsWith('{')) tail = parsed(Tail, line, path);
      else keys.push(parseKeyLine(line) ?? refuseLine(path));
    }
    hash.update(hashed(lines, tail !== undefined));
    if (keys.length < batch) continue;
    count += keys.length;
    yield keys;
    keys = [];
  }
  count += keys.length;
  if (tail === undefined) throw broken(path, 'its end is missing');
  if (tail.keys !== count || tail.sha256 !== hash.digest('hex')) throw broken(path, 'it was changed');
  if (keys.length > 0) yield keys;
}

/** All lines but the last one of the file, which holds the hash. */
function hashed(lines: readonly string[], isEnd: boolean): string {
  const covered = isEnd ? lines.slice(0, -1) : lines;
  return covered.length === 0 ? '' : `${covered.join('\n')}\n`;
}

/** The lines of a file, piece by piece. What is not UTF-8 becomes something that no line has. */
async function* linesOf(path: string): AsyncGenerator<readonly string[]> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new SafekeepError('file-unreadable', { path, reason: codeOf(cause) ?? 'unknown reason' }, { cause });
  });
  if (!facts.isFile()) throw broken(path, 'it is no file');
  const input = createReadStream(path, { highWaterMark: PIECE_BYTES, encoding: 'utf8' });
  let rest = '';
  try {
    for await (const piece of input) {
      const lines = `${rest}${String(piece)}`.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_CHARS_AT_MOST) throw broken(path, 'a line is too long');
      if (lines.length > 0) yield lines;
    }
  } finally {
    input.destroy();
  }
  if (rest !== '') yield [rest];
}

async function append(file: FileHandle, hash: Hash, text: string): Promise<void> {
  hash.update(text);
  await file.appendFile(text);
}

function refuseLine(path: string): never {
  throw broken(path, 'a line has not the form of an export');
}

function parsed<Form extends typeof Head | typeof Tail>(schema: Form, text: string, path: string): Static<Form> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw broken(path, 'a line is not whole', cause);
  }
  if (!Schema.Check(schema, value)) throw broken(path, 'a line has not the form of an export');
  return value;
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
