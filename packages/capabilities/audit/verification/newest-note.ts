import { SafekeepError } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { readOnly } from '../store/read-only.ts';
import { readCheckpoints, readTrees } from './store/log.ts';

/** The newest signed checkpoint as it was published. Throws `log-empty`. */
export async function newestNote(database: Database, tenant: string): Promise<string> {
  return await readOnly(database, tenant, async (client) => {
    const tree = (await readTrees(client, tenant)).at(-1);
    const [last] = tree === undefined ? [] : await readCheckpoints(client, tenant, { era: tree.era, limit: 1 });
    if (last === undefined) throw new SafekeepError('log-empty', { tenant });
    return last.note;
  });
}
