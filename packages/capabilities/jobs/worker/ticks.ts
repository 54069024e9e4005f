import type pg from 'pg';
import { newId } from '@safekeep/core';
import { setTenant } from '@safekeep/postgres';
import { insertJobs } from '../store/jobs.ts';
import { makeQueue, pushJobs } from '../store/queue.ts';
import { popTicks, pullTicks, readSchedule, type Tick } from '../store/schedules.ts';
import { inTransaction, sessionOf } from '../store/transaction.ts';
import type { Office } from './office.ts';

// Schedules that fall due in the same second; more wait for the next look.
const AT_A_TIME = 100;

/** Turns ticks of the schedules into jobs, exactly one each. True when there may be more. */
export async function runTicks(office: Office): Promise<boolean> {
  const { database, queue } = office;
  return await inTransaction(database, async (client) => {
    const ticks = await pullTicks(queue, client, AT_A_TIME);
    for (const tick of ticks) await enqueueTick(office, client, tick);
    if (ticks.length > 0) await popTicks(queue, client, ticks);
    return ticks.length === AT_A_TIME;
  });
}

async function enqueueTick({ queue, log }: Office, client: pg.ClientBase, { id: tick, tenant, kind }: Tick): Promise<void> {
  await setTenant(client, tenant);
  const schedule = await readSchedule(client, tenant, kind);
  // Removed since the tick was made.
  if (schedule === undefined) return;
  const session = sessionOf(client);
  const id = newId<'job'>();
  await makeQueue(queue, kind);
  await insertJobs(session, tenant, { kind, version: schedule.version }, [
    { id, payload: schedule.payload, key: `schedule/${tick}` },
  ]);
  await pushJobs(queue, session, kind, [{ id, tenant }]);
  log.info('scheduled-job-enqueued', { job: id });
}
