import type pg from 'pg';
import type { EventRow } from '../../model.ts';

const TIME = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;

/** Every column, as the leaf and the commitments are made of them. */
export const COLUMNS = `tenant_id as tenant, pg_catalog.to_char(sequenced_at at time zone 'UTC', ${TIME}) as "sequencedAt", era, leaf_index::float8 as index, id,
  pg_catalog.to_char(at at time zone 'UTC', ${TIME}) as at, order_no::text as "orderNo", kind, action, table_name as "table", columns, record, subject,
  other_subjects as "otherSubjects", actor, actor_pseudonym as "actorPseudonym", attribution, purpose, request_id as request, details::text as details,
  commitments, salts, sealed`;

/** Where a batch ended. Two rows may claim one index, where somebody put one in by hand. */
export type EntryPlace = { readonly index: number; readonly sequencedAt: string };

/** Events after a place, in the order of the tree. */
export async function readEntries(
  client: pg.ClientBase,
  tenant: string,
  { era, after, limit }: { readonly era: number; readonly after: EntryPlace; readonly limit: number },
): Promise<readonly EventRow[]> {
  const { rows } = await client.query<EventRow>(
    `select ${COLUMNS} from safekeep.audit_events where tenant_id = $1 and era = $2 and (leaf_index, sequenced_at) > ($3::bigint, $4::timestamptz)
      order by audit_events.leaf_index, audit_events.sequenced_at limit $5`,
    [tenant, era, after.index, after.sequencedAt, limit],
  );
  return rows;
}
