import type pg from 'pg';
import { setTenant, type Queryable } from '@safekeep/postgres';
import type { EventId, NewEvent } from '../model.ts';

type Actor = { readonly name: string; readonly purpose?: string | null; readonly request?: string | null };

export async function setActor(client: Queryable, { name, purpose = null, request = null }: Actor): Promise<void> {
  await client.query('select safekeep.set_actor($1, $2, $3)', [name, purpose, request]);
}

/** In the caller's transaction, whose tenant it sets. */
export async function writeEvent(client: Queryable, tenant: string, id: EventId, event: NewEvent): Promise<void> {
  await setTenant(client, tenant);
  if (event.actor !== undefined) await setActor(client, event.actor);
  await client.query('select safekeep.record_audit_event($1, $2, $3, $4, $5, $6, $7::jsonb)', [
    id,
    event.kind,
    event.action,
    event.subject ?? null,
    event.table ?? null,
    event.record ?? null,
    event.details === undefined ? null : JSON.stringify(event.details),
  ]);
}

export async function beginWriting(client: pg.ClientBase): Promise<void> {
  await client.query('begin; set local search_path = pg_catalog, pg_temp');
}

export async function endWriting(client: pg.ClientBase): Promise<void> {
  await client.query('commit');
}
