import { defineBench } from './measure/bench.ts';
import { debianPostgres } from './postgres/debian-cluster.ts';
import { eraseOrdinaryPeople, LARGE } from './postgres/ordinary-people.ts';
import { stagePeople, type PeopleFixture } from './postgres/people-stage.ts';

export const bench = defineBench<PeopleFixture>({
  question:
    'How long does it take to erase an ordinary person of 52 rows, and how much of it until it is committed and in the ledger?',
  unit: 'rows',
  sizes: { small: 200_000, medium: 1_000_000, large: 10_000_000 },
  warmups: 5,
  runs: 15,
  stage: ({ size }) => stagePeople({ rows: size, large: LARGE, each: 100 }),
  contenders: [
    {
      name: 'safekeep',
      kind: 'ours',
      isolate: true,
      available: debianPostgres.available,
      prepare: ({ fixture }) => eraseOrdinaryPeople(fixture.url),
    },
  ],
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
