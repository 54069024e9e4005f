import { TODAY_DAY } from './calendar.ts';
import type { Passage } from './passage.ts';
import { people } from './people/people.ts';
import { Random } from './random.ts';
import { composeNote } from './rows/notes.ts';
import { relativeOf } from './rows/practice.ts';
import { plans } from './sizes.ts';

/**
 * Clinical notes of the kind that stand in `clinical_notes.body`, each with the stretches that are personal.
 * For measuring what finds such stretches; the templates are few, so a good score here proves little about real prose.
 */
export function labelledNotes(count: number, seed: number): readonly Passage[] {
  const { patients, dentists } = plans.small;
  const everyone = people(seed, plans.small);
  return Array.from({ length: count }, (_, index) => {
    const random = new Random(seed, 'note', index);
    const patient = everyone.patient(random.between(1, patients));
    const dentist = everyone.staff(random.between(1, dentists));
    return composeNote({
      random,
      patient,
      relative: relativeOf(everyone, patient),
      dentist,
      day: random.between(patient.registered, TODAY_DAY),
    });
  });
}
