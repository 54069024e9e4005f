import { inTenant } from '@safekeep/postgres';
import type { Office } from './office.ts';
import { deleteFinished, idsBefore } from '../store/jobs.ts';

/** How long one can look up what a job did. Dead ones stay until somebody looked at them. */
const KEEP_DAYS = 30;
// Rows of one transaction: no long locks, and no burst of dead rows.
const AT_A_TIME = 5_000;

/** Forgets jobs that are over since long, of the tenants this worker has met: row security shows it no others. */
export async function purge({ database, tenants, clock, closing, log }: Office): Promise<void> {
  const before = idsBefore(new Date(clock.now().getTime() - KEEP_DAYS * 86_400_000));
  for (const tenant of tenants) {
    let count = AT_A_TIME;
    while (count === AT_A_TIME && !closing.aborted) {
      count = await inTenant(database, tenant, (client) => deleteFinished(client, tenant, before, AT_A_TIME));
      if (count > 0) log.info('old-jobs-forgotten', { count });
    }
  }
}
