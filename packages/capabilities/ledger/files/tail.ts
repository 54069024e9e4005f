import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { syncFolder } from '@safekeep/files';
import type { Head, Line } from '../model.ts';
import { BEGINNING, follows, LINE_BYTES_AT_MOST, readLine } from '../rules/line.ts';
import { appendBytes, listSegments, readBytes, readLines, truncateFile, type Segment } from './segments.ts';

/** Where the next line goes. */
export type Tail = { readonly segment: number; readonly sizeBytes: number; readonly head: Head };

const NUL = 0;
const LF = Buffer.from('\n');

/**
 * Finds the end of the chain, from `known` on where it is given. A line that a crash left incomplete is set aside into a file
 * of its own and taken out; only the lock's holder may call this.
 *
 * @throws `ledger-broken` when what stands there can be no crash: it is left as it is.
 */
export async function findTail(directory: string, known: Tail | undefined): Promise<Tail> {
  const segments = listSegments(directory);
  const newest = segments.at(-1);
  if (newest === undefined) {
    if (known !== undefined && known.head.sequence > 0) throw broken('its files are gone');
    return { segment: 1, sizeBytes: 0, head: BEGINNING };
  }
  if (segments.some(({ number }, place) => number !== place + 1)) throw broken('a segment is missing');
  if (known !== undefined && isBeyond(known, newest)) throw broken('it is shorter than it was a moment ago');
  if (known !== undefined && known.segment > newest.number) return known;
  return await followSegment(newest, known?.segment === newest.number ? known : await startOf(newest, segments));
}

function isBeyond(known: Tail, newest: Segment): boolean {
  // A segment that was just closed has no successor yet.
  if (known.segment === newest.number + 1) return known.sizeBytes > 0;
  return known.segment > newest.number || (known.segment === newest.number && known.sizeBytes > newest.sizeBytes);
}

/** The beginning of a segment, where the one before ended. */
async function startOf(segment: Segment, segments: readonly Segment[]): Promise<Tail> {
  const before = segments.find(({ number }) => number === segment.number - 1);
  if (before === undefined) return { segment: segment.number, sizeBytes: 0, head: BEGINNING };
  let last: Line | undefined;
  for await (const { bytes, whole } of readLines(before.path, 0, before.sizeBytes)) {
    const line = readLine(bytes.toString());
    last = whole && 'sequence' in line ? line : undefined;
  }
  if (last === undefined) throw broken(`segment ${before.number} does not end with a whole line`);
  return { segment: segment.number, sizeBytes: 0, head: { sequence: last.sequence, sha256: last.sha256 } };
}

async function followSegment(segment: Segment, start: Tail): Promise<Tail> {
  let { head } = start;
  let closed = false;
  for await (const { bytes, at, whole } of readLines(segment.path, start.sizeBytes, segment.sizeBytes)) {
    const line = readLine(bytes.toString());
    if (!('sequence' in line) || !follows(line, head)) {
      await healFrom(segment, at);
      return { segment: segment.number, sizeBytes: at, head };
    }
    head = { sequence: line.sequence, sha256: line.sha256 };
    closed = line.entry.kind === 'checkpoint';
    // Everything but the LF came to the disk: a whole entry, which is kept.
    if (!whole) await appendBytes(segment.path, segment.sizeBytes, LF);
    if (!whole) return tailAfter(segment, segment.sizeBytes + 1, { head, closed });
  }
  return tailAfter(segment, segment.sizeBytes, { head, closed });
}

function tailAfter(
  { number }: Segment,
  sizeBytes: number,
  { head, closed }: { readonly head: Head; readonly closed: boolean },
): Tail {
  return closed ? { segment: number + 1, sizeBytes: 0, head } : { segment: number, sizeBytes, head };
}

/**
 * Takes the end of a segment out if it was provably never written whole: no LF ends it, or it holds a NUL (what a file
 * system shows of a block that did not reach the disk), which no line of ours has. Anything else is an edit.
 */
async function healFrom(segment: Segment, at: number): Promise<void> {
  const rest = await readBytes(segment.path, at, segment.sizeBytes - at);
  const lineEnd = rest.indexOf(LF);
  const first = lineEnd === -1 ? rest : rest.subarray(0, lineEnd);
  const neverEnded = lineEnd === -1 && first.length < LINE_BYTES_AT_MOST;
  if (!neverEnded && !first.includes(NUL)) throw broken(`the line at byte ${at} of segment ${segment.number} was changed`);
  const aside = join(dirname(segment.path), `torn-${String(segment.number).padStart(6, '0')}-${at}`);
  await writeFile(aside, rest, { mode: 0o600, flush: true });
  await syncFolder(dirname(segment.path));
  await truncateFile(segment.path, at);
}

function broken(reason: string): SafekeepError {
  return new SafekeepError('ledger-broken', { reason });
}
