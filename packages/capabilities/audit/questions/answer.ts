import type { Database } from '@safekeep/postgres';
import type { SubjectKeys } from '../../encryption/index.ts';
import type { EventRow } from '../model.ts';
import { openChanges } from '../store/event-values.ts';
import { readOnly } from '../store/read-only.ts';
import type { EventFilter, EventView, Place } from './model.ts';
import { namedFor, type Naming } from './naming.ts';
import { accessSentence, isMachine } from './sentences.ts';
import { findEvents } from './store/events.ts';
import { eventView, formatPlace, placeOf } from './view.ts';

export type Page<Item> = { readonly events: readonly Item[]; readonly next: string | null };

type Asked = { readonly limit: number; readonly after?: Place; readonly oldestFirst?: boolean };

/** A page of the events that fit, newest first. */
export async function searchEvents(database: Database, tenant: string, filter: EventFilter, page: Asked): Promise<Page<EventView>> {
  return pageOf(await read(database, tenant, filter, page), page.limit, (row) => eventView(row));
}

/**
 * All that happened to one row, newest first, each with the values before and after; those of people are opened with their keys. Whoever
 * asks reads personal data: the caller records that.
 */
export async function recordHistory(
  database: Database,
  { tenant, keys }: { readonly tenant: string; readonly keys: SubjectKeys },
  filter: EventFilter & { readonly table: string; readonly record: string },
  page: Asked,
): Promise<Page<EventView>> {
  return await readOnly(database, tenant, async (client) => {
    const rows = await findEvents(client, tenant, filter, { ...page, limit: page.limit + 1 });
    const opened = await openChanges(client, keys, rows);
    return pageOf(rows, page.limit, (row) => eventView(row, opened.get(row.id)));
  });
}

/** All that the log has about one person, newest first. */
export async function subjectHistory(database: Database, tenant: string, subject: string, page: Asked): Promise<Page<EventView>> {
  return await searchEvents(database, tenant, { subject }, page);
}

/** What a person is told of an event about them. */
export type AccessLine = {
  readonly index: number;
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly actor: string | null;
  /** A program and not a person. */
  readonly machine: boolean;
  readonly sentence: string;
};

/** Who looked at a person's record and who changed it, newest first, in sentences that need no glossary. */
export async function accessLog(
  database: Database,
  { tenant, naming }: { readonly tenant: string; readonly naming: Naming },
  asked: { readonly subject: string; readonly from?: string; readonly to?: string },
  page: Asked,
): Promise<Page<AccessLine>> {
  return pageOf(await read(database, tenant, asked, page), page.limit, (row) => {
    const event = namedFor(asked.subject, eventView(row), naming);
    return {
      index: event.index,
      id: event.id,
      at: event.at,
      action: event.action,
      actor: event.actor,
      machine: isMachine(eventView(row)),
      sentence: accessSentence(event, asked.subject),
    };
  });
}

/** One more than is shown tells whether there is another page. */
async function read(database: Database, tenant: string, filter: EventFilter, page: Asked): Promise<readonly EventRow[]> {
  return await readOnly(database, tenant, (client) => findEvents(client, tenant, filter, { ...page, limit: page.limit + 1 }));
}

function pageOf<Item>(rows: readonly EventRow[], limit: number, show: (row: EventRow) => Item): Page<Item> {
  const last = rows[limit - 1];
  return {
    events: rows.slice(0, limit).map(show),
    next: rows.length > limit && last !== undefined ? formatPlace(placeOf(last)) : null,
  };
}
