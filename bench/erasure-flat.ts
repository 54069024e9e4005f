import { defineBench, type Contender } from './measure/bench.ts';
import { debianPostgres } from './postgres/debian-cluster.ts';
import { eraseOrdinaryPeople, LARGE } from './postgres/ordinary-people.ts';
import { stagePeople, type PeopleFixture } from './postgres/people-stage.ts';

/** A commit waits for the disk, which is not always as quick: of several the one in the middle says more. */
const PEOPLE = 5;

type FlatFixture = { readonly tenth: PeopleFixture; readonly whole: PeopleFixture };

const contender = (name: string, database: keyof FlatFixture): Contender<FlatFixture> => ({
  name,
  kind: 'ours',
  isolate: true,
  available: debianPostgres.available,
  prepare: ({ fixture }) => eraseOrdinaryPeople(fixture[database].url, PEOPLE),
});

export const bench = defineBench<FlatFixture>({
  question: 'Does it take longer to erase an ordinary person of 52 rows from a database of ten times as many rows?',
  unit: 'rows',
  sizes: { small: 1_000_000, medium: 10_000_000, large: 25_000_000 },
  warmups: 2,
  runs: 15,
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
      scales: ['medium', 'large'],
      source: 'requests.md: independent of the size of the database, from 1 M to 10 M rows (medium)',
    },
    {
      contender: 'all rows',
      measure: 'extra.pages',
      relation: 'at-most',
      bound: 1.2,
      against: 'a tenth of them',
      source: 'the same, told by the pages that are read, which a busy machine does not change',
    },
  ],
});
