import type { Database } from '@safekeep/postgres';
import { makeActorKey as make } from '../store/actor-keys.ts';
import { beginWriting, endWriting } from '../store/record.ts';
import { recordEventWithin } from './record-event.ts';

/** Makes the secret of an application and says so in the log. */
export async function makeActorKey(
  database: Database,
  tenant: string,
): Promise<{ readonly keyId: string; readonly secret: string }> {
  return await database.withClient(async (client) => {
    await beginWriting(client);
    const made = await make(client, tenant);
    await recordEventWithin(client, tenant, { kind: 'security', action: 'actor-key-made', details: { keyId: made.keyId } });
    await endWriting(client);
    return made;
  });
}
