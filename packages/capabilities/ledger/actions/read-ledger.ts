import { SafekeepError } from '@safekeep/core';
import { listSegments, readLines } from '../files/segments.ts';
import type { Entry, Intent, Line, Place } from '../model.ts';
import { followIntents } from '../rules/intents.ts';
import { readLine } from '../rules/line.ts';

export type PlacedLine = Line & { readonly place: Place };
export type PlacedIntent = { readonly intent: Intent; readonly place: Place };

const START: Place = { segment: 1, atBytes: 0 };

export type NumberedEntry = { readonly sequence: number; readonly entry: Entry };

/**
 * The lines of a ledger from the first, as it stands at this moment; memory is bounded by one line. An incomplete last line is
 * none: somebody is writing it, or a crash left it. Throws `ledger-broken` at a line that was changed.
 */
export async function* readLedger(directory: string, from: Place = START): AsyncGenerator<PlacedLine> {
  const segments = listSegments(directory);
  for (const { number, path, sizeBytes } of segments.filter((segment) => segment.number >= from.segment)) {
    for await (const { bytes, at, whole } of readLines(path, number === from.segment ? from.atBytes : 0, sizeBytes)) {
      const line = readLine(bytes.toString());
      if ('sequence' in line) {
        yield { ...line, place: { segment: number, atBytes: at } };
        continue;
      }
      if (!whole && number === segments.at(-1)?.number) return;
      throw new SafekeepError('ledger-broken', { reason: `the line at byte ${at} of segment ${number} was changed` });
    }
  }
}

/** What was begun and has no end, oldest first. */
export async function openIntents(directory: string): Promise<readonly PlacedIntent[]> {
  const intents = followIntents();
  const places = new Map<string, Place>();
  for await (const { entry, place } of readLedger(directory)) {
    if (entry.kind === 'opened' || entry.kind === 'checkpoint') continue;
    intents.note(entry);
    if (entry.kind === 'intent') places.set(entry.id, place);
    else places.delete(entry.id);
  }
  return intents.open().map((intent) => ({ intent, place: places.get(intent.id) ?? START }));
}

/** Whether an operation that was begun at a place has ended. */
export async function hasEnded(directory: string, { id, place }: { readonly id: string; readonly place: Place }): Promise<boolean> {
  for await (const { entry } of readLedger(directory, place)) {
    if ((entry.kind === 'done' || entry.kind === 'abandoned') && entry.id === id) return true;
  }
  return false;
}
