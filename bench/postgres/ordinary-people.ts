import pg from 'pg';
import { executeErasure, parseSubject, planErasure } from '@safekeep/capabilities/requests';
import type { Prepared } from '../measure/bench.ts';
import { median } from '../measure/statistics.ts';
import { auditPeople } from './audited-people.ts';
import { erasureGround } from './people-stage.ts';

/** An ordinary person: a row, 15 bookings, 15 treatments, 10 invoices, 11 messages. */
const ROWS = 52;
/** How many people are large; those after them are ordinary. */
export const LARGE = 1;

/** Erases other ordinary people of this database with each run, one after the other; how long one takes is the median of these. */
export async function eraseOrdinaryPeople(url: string, people = 1): Promise<Prepared> {
  return await eraseEach(await erasureGround(url), { url, people, change: async () => undefined });
}

/** The same in a database where all is captured, of a person whose every row was changed before and is in the log. */
export async function eraseAuditedPeople(url: string): Promise<Prepared> {
  const audited = await auditPeople(url);
  const { ground, close } = await erasureGround(url, audited.ports);
  const closeAll = async (): Promise<void> => {
    await close();
    await audited.close();
  };
  const change = async (client: pg.Client, person: number): Promise<void> => {
    const statements = [
      `update people set phone = phone || '0' where id = $1`,
      `update bookings set reason = reason || '.' where person_id = $1`,
      `update treatments set note = note || '.' where booking_id in (select id from bookings where person_id = $1)`,
      `update invoices set payer = payer || '.' where person_id = $1`,
      `update messages set body = body || '.' where person_id = $1`,
    ];
    for (const statement of statements) await client.query(statement, [person]);
    await audited.sequence();
  };
  return await eraseEach({ ground, close: closeAll }, { url, people: 1, change });
}

type Each = {
  readonly url: string;
  readonly people: number;
  /** What becomes of a person before they are planned. */
  readonly change: (client: pg.Client, person: number) => Promise<void>;
};

async function eraseEach(
  { ground, close }: Awaited<ReturnType<typeof erasureGround>>,
  { url, people, change }: Each,
): Promise<Prepared> {
  const watcher = new pg.Client({ connectionString: url });
  await watcher.connect();
  let last = LARGE;
  let planned: { readonly order: ReturnType<typeof parseSubject>; readonly hash: string }[] = [];
  return {
    beforeRun: async () => {
      planned = [];
      for (let person = 0; person < people; person += 1) {
        last += 1;
        await change(watcher, last);
        const order = parseSubject(ground.map, `person:${last}`);
        planned.push({ order, hash: (await planErasure(ground, { ...order, mode: 'anonymise' }, 'ann')).hash });
      }
    },
    run: async () => {
      const committed: number[] = [];
      await watcher.query('select pg_stat_statements_reset()');
      for (const { order, hash } of planned) {
        const startedMs = performance.now();
        const onCommitted = (): void => void committed.push(performance.now() - startedMs);
        const done = await executeErasure(ground, order, { hash, by: 'ben' }, { onCommitted });
        if (done.counts['masked'] !== ROWS) throw new Error(`${done.counts['masked']} rows masked`);
      }
      return { units: ROWS * people, extra: { committedMs: median(committed), pages: (await pagesRead(watcher)) / people } };
    },
    close: async () => {
      await watcher.end();
      await close();
    },
  };
}

/** Pages that statements have asked for, in memory or not, but for those of ANALYZE, which is asked for a sample of each table. */
async function pagesRead(watcher: pg.Client): Promise<number> {
  const { rows } = await watcher.query<{ pages: number }>(
    `select sum(shared_blks_hit + shared_blks_read)::float8 as pages from pg_stat_statements
      where query !~* '^analyze' and query !~ 'pg_stat_statements'`,
  );
  return rows[0]?.pages ?? 0;
}
