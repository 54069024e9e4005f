import { mkdir } from 'node:fs/promises';
import { codeOf, SafekeepError } from '@safekeep/core';
import { appendBytes, listSegments, readBytes, segmentPath, type Segment } from './segments.ts';

/** Compared before more is added to a copy: the end of what both have. */
const OVERLAP_BYTES = 65_536;
const CHUNK_BYTES = 1_048_576;

/**
 * Adds to the copy what it lacks. The copy only ever grows; where it is not the beginning of the ledger it is not touched.
 *
 * @throws `ledger-copy-ahead` when it holds what the ledger does not; whatever the system says when it cannot be written.
 */
export async function bringCopy(directory: string, copyDirectory: string): Promise<void> {
  // Not recursive: a disk that is not mounted must not become a folder of the disk below it.
  await mkdir(copyDirectory, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
  const [segments, copies] = [listSegments(directory), listSegments(copyDirectory)];
  await refuseAhead(segments, copies, copyDirectory);
  const first = Math.max(1, copies.length);
  for (const segment of segments.filter(({ number }) => number >= first)) {
    await bringSegment(segment, {
      path: segmentPath(copyDirectory, segment.number),
      from: copies.find(({ number }) => number === segment.number)?.sizeBytes ?? 0,
    });
  }
}

/** @throws `ledger-copy-ahead` when the copy is no beginning of the ledger, as far as their ends show; `verify` reads all of both. */
export async function refuseCopyAhead(directory: string, copyDirectory: string): Promise<void> {
  const [segments, copies] = [listSegments(directory), listSegments(copyDirectory)];
  await refuseAhead(segments, copies, copyDirectory);
}

async function refuseAhead(segments: readonly Segment[], copies: readonly Segment[], copyDirectory: string): Promise<void> {
  const ahead = new SafekeepError('ledger-copy-ahead', { path: copyDirectory });
  for (const copy of copies) {
    const own = segments.find(({ number }) => number === copy.number);
    if (own === undefined || own.sizeBytes < copy.sizeBytes) throw ahead;
  }
  const last = copies.at(-1);
  const own = segments.find(({ number }) => number === last?.number);
  if (last === undefined || own === undefined) return;
  const at = Math.max(0, last.sizeBytes - OVERLAP_BYTES);
  const [mine, theirs] = await Promise.all([own, last].map(({ path }) => readBytes(path, at, last.sizeBytes - at)));
  if (mine === undefined || theirs === undefined || !mine.equals(theirs)) throw ahead;
}

async function bringSegment(segment: Segment, { path, from }: { readonly path: string; readonly from: number }): Promise<void> {
  for (let at = from; at < segment.sizeBytes; at += CHUNK_BYTES) {
    await appendBytes(path, at, await readBytes(segment.path, at, Math.min(CHUNK_BYTES, segment.sizeBytes - at)));
  }
}
