import type { PgBoss } from 'pg-boss';
import type { Database } from '@safekeep/postgres';
import { makeQueue } from '../store/queue.ts';
import { openQueue, prepareQueueSchema } from '../store/schema.ts';

type Opened = { readonly queue: PgBoss; readonly made: Set<string> };

const opened = new WeakMap<Database, Promise<Opened>>();

/**
 * Makes schema safekeep_jobs, pg-boss's own, or brings it to the version of this Safekeep. Costs one question where it
 * stands. Enqueueing and workers call it by themselves; `migrate up` calls it so that logins without the right to create
 * find it there.
 *
 * @throws `privilege-missing`, `jobs-schema-newer`.
 */
export async function prepareJobs(database: Database): Promise<void> {
  await open(database);
}

/** The queue of a database, with a queue for each of `kinds` in it. */
export async function queueFor(database: Database, ...kinds: readonly string[]): Promise<PgBoss> {
  const { queue, made } = await open(database);
  for (const kind of kinds) {
    if (made.has(kind)) continue;
    await makeQueue(queue, kind);
    made.add(kind);
  }
  return queue;
}

async function open(database: Database): Promise<Opened> {
  let opening = opened.get(database);
  if (opening === undefined) {
    opening = prepareQueueSchema(database).then(async () => ({ queue: await openQueue(database), made: new Set([]) }));
    opened.set(database, opening);
  }
  try {
    return await opening;
  } catch (error) {
    opened.delete(database);
    throw error;
  }
}
