import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { decodeEntryBundle, parseTilePath, peekCheckpoint, TlogError, type TileReader } from '@safekeep/tlog';
import { logName, tenantName, unwritable, type LogName } from '../files/last-checkpoint.ts';

/** Beyond a full bundle of the longest entries. */
const FILE_BYTES_AT_MOST = 256 * (65_535 + 2);
const CHECKPOINT = 'checkpoint';
/** C2SP tlog-tiles has pruning but no place where a log tells its minimum index; we tell it beside the checkpoint. */
const MINIMUM_INDEX = 'minimum-index';
/** Entries from the minimum index to the end of its bundle, as a bundle has them: the whole bundle cannot be handed out any more. */
const FIRST_ENTRIES = 'first-entries';

/** Reads tiles and bundles below a folder. Anything but their paths is refused, so no path leads out of it. */
export function directoryReader(directory: string): TileReader {
  return async (path) => {
    if (parseTilePath(path) === undefined) throw new RangeError(`Not the path of a tile: ${path}`);
    return await readWithin(join(directory, path));
  };
}

/** The signed note of an exported log. Throws `log-files-unfit`. */
export async function readCheckpoint(directory: string): Promise<string> {
  const bytes = await readWithin(join(directory, CHECKPOINT));
  if (bytes === undefined) throw new SafekeepError('log-files-unfit', { directory, reason: 'it has no file named checkpoint' });
  return Buffer.from(bytes).toString('utf8');
}

/** 0 where the export has all events. Throws `log-files-unfit`. */
export async function readMinimumIndex(directory: string): Promise<number> {
  const bytes = await readWithin(join(directory, MINIMUM_INDEX));
  if (bytes === undefined) return 0;
  const [, text] = /^(0|[1-9]\d{0,15})\n?$/.exec(Buffer.from(bytes).toString('latin1')) ?? [];
  if (text === undefined) throw new SafekeepError('log-files-unfit', { directory, reason: 'its minimum-index is no number' });
  return Number(text);
}

/** Of a bundle whose beginning was dropped by policy what is left of it; undefined where it is not there, or no bundle. */
export async function readFirstEntries(directory: string): Promise<readonly Uint8Array[] | undefined> {
  const bytes = await readWithin(join(directory, FIRST_ENTRIES));
  try {
    return bytes && decodeEntryBundle(bytes);
  } catch (error) {
    if (error instanceof TlogError) return undefined;
    throw error;
  }
}

export async function writeFirstEntries(directory: string, bundle: Uint8Array | undefined): Promise<void> {
  if (bundle === undefined) await rm(join(directory, FIRST_ENTRIES), { force: true });
  else await writeLogFile(directory, FIRST_ENTRIES, bundle);
}

/** A proof, a checkpoint, or whatever else of that size a person names. Throws `file-unreadable`. */
export async function readNoteFile(path: string): Promise<string> {
  try {
    return Buffer.from((await readWithin(path)) ?? missing(path)).toString('utf8');
  } catch (error) {
    if (error instanceof SafekeepError) throw error;
    throw new SafekeepError('file-unreadable', { path, reason: codeOf(error) ?? 'unknown' }, { cause: error });
  }
}

/** Undefined where there is no such file. */
export async function readOptional(path: string): Promise<string | undefined> {
  const bytes = await readWithin(path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

function missing(path: string): never {
  throw new SafekeepError('file-unreadable', { path, reason: 'ENOENT' });
}

/** Takes a folder for an export: a new one, an empty one, or one with an older export of the same log. */
export async function takeDirectory(directory: string, origin: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const names = await readdir(directory);
  if (names.length > 0 && !names.includes(CHECKPOINT))
    throw new SafekeepError('log-files-unfit', { directory, reason: 'it holds other files' });
  if (names.length === 0) return;
  const other = originOf(await readCheckpoint(directory));
  if (other !== origin)
    throw new SafekeepError('log-files-unfit', { directory, reason: `it holds another log, ${other ?? 'which cannot be read'}` });
}

function originOf(note: string): string | undefined {
  try {
    return peekCheckpoint(note).origin;
  } catch (error) {
    if (error instanceof TlogError) return undefined;
    throw error;
  }
}

/**
 * Writes what stands at a path of the log, and only then lets it be seen there: a crash leaves no half file. Throws `disk-full` and
 * `file-unwritable`.
 */
export async function writeLogFile(directory: string, path: string, bytes: Uint8Array | string): Promise<void> {
  const target = join(directory, path);
  try {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(`${target}.new`, bytes);
    await rename(`${target}.new`, target);
  } catch (error) {
    await rm(`${target}.new`, { force: true });
    throw unwritable(target, error);
  }
}

/** The checkpoint comes last: what it promises is there already. */
export async function writeHead(
  directory: string,
  { checkpoint, minimumIndex }: { readonly checkpoint: string; readonly minimumIndex: number },
): Promise<void> {
  await writeLogFile(directory, MINIMUM_INDEX, `${minimumIndex}\n`);
  await writeLogFile(directory, CHECKPOINT, checkpoint);
}

/** The newest checkpoints that the home has of a tenant's logs, as the sequencer keeps them there. */
export async function keptCheckpoints(home: string, tenant: string): Promise<readonly string[]> {
  const directory = join(home, 'audit');
  const names = await namesIn(directory);
  const notes = await Promise.all(
    names.filter((name) => name.endsWith('.checkpoint')).map((name) => readWithin(join(directory, name))),
  );
  return notes
    .filter((bytes) => bytes !== undefined)
    .map((bytes) => Buffer.from(bytes).toString('utf8'))
    .filter((note) => tenantOf(note) === tenant);
}

/** What a witness countersigned, and the verifier key that it was asked with; undefined where the note is gone. */
export type Cosigned = { readonly file: string; readonly witnessKey: string; readonly note: string | undefined };

/** The checkpoints that witnesses countersigned of a tenant's logs, as {@link cosignedFiles} are named. */
export async function keptCosignatures(home: string, tenant: string): Promise<readonly Cosigned[]> {
  const directory = join(home, 'audit');
  const logs = `${tenantName(tenant)}-`;
  const keys = (await namesIn(directory)).filter(
    (name) => name.startsWith(logs) && /^[0-9a-f]{8}(?:-\d{1,7})?\.[0-9a-f]{8}\.vkey$/.test(name.slice(logs.length)),
  );
  return await Promise.all(
    keys.toSorted().map(async (name): Promise<Cosigned> => {
      const file = name.replace(/vkey$/, 'checkpoint');
      const [key, note] = [await readOptional(join(directory, name)), await readOptional(join(directory, file))];
      return { file, witnessKey: (key ?? '').trim(), note };
    }),
  );
}

/** Names, in the folder `audit` of the home, of what a witness countersigned last and of its verifier key. */
export function cosignedFiles(log: LogName, keyId: string): { readonly checkpoint: string; readonly key: string } {
  const stem = `${logName(log)}.${keyId}`;
  return { checkpoint: `${stem}.checkpoint`, key: `${stem}.vkey` };
}

/** An origin reads `<key name>/<tenant>/<8 hex digits>`. A file that is no checkpoint belongs to nobody. */
function tenantOf(note: string): string | undefined {
  return /^[^/]+\/(.*)\/[0-9a-f]{8}(?:-\d+)?$/.exec(originOf(note) ?? '')?.[1];
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readWithin(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_AT_MOST)
      throw new SafekeepError('file-unreadable', { path, reason: `longer than ${FILE_BYTES_AT_MOST} bytes` });
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
