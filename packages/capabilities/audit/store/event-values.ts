import type pg from 'pg';
import { isMapping } from '@safekeep/core';
import type { SubjectKey, SubjectKeys } from '../../encryption/index.ts';
import type { Change, EventRow, Marks, SealedBlob, Values } from '../model.ts';
import { blobContext, sealedOf } from '../rules/leaf.ts';

type Part = { readonly old?: Values; readonly new?: Values };

/** What is left to read of a change. */
export type OpenedEvent = {
  readonly change: Change;
  readonly marks: Marks;
  /** What became of the rest: nothing is missing; an erasure left it out when it was sequenced; it was taken since; it was altered since. */
  readonly rest: 'none' | 'left-out' | 'taken' | 'unreadable';
};

/**
 * What changes said: readable values and opened ones together, by the id of the event. `erased` where a key or the values are
 * gone for good; `unreadable` where what is sealed was changed since (a verification names it). Whoever asks must be allowed to see
 * the values of every person in them.
 */
export async function openChanges(
  client: pg.ClientBase,
  keys: SubjectKeys,
  events: readonly EventRow[],
): Promise<ReadonlyMap<string, OpenedChange>> {
  const opened = await openEvents(client, keys, events);
  return new Map(
    [...opened].map(([id, { change, rest }]) => [id, rest === 'none' ? change : rest === 'unreadable' ? 'unreadable' : 'erased']),
  );
}

/** The same, and of what is erased or altered all that can be read of it still. */
export async function openEvents(
  client: pg.ClientBase,
  keys: SubjectKeys,
  events: readonly EventRow[],
): Promise<ReadonlyMap<string, OpenedEvent>> {
  const sealed = events.map((event) => ({ event, blobs: blobsOf(event) }));
  const ids = [...new Set(sealed.flatMap(({ blobs }) => blobs?.map(({ keyId }) => keyId) ?? []))];
  const known = ids.length === 0 ? new Map<string, never>() : await keys.forOpening(client, ids);
  return new Map(sealed.map(({ event, blobs }) => [event.id, openEvent(event, blobs, known)]));
}

export type OpenedChange = Change | 'erased' | 'unreadable';

function openEvent(
  event: EventRow,
  blobs: readonly SealedBlob[] | undefined,
  keys: ReadonlyMap<string, SubjectKey | 'erased'>,
): OpenedEvent {
  const details: unknown = event.details === null ? {} : JSON.parse(event.details);
  const said = isMapping(details) ? details : {};
  const parts = [partOf(details)];
  // Written by the sequencer: texts by column.
  const marks = isMapping(said['marks']) ? (said['marks'] as Marks) : {};
  let rest: OpenedEvent['rest'] = blobs === undefined ? 'unreadable' : said['erased'] === true ? 'left-out' : 'none';
  for (const [place, { keyId, bytes }] of (blobs ?? []).entries()) {
    const key = keys.get(keyId);
    if (key === undefined || key === 'erased') {
      if (rest !== 'unreadable') rest = 'taken';
      continue;
    }
    const part = openBlob(key, bytes, { event, place });
    if (part === undefined) rest = 'unreadable';
    else parts.push(part);
  }
  return { change: merged(parts), marks, rest };
}

/**
 * Undefined where the bytes are not those that were sealed for this place (a key throws then, by its contract), or the event names another
 * row than they do: once the salt of its owner is destroyed, only they tell whose values these are.
 */
function openBlob(
  key: SubjectKey,
  bytes: Uint8Array,
  { event, place }: { readonly event: EventRow; readonly place: number },
): Part | undefined {
  try {
    const opened: unknown = JSON.parse(key.open(bytes, blobContext(event, place)).toString('utf8'));
    // Written by the sequencer: the row's key, and the values of both sides.
    const [record, before, after] = opened as readonly unknown[];
    return event.record === null || record === event.record ? partOf({ old: before, new: after }) : undefined;
  } catch {
    // It was altered since: that is what whoever asks is told.
    return undefined;
  }
}

/** Undefined where they cannot be read, or are not as many as the entry committed to. */
function blobsOf(event: EventRow): readonly SealedBlob[] | undefined {
  try {
    return sealedOf(event);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function merged(parts: readonly Part[]): Change {
  const side = (name: 'old' | 'new'): Values | undefined => {
    const all = parts.map((part) => part[name]).filter((values) => values !== undefined);
    return all.length === 0 ? undefined : Object.fromEntries(all.flatMap((values) => Object.entries(values)));
  };
  const [before, after] = [side('old'), side('new')];
  return { ...(before === undefined ? {} : { old: before }), ...(after === undefined ? {} : { new: after }) };
}

function partOf(json: unknown): Part {
  if (!isMapping(json)) return {};
  const { old: before, new: after } = json;
  return {
    // Values by column: the sequencer wrote them so, and what was sealed or committed to is as it wrote it.
    ...(isMapping(before) ? { old: before as Values } : {}),
    // As above.
    ...(isMapping(after) ? { new: after as Values } : {}),
  };
}
