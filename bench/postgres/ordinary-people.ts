import pg from 'pg';
import { executeErasure, parseSubject, planErasure } from '@safekeep/capabilities/requests';
import type { Prepared } from '../measure/bench.ts';
import { median } from '../measure/statistics.ts';
import { erasureGround } from './people-stage.ts';

/** An ordinary person: a row, 15 bookings, 15 treatments, 10 invoices, 11 messages. */
const ROWS = 52;
/** How many people are large; those after them are ordinary. */
export const LARGE = 1;

/** Erases other ordinary people of this database with each run, one after the other; how long one takes is the median of these. */
export async function eraseOrdinaryPeople(url: string, people = 1): Promise<Prepared> {
  const { ground, close } = await erasureGround(url);
  const watcher = new pg.Client({ connectionString: url });
  await watcher.connect();
  let last = LARGE;
  let planned: { readonly order: ReturnType<typeof parseSubject>; readonly hash: string }[] = [];
  return {
    beforeRun: async () => {
      planned = [];
      for (let person = 0; person < people; person += 1) {
        last += 1;
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
