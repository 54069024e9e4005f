import { SafekeepError } from '@safekeep/core';
import { setTenant, type Database } from '@safekeep/postgres';
import { beginWriting, endWriting } from '../store/record.ts';
import { readCheckpoint } from '../store/sequencer.ts';

/** The newest signed note of the tenant's log. Throws `log-empty`. */
export async function newestCheckpoint(database: Database, tenant: string): Promise<string> {
  return await database.withClient(async (client) => {
    await beginWriting(client);
    await setTenant(client, tenant);
    const note = await readCheckpoint(client, tenant);
    await endWriting(client);
    if (note === undefined) throw new SafekeepError('log-empty', { tenant });
    return note;
  });
}
