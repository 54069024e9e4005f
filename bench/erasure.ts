import pg from 'pg';
import { executeErasure, parseSubject, planErasure } from '@safekeep/capabilities/requests';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { debianPostgres } from './postgres/debian-cluster.ts';
import { erasureGround, idsOfPerson, stagePeople, type PeopleFixture } from './postgres/people-stage.ts';

/** Of one person, in five tables. */
const ROWS = 11_000;
/** Each run needs a person who was not erased yet. */
const LARGE_PERSONS = 24;

async function ours({ fixture }: ContenderContext<PeopleFixture>): Promise<Prepared> {
  const { ground, close } = await erasureGround(fixture.url);
  let person = 0;
  let hash = '';
  return {
    // Somebody planned and somebody approved; what is timed is what follows: from the approval to the certificate.
    beforeRun: async () => {
      person += 1;
      hash = (await planErasure(ground, { ...parseSubject(ground.map, `person:${person}`), mode: 'anonymise' }, 'ann')).hash;
    },
    run: async () => {
      let committedMs = 0;
      const startedMs = performance.now();
      const onCommitted = (): void => void (committedMs = performance.now() - startedMs);
      const order = parseSubject(ground.map, `person:${person}`);
      const done = await executeErasure(ground, order, { hash, by: 'ben' }, { onCommitted });
      if (!done.verified || done.counts['masked'] !== ROWS + 1) throw new Error(`${done.counts['masked']} rows masked`);
      return { units: ROWS + 1, extra: { committedMs } };
    },
    close,
  };
}

/** As fides does it: each row by its key, each UPDATE a transaction of its own. Prepared statements, one connection. */
async function rowByRow({ fixture }: ContenderContext<PeopleFixture>): Promise<Prepared> {
  const client = new pg.Client({ connectionString: fixture.url });
  await client.connect();
  let person = LARGE_PERSONS / 2;
  const statements: Readonly<Record<string, string>> = {
    bookings: 'update bookings set reason = null where id = $1',
    treatments: 'update treatments set what = null, note = null where id = $1',
    invoices: 'update invoices set payer = null where id = $1',
    messages: 'update messages set body = null where id = $1',
  };
  return {
    beforeRun: async () => void (person += 1),
    run: async () => {
      let units = 0;
      const startedMs = performance.now();
      for (const [table, ids] of await idsOfPerson(client, person)) {
        for (const id of ids) {
          await client.query({ name: table, text: statements[table] ?? '', values: [id] });
          units += 1;
        }
      }
      await client.query(
        `update people set name = 'erased', email = $1 || '@erased.invalid', phone = null, born = null where id = $1`,
        [String(person)],
      );
      return { units: units + 1, extra: { committedMs: performance.now() - startedMs } };
    },
    close: () => client.end(),
  };
}

export const bench = defineBench<PeopleFixture>({
  question:
    'How long does it take to erase a person of 11,000 rows in five tables beside one UPDATE for each row: until it is committed with its proof, and in all, with the statistics of the tables made anew and the certificate?',
  unit: 'rows',
  sizes: { small: 400_000, medium: 1_000_000, large: 2_500_000 },
  warmups: 1,
  runs: 5,
  stage: ({ size }) => stagePeople({ rows: size, large: LARGE_PERSONS, each: ROWS }),
  contenders: [
    { name: 'safekeep', kind: 'ours', isolate: true, available: debianPostgres.available, prepare: ours },
    { name: 'row by row', kind: 'rival', isolate: true, available: debianPostgres.available, prepare: rowByRow },
  ],
  limits: [
    {
      contender: 'safekeep',
      measure: 'extra.committedMs',
      relation: 'at-most',
      bound: 1 / 25,
      against: 'row by row',
      source:
        'requests.md: 11,000 rows with proof in at most 1/25 of row by row; here until they are committed, with ledger and proof',
    },
    {
      contender: 'safekeep',
      measure: 'seconds',
      relation: 'at-most',
      bound: 1 / 25,
      against: 'row by row',
      source: 'requests.md: the same of all of it, with the statistics that row by row leaves as they are, and the certificate',
    },
  ],
});
