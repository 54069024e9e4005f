import type { Database } from '@safekeep/postgres';
import { readOnly } from '../store/read-only.ts';
import { lineWriter, type ExportFormat } from './formats.ts';
import type { EventFilter, Place } from './model.ts';
import { findEvents } from './store/events.ts';
import { eventView, placeOf } from './view.ts';

/** Enough that the database is not asked for each line, little enough to stay small in memory. */
const PAGE = 2000;

/**
 * Gives every event that fits to `write`, oldest first, as the database was at one moment. `write` may wait: nothing is read
 * ahead meanwhile. Returns how many there were.
 */
export async function exportEvents(
  database: Database,
  { tenant, version, signal }: { readonly tenant: string; readonly version: string; readonly signal: AbortSignal },
  { filter, format }: { readonly filter: EventFilter; readonly format: ExportFormat },
  write: (text: string) => Promise<void>,
): Promise<number> {
  const { head, line } = lineWriter(format, { version });
  if (head !== '') await write(head);
  return await readOnly(database, tenant, async (client) => {
    let [events, after]: [number, Place | undefined] = [0, undefined];
    for (let more = true; more;) {
      signal.throwIfAborted();
      const page: { limit: number; oldestFirst: boolean; after?: Place } = { limit: PAGE, oldestFirst: true };
      if (after !== undefined) page.after = after;
      const rows = await findEvents(client, tenant, filter, page);
      if (rows.length > 0) await write(rows.map((row) => line(eventView(row))).join(''));
      events += rows.length;
      const last = rows.at(-1);
      after = last === undefined ? undefined : placeOf(last);
      more = rows.length === PAGE;
    }
    return events;
  });
}
