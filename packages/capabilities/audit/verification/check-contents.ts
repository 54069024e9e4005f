import type { MarkOf, PseudonymOf } from '../keys/key-file.ts';
import { ERASED_ACTOR, type Commitment, type EventRow } from '../model.ts';
import { emptiedMark } from '../rules/marks.ts';
import type { FaultList } from './faults.ts';

type Home = { readonly pseudonymOf: PseudonymOf; readonly markOf: MarkOf; readonly faults: FaultList };

/**
 * Looks at what the entry itself does not tell: the name of who acted, and what lost its salt. An erasure destroys a salt together with what it
 * opened, and takes nothing that is readable: a value that stands there without its salt was put there by hand. What an erasure took has the
 * mark of the home: else whoever has the database could hide anything by emptying it.
 */
export function checkContents(event: EventRow, commitments: readonly Commitment[], { pseudonymOf, markOf, faults }: Home): void {
  checkActor(event, pseudonymOf, faults);
  checkEmptied(event, commitments, { markOf, faults });
  const { index, record, subject, otherSubjects } = event;
  for (const { kind, salt } of commitments) {
    if (salt !== undefined) continue;
    if (kind === 'r')
      faults.add('blob-missing', `What is readable of event ${index} has no salt any more, and no erasure takes it.`, index);
    // The record of a row that others share stays theirs: what is sealed for them names it too. Sealed bytes may stay, for nobody can open them.
    if (kind === 'l' && record !== null && subject === null && otherSubjects === null)
      faults.add('blob-changed', `Event ${index}: whose record it is has no salt any more, and stands there all the same.`, index);
  }
}

function checkEmptied(event: EventRow, commitments: readonly Commitment[], { markOf, faults }: Omit<Home, 'pseudonymOf'>): void {
  const { index, actor, actorPseudonym, emptied, details } = event;
  const isClosed = commitments.some(({ salt }) => salt === undefined);
  const isNameless = actor === null && actorPseudonym !== null && actorOf(details) !== ERASED_ACTOR;
  if (!isClosed && !isNameless) return;
  if (emptied !== null && Buffer.compare(emptied, emptiedMark(markOf, event)) === 0) return;
  faults.add(
    'erasure-forged',
    `${isClosed ? 'What it said' : 'Who acted'} was taken out of event ${index}, and no erasure did that.`,
    index,
  );
}

function actorOf(details: string | null): unknown {
  const said: unknown = details === null ? null : JSON.parse(details);
  return typeof said === 'object' && said !== null && 'actor' in said ? said.actor : undefined;
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
