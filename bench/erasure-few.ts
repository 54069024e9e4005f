import pg from 'pg';
import { defineBench } from './measure/bench.ts';
import { debianPostgres } from './postgres/debian-cluster.ts';
import { eraseAuditedPeople, eraseOrdinaryPeople, LARGE } from './postgres/ordinary-people.ts';
import { stagePeople, type PeopleFixture } from './postgres/people-stage.ts';

/** The same people in two databases of one server. */
type Fixture = PeopleFixture & { readonly auditedUrl: string };

export const bench = defineBench<Fixture>({
  question:
    'How long does it take to erase an ordinary person of 52 rows, and how much of it until it is committed and in the ledger; also where every table is captured and each row of the person was changed once?',
  unit: 'rows',
  sizes: { small: 200_000, medium: 1_000_000, large: 10_000_000 },
  warmups: 5,
  runs: 15,
  stage: async ({ size }) => {
    const stage = await stagePeople({ rows: size, large: LARGE, each: 100 });
    const auditedUrl = new URL(stage.fixture.url);
    const other = new URL(stage.fixture.url);
    [auditedUrl.pathname, other.pathname] = ['/audited', '/template1'];
    const client = new pg.Client({ connectionString: other.href });
    await client.connect();
    // A database that anybody is connected to is no template.
    await client.query('create database audited template postgres');
    await client.end();
    return { ...stage, fixture: { ...stage.fixture, auditedUrl: auditedUrl.href } };
  },
  contenders: [
    {
      name: 'safekeep',
      kind: 'ours',
      isolate: true,
      available: debianPostgres.available,
      prepare: ({ fixture }) => eraseOrdinaryPeople(fixture.url),
    },
    {
      name: 'safekeep with audit',
      kind: 'ours',
      isolate: true,
      available: debianPostgres.available,
      prepare: ({ fixture }) => eraseAuditedPeople(fixture.auditedUrl),
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
