import type { Commitment, EventRow } from '../model.ts';
import type { FaultList } from './faults.ts';

/**
 * Looks at what the entry itself does not tell: the name of who acted, and what lost its salt. An erasure destroys a salt together with what it
 * opened, and takes nothing that is readable: a value that stands there without its salt was put there by hand.
 */
export function checkContents(
  event: EventRow,
  commitments: readonly Commitment[],
  { pseudonymOf, faults }: { readonly pseudonymOf: (tenant: string, actor: string) => Uint8Array; readonly faults: FaultList },
): void {
  checkActor(event, pseudonymOf, faults);
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

/** The name is no part of the entry, its pseudonym is. An erasure empties the name alone. */
function checkActor(
  { tenant, index, actor, actorPseudonym }: EventRow,
  pseudonymOf: (tenant: string, actor: string) => Uint8Array,
  faults: FaultList,
): void {
  if (actor === null || (actorPseudonym !== null && Buffer.compare(pseudonymOf(tenant, actor), actorPseudonym) === 0)) return;
  faults.add('column-changed', `Event ${index} names another actor than was logged.`, index);
}
