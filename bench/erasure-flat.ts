import { executeErasure, parseSubject, planErasure } from '@safekeep/capabilities/requests';
import { defineBench, type Contender, type ContenderContext, type Prepared } from './measure/bench.ts';
import { debianPostgres } from './postgres/debian-cluster.ts';
import { erasureGround, stagePeople, type PeopleFixture } from './postgres/people-stage.ts';

type FlatFixture = { readonly tenth: PeopleFixture; readonly whole: PeopleFixture };

/** An ordinary person, as in erasure-few.ts. */
const ROWS = 52;
const LARGE = 1;

/** Erases ordinary people of one of the two databases. */
async function eraseIn(database: keyof FlatFixture, { fixture }: ContenderContext<FlatFixture>): Promise<Prepared> {
  const { ground, close } = await erasureGround(fixture[database].url);
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

const contender = (name: string, database: keyof FlatFixture): Contender<FlatFixture> => ({
  name,
  kind: 'ours',
  isolate: true,
  available: debianPostgres.available,
  prepare: (context) => eraseIn(database, context),
});

export const bench = defineBench<FlatFixture>({
  question: 'Does it take longer to erase an ordinary person of 52 rows from a database of ten times as many rows?',
  unit: 'rows',
  sizes: { small: 1_000_000, medium: 10_000_000, large: 25_000_000 },
  warmups: 5,
  runs: 25,
  stage: async ({ size }) => {
    const tenth = await stagePeople({ rows: size / 10, large: LARGE, each: 100 });
    const whole = await stagePeople({ rows: size, large: LARGE, each: 100 });
    return {
      fixture: { tenth: tenth.fixture, whole: whole.fixture },
      ...(whole.version === undefined ? {} : { version: whole.version }),
      close: async () => {
        await tenth.close();
        await whole.close();
      },
    };
  },
  contenders: [contender('all rows', 'whole'), contender('a tenth of them', 'tenth')],
  limits: [
    {
      contender: 'all rows',
      measure: 'extra.committedMs',
      relation: 'at-most',
      bound: 1.2,
      against: 'a tenth of them',
      source: 'requests.md: independent of the size of the database, from 1 M to 10 M rows (medium)',
    },
  ],
});
