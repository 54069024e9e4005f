import type { EventRow } from '../model.ts';
import { commit, leafOf, linkBytes, readableBytes, readSealed, saltAt } from '../rules/leaf.ts';
import type { FaultList } from './faults.ts';

/**
 * Holds what stands beside an entry against the commitments in it: whose record it is, what is readable, what is sealed. What an
 * erasure destroyed cannot be compared, and must be gone altogether: a value without its salt was put there by hand.
 */
export function checkContents(
  event: EventRow,
  { pseudonymOf, faults }: { readonly pseudonymOf: (tenant: string, actor: string) => Uint8Array; readonly faults: FaultList },
): void {
  checkActor(event, pseudonymOf, faults);
  const readable = readableBytes(event);
  const blobs = readBlobs(event);
  if (blobs === undefined) {
    faults.add('blob-changed', `What is sealed in event ${event.index} cannot be read.`, event.index);
    return;
  }
  const sealed = [...blobs];
  for (const [place, { kind, hash }] of leafOf(event).commitments.entries()) {
    const salt = saltAt(event.salts, place);
    const bytes = kind === 'l' ? linkBytes(event) : kind === 'r' ? readable : sealed.shift();
    if (salt === undefined) {
      // A salt is destroyed together with what it opened; sealed bytes may stay, for nobody can open them.
      // The record of a row that others share stays theirs: what is sealed for them names it too.
      const stays =
        kind === 'r'
          ? readable !== undefined
          : kind === 'l' && event.record !== null && event.subject === null && event.otherSubjects === null;
      if (stays) changed(event, `${NAMES[kind]} has no salt any more, and stands there all the same`, faults);
      continue;
    }
    if (bytes === undefined) {
      faults.add('blob-missing', `${NAMES[kind]} of event ${event.index} is gone, and no erasure took it.`, event.index);
    } else if (Buffer.compare(commit(salt, bytes), hash) !== 0) {
      changed(event, `${NAMES[kind]} is not what was committed to`, faults);
    }
  }
}

/** The name is no part of the entry, its pseudonym is. An erasure empties the name alone. */
function checkActor(
  { tenant, index, actor, actorPseudonym }: EventRow,
  pseudonymOf: (tenant: string, actor: string) => Uint8Array,
  faults: FaultList,
): void {
  if (actor === null || (actorPseudonym !== null && Buffer.compare(pseudonymOf(tenant, actor), actorPseudonym) === 0)) return;
  faults.add('column-changed', `Event ${index} names another actor than was logged.`, index);
}

const NAMES = { l: 'whose record it is', r: 'what is readable', s: 'what is sealed' } as const;

function changed(event: EventRow, what: string, faults: FaultList): void {
  faults.add('blob-changed', `Event ${event.index}: ${what}.`, event.index);
}

/** Undefined where the bytes end within a blob. */
function readBlobs({ sealed }: EventRow): readonly Uint8Array[] | undefined {
  try {
    return readSealed(sealed).map(({ bytes }) => bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
