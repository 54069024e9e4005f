import { executeErasure, parseSubject, planErasure } from '@safekeep/capabilities/requests';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { debianPostgres } from './postgres/debian-cluster.ts';
import { erasureGround, stagePeople, type PeopleFixture } from './postgres/people-stage.ts';

/** An ordinary person: a row, 15 bookings, 15 treatments, 10 invoices, 11 messages. */
const ROWS = 52;
const LARGE = 1;

async function ours({ fixture }: ContenderContext<PeopleFixture>): Promise<Prepared> {
  const { ground, close } = await erasureGround(fixture.url);
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

export const bench = defineBench<PeopleFixture>({
  question:
    'How long does it take to erase an ordinary person of 52 rows, and how much of it until it is committed and in the ledger?',
  unit: 'rows',
  sizes: { small: 200_000, medium: 1_000_000, large: 10_000_000 },
  warmups: 5,
  runs: 15,
  stage: ({ size }) => stagePeople({ rows: size, large: LARGE, each: 100 }),
  contenders: [{ name: 'safekeep', kind: 'ours', isolate: true, available: debianPostgres.available, prepare: ours }],
  limits: [
    {
      contender: 'safekeep',
      measure: 'extra.committedMs',
      relation: 'at-most',
      bound: 10,
      source: 'requests.md: 52 rows in at most 10 ms',
    },
  ],
});
