import { Buffer } from 'node:buffer';
import { existsSync } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { currentFile, rotatedFile, rotatedNumbers } from './files.ts';
import { parseLine, type LogLine } from './line.ts';

const CHUNK_BYTES = 256 * 1024;
/** Our own lines stay far below this: 50 fields, lists of 100. What is longer is not a line of ours. */
const LINE_BYTES = 64 * 1024;
/** How often the list of files may change while it is read. */
const LIST_TRIES = 5;
const LINE_END = 0x0a;
/** Stands for a line beyond the limit: it is none of ours. */
const TOO_LONG = '…';

/** Reads the log of a home, oldest line first, in constant memory; goes on where it stopped, through rotations. */
export type LogReader = {
  /** What was written since the last call (at first: everything), in batches of lines. */
  readonly read: () => AsyncGenerator<readonly LogLine[]>;
  /** Lines so far that are none of ours: torn, or written by somebody else. */
  readonly malformed: () => number;
  readonly close: () => Promise<void>;
};

/** A file of the log. Its handle stays open while it is listed, so that its identity cannot pass to a new file. */
type Source = { readonly handle: FileHandle; offset: number; rest: Buffer; rank: number };

/** Opens the log in this folder; it is empty where there is none yet. */
export function openLogReader(directory: string): LogReader {
  const sources = new Map<string, Source>();
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let malformed = 0;

  const parse = (read: readonly string[]): readonly LogLine[] => {
    const texts = read.filter((text) => text !== '');
    const lines = texts.map(parseLine).filter((line) => line !== undefined);
    malformed += texts.length - lines.length;
    return lines;
  };
  return {
    async *read() {
      await discover(directory, sources);
      for (const source of [...sources.values()].sort((a, b) => a.rank - b.rank)) {
        for (;;) {
          const texts = await nextTexts(source, buffer);
          if (texts === undefined) break;
          if (texts.length > 0) yield parse(texts);
        }
      }
      await dropRemoved(sources);
    },
    malformed: () => malformed,
    close: async () => {
      for (const { handle } of sources.values()) await handle.close();
      sources.clear();
    },
  };
}

/** Opens the files that are new. Tries again when the list changed under it: a file being rotated has no name for a moment. */
async function discover(directory: string, sources: Map<string, Source>): Promise<void> {
  for (let tries = 0; tries < LIST_TRIES; tries += 1) {
    const numbers = listed(directory);
    for (const number of numbers)
      await openNew(number === Infinity ? currentFile(directory) : rotatedFile(directory, number), number, sources);
    if (listed(directory).join() === numbers.join()) return;
  }
}

/** The numbers of the files, oldest first; the one being written counts as infinitely young. */
function listed(directory: string): readonly number[] {
  return existsSync(directory) ? [...rotatedNumbers(directory), Infinity] : [];
}

async function openNew(path: string, rank: number, sources: Map<string, Source>): Promise<void> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    const known = sources.get(`${dev}-${ino}`);
    if (known !== undefined) {
      known.rank = rank;
      return;
    }
    const handle = await open(path, 'r');
    // The name may have passed to another file since; what was opened counts.
    const opened = await handle.stat({ bigint: true });
    const identity = `${opened.dev}-${opened.ino}`;
    if (sources.has(identity)) await handle.close();
    else sources.set(identity, { handle, offset: 0, rest: Buffer.alloc(0), rank });
  } catch (error) {
    // Not there yet, or removed as the oldest since it was listed.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** The next whole lines of a file; `undefined` at its present end. */
async function nextTexts(source: Source, buffer: Buffer): Promise<readonly string[] | undefined> {
  const { bytesRead } = await source.handle.read(buffer, 0, buffer.length, source.offset);
  if (bytesRead === 0) return undefined;
  source.offset += bytesRead;
  const bytes = Buffer.concat([source.rest, buffer.subarray(0, bytesRead)]);
  const end = bytes.lastIndexOf(LINE_END) + 1;
  source.rest = bytes.subarray(end);
  const texts = end === 0 ? [] : bytes.toString('utf8', 0, end - 1).split('\n');
  if (source.rest.length <= LINE_BYTES) return texts;
  // Too long to be a line: counted as one that is none, and forgotten.
  source.rest = Buffer.alloc(0);
  return [...texts, TOO_LONG];
}

async function dropRemoved(sources: Map<string, Source>): Promise<void> {
  for (const [identity, { handle }] of sources) {
    if ((await handle.stat()).nlink > 0) continue;
    sources.delete(identity);
    await handle.close();
  }
}
