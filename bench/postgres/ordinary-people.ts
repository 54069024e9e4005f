import { executeErasure, parseSubject, planErasure } from '@safekeep/capabilities/requests';
import type { Prepared } from '../measure/bench.ts';
import { erasureGround } from './people-stage.ts';

/** An ordinary person: a row, 15 bookings, 15 treatments, 10 invoices, 11 messages. */
const ROWS = 52;
/** How many people are large; those after them are ordinary. */
export const LARGE = 1;

/** Erases another ordinary person of this database with each run. */
export async function eraseOrdinaryPeople(url: string): Promise<Prepared> {
  const { ground, close } = await erasureGround(url);
  let person = LARGE;
  let hash = '';
  return {
    beforeRun: async () => {
      person += 1;
      hash = (await planErasure(ground, { ...parseSubject(ground.map, `person:${person}`), mode: 'anonymise' }, 'ann')).hash;
    },
    run: async () => {
      let committedMs = 0;
      const startedMs = performance.now();
      const done = await executeErasure(
        ground,
        parseSubject(ground.map, `person:${person}`),
        { hash, by: 'ben' },
        { onCommitted: () => void (committedMs = performance.now() - startedMs) },
      );
      if (done.counts['masked'] !== ROWS) throw new Error(`${done.counts['masked']} rows masked`);
      return { units: ROWS, extra: { committedMs } };
    },
    close,
  };
}
