import { setTimeout as wait } from 'node:timers/promises';
import { openLogReader, type LogLine, type LogReader } from '@safekeep/log';
import { matches, type Filter } from '../rules.ts';

export type Tail = { readonly lines: readonly LogLine[]; readonly malformed: number };

type Following = {
  readonly signal: AbortSignal;
  /** Called with each batch of new lines that match; nothing is read on before it is done. */
  readonly onLines: (lines: readonly LogLine[]) => Promise<void>;
};

// As soon as a person would notice, and rare enough to cost nothing.
const LOOK_EVERY_MS = 200;

/** The last `count` lines of the log in this folder that match, oldest first. */
export async function tailLog(directory: string, filter: Filter, count: number): Promise<Tail> {
  const reader = openLogReader(directory);
  try {
    return await readLast(reader, filter, count);
  } finally {
    await reader.close();
  }
}

/** Hands over the last `count` lines that match and then each new one, through rotations, until the signal is given. */
export async function followLog(
  directory: string,
  { filter, count }: { readonly filter: Filter; readonly count: number },
  { signal, onLines }: Following,
): Promise<{ readonly malformed: number }> {
  const reader = openLogReader(directory);
  try {
    await onLines((await readLast(reader, filter, count)).lines);
    while (!signal.aborted) {
      for await (const lines of reader.read()) await onLines(lines.filter((line) => matches(line, filter)));
      await pause(signal);
    }
    return { malformed: reader.malformed() };
  } finally {
    await reader.close();
  }
}

async function readLast(reader: LogReader, filter: Filter, count: number): Promise<Tail> {
  let last: LogLine[] = [];
  for await (const lines of reader.read()) {
    last.push(...lines.filter((line) => matches(line, filter)));
    if (last.length > count) last = count === 0 ? [] : last.slice(-count);
  }
  return { lines: last, malformed: reader.malformed() };
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await wait(LOOK_EVERY_MS, undefined, { signal });
  } catch (error) {
    // An interruption is how following ends.
    if (!signal.aborted) throw error;
  }
}
