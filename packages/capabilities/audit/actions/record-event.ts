import { newId } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import type pg from 'pg';
import type { EventId, NewEvent } from '../model.ts';
import { beginWriting, endWriting, writeEvent } from '../store/record.ts';

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
export async function recordEventWithin(client: Pick<pg.ClientBase, 'query'>, tenant: string, event: NewEvent): Promise<EventId> {
  const id = newId<'audit-event'>();
  await writeEvent(client, tenant, id, event);
  return id;
}

/** Runs something that may be refused, and puts both ends of it into the log: `apply-done`, or `apply-refused` with the code. */
export async function recorded<Result>(
  database: Database,
  tenant: string,
  { run, ...event }: NewEvent & { readonly run: () => Promise<Result> },
): Promise<Result> {
  try {
    const result = await run();
    await recordEvent(database, tenant, { ...event, action: `${event.action}-done` });
    return result;
  } catch (error) {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'internal';
    try {
      await recordEvent(database, tenant, {
        ...event,
        kind: 'security',
        action: `${event.action}-refused`,
        details: { ...event.details, code },
      });
    } catch (cause) {
      throw new AggregateError([error, cause], 'An action was refused, and that could not be recorded', { cause: error });
    }
    throw error;
  }
}
