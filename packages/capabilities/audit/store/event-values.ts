import type pg from 'pg';
import type { Change, EventRow, SubjectKeys, Values } from '../model.ts';
import { blobContext, readSealed } from '../rules/leaf.ts';

type Part = { readonly old?: Values; readonly new?: Values };

/**
 * What changes said: readable values and opened ones together, by the id of the event. `erased` where a key or the values are
 * gone for good. Whoever asks must be allowed to see the values of every person in them.
 */
export async function openChanges(
  client: pg.ClientBase,
  keys: SubjectKeys,
  events: readonly EventRow[],
): Promise<ReadonlyMap<string, Change | 'erased'>> {
  const sealed = events.map((event) => ({ event, blobs: readSealed(event.sealed) }));
  const ids = [...new Set(sealed.flatMap(({ blobs }) => blobs.map(({ keyId }) => keyId)))];
  const known = ids.length === 0 ? new Map<string, never>() : await keys.forOpening(client, ids);
  return new Map(
    sealed.map(({ event, blobs }) => {
      const details: unknown = event.details === null ? {} : JSON.parse(event.details);
      const parts = [partOf(details)];
      let isErased = isRecord(details) && details['erased'] === true;
      for (const [place, { keyId, bytes }] of blobs.entries()) {
        const key = known.get(keyId);
        if (key === undefined || key === 'erased') isErased = true;
        else parts.push(partOf(JSON.parse(key.open(bytes, blobContext(event, place)).toString('utf8'))));
      }
      return [event.id, isErased ? 'erased' : merged(parts)];
    }),
  );
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
  if (!isRecord(json)) return {};
  const { old: before, new: after } = json;
  return {
    // Values by column: the sequencer wrote them so, and what was sealed or committed to is as it wrote it.
    ...(isRecord(before) ? { old: before as Values } : {}),
    // As above.
    ...(isRecord(after) ? { new: after as Values } : {}),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
