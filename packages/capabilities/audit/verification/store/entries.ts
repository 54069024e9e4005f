import type pg from 'pg';
import type { EventRow } from '../../model.ts';
import { EVENT_COLUMNS } from '../../store/events.ts';

/** Where a batch ended. Two rows may claim one index, where somebody put one in by hand. */
export type EntryPlace = { readonly index: number; readonly sequencedAt: string };

/** Events after a place, in the order of the tree. */
export async function readEntries(
  client: pg.ClientBase,
  tenant: string,
  { era, after, limit }: { readonly era: number; readonly after: EntryPlace; readonly limit: number },
): Promise<readonly EventRow[]> {
  const { rows } = await client.query<EventRow>(
    `select ${EVENT_COLUMNS} from safekeep.audit_events as e
      where e.tenant_id = $1 and e.era = $2 and (e.leaf_index, e.sequenced_at) > ($3::bigint, $4::timestamptz)
      order by e.leaf_index, e.sequenced_at limit $5`,
    [tenant, era, after.index, after.sequencedAt, limit],
  );
  return rows;
}
