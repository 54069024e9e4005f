import { newId } from '@safekeep/core';
import type { Database, Queryable } from '@safekeep/postgres';
import type { EventId, NewEvent } from '../model.ts';
import { beginWriting, endWriting, setActor, writeEvent } from '../store/record.ts';

/**
 * Puts an event of Safekeep's own into the log: a sign-in, a denial, a plan, an export, an erasure, the use of a key. In a transaction
 * and on a connection of its own: what was refused is rolled back, that it was refused must not be.
 * It is committed when this returns; if it throws, whatever it was to stand for must not go on.
 */
export async function recordEvent(database: Database, tenant: string, event: NewEvent): Promise<EventId> {
  return await database.withClient(async (client) => {
    await beginWriting(client);
    const id = await recordEventWithin(client, tenant, event);
    await endWriting(client);
    return id;
  });
}

/** The same in the caller's transaction: for what has happened only if that is committed. Never for a refusal. */
export async function recordEventWithin(client: Queryable, tenant: string, event: NewEvent): Promise<EventId> {
  const id = newId<'audit-event'>();
  await writeEvent(client, tenant, id, event);
  return id;
}

/** Who acts for the rest of the caller's transaction: what capture writes down of it names them. */
export async function actWithin(client: Queryable, name: string): Promise<void> {
  await setActor(client, { name });
}
