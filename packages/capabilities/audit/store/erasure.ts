import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import type { Capture, EventRow } from '../model.ts';
import { splitKey } from '../rules/key.ts';
import { remainStatement } from './capture-sql.ts';
import { EVENT_COLUMNS, isAbout, isAlsoAbout, isBy, isFirstAbout } from './events.ts';
import { readable, unlessUnreadable } from './live-rows.ts';

type Client = Pick<pg.ClientBase, 'query'>;

/** From here to the end of the transaction capture writes keys and names of columns, and no values. */
export async function captureKeysOnly(client: Queryable, tenant: string, subject: string): Promise<void> {
  await client.query('select safekeep.capture_keys_only($1, $2)', [tenant, subject]);
}

/**
 * Empties what points to the person, and closes the commitments to it and to the blobs under destroyed keys. Of an event that
 * is about others too the record stays, which is theirs. Answers how many events that were.
 */
export async function forgetSubject(
  client: Client,
  {
    tenant,
    subject,
    fates,
    keyIds,
  }: { readonly tenant: string; readonly subject: string; readonly fates: readonly string[]; readonly keyIds: readonly string[] },
): Promise<number> {
  const { rows } = await client.query<{ forgotten: string }>(
    `with captures as (
       select table_name, definition ->> 'fate' as fate from safekeep.audit_captures where tenant_id = $1
     ), chosen as (
       select e.tenant_id, e.era, e.leaf_index, e.sequenced_at from safekeep.audit_events as e
         left join captures as c on c.table_name = e.table_name
        where e.tenant_id = $1 and ${isAbout('$1', '$2')} and coalesce(c.fate, 'erasable') = any ($3::text[])
     ), forgotten as (
       update safekeep.audit_events as e
          set subject = case when e.subject = $2 then null else e.subject end,
              other_subjects = nullif(array_remove(e.other_subjects, $2), '{}'),
              record = case when coalesce(e.subject, $2) = $2 and coalesce(array_remove(e.other_subjects, $2), '{}') = '{}' then null else e.record end,
              actor = nullif(e.actor, $2),
              commitments = safekeep.close_commitments(e.commitments, e.record, e.subject, e.other_subjects,
                coalesce(e.purpose, e.request_id, e.details::text) is not null, e.sealed, $4::text[])
         from chosen as c
        where e.tenant_id = c.tenant_id and e.era = c.era and e.leaf_index = c.leaf_index and e.sequenced_at = c.sequenced_at
       returning 1
     ), acted as (
       update safekeep.audit_events as e set actor = null
        where e.tenant_id = $1 and ${isBy('$1', '$2')} and (e.subject is distinct from $2) and not coalesce(e.other_subjects @> array[$2], false)
       returning 1
     ) select (select count(*) from forgotten) + 0 * (select count(*) from acted) as forgotten`,
    [tenant, subject, fates, keyIds],
  );
  return Number(rows[0]?.forgotten ?? 0);
}

/** By table the keys of rows that the log may know as the person's, or of which an erasure that is not sequenced yet left values out. */
export async function readRecords(
  client: Client,
  { tenant, subject }: { readonly tenant: string; readonly subject: string },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ table: string; records: string[] }>(
    `with inbox as (
       select * from (select * from safekeep.audit_inbox_even union all select * from safekeep.audit_inbox_odd) as i
        where i.tenant_id = $1 and i.keys_only and i.action <> 'delete'
     ) select r.table_name as "table", array_agg(distinct r.record) as records from (
       select e.table_name, e.record from safekeep.audit_events as e
        where e.tenant_id = $1 and ${isFirstAbout('$1', '$2')} and e.kind = 'change' and e.record is not null
       union all
       select e.table_name, e.record from safekeep.audit_events as e
        where e.tenant_id = $1 and ${isAlsoAbout('$1', '$2')} and e.kind = 'change' and e.record is not null
       union all
       select i.table_name, i.record
         from (select i.table_name, coalesce(i.new_record, i.record) as record from inbox as i
               union all
               -- The first text of each change of a batch is the key.
               select i.table_name, i.many[place][1] from inbox as i, generate_subscripts(i.many, 1) as place) as i
        where i.record is not null) as r
      group by r.table_name`,
    [tenant, subject],
  );
  return new Map(rows.map(({ table, records }) => [table, records]));
}

/** The person's events in which a key of the table's rows was written: the row may have another key by now than the event names. */
export async function readKeyChanges(
  client: Client,
  { tenant, subject }: { readonly tenant: string; readonly subject: string },
  { table, key }: Pick<Capture, 'table' | 'key'>,
): Promise<readonly EventRow[]> {
  const { rows } = await client.query<EventRow>(
    `select ${EVENT_COLUMNS} from safekeep.audit_events as e
      where e.tenant_id = $1 and ${isAbout('$1', '$2')} and e.kind = 'change' and e.table_name = $3
        and e.columns ?| $4::text[] and e.record is not null`,
    [tenant, subject, table, key.map(({ name }) => name)],
  );
  return rows;
}

/** Writes down how these rows stand now. Those that are not there any more say nothing; nor does a table that cannot be read. */
export async function writeRemains(
  client: Client,
  capture: Capture,
  { subject, records }: { readonly subject: string; readonly records: readonly string[] },
): Promise<void> {
  const parts = records.map(splitKey);
  const arrays = capture.key.map((_, place) => parts.map((each) => each[place] ?? null));
  await unlessUnreadable(client, async () => {
    const seen = await readable(client, capture);
    if (seen !== undefined) await client.query(remainStatement(seen), [JSON.stringify({ subject }), ...arrays]);
  });
}

/** Events of tables with these fates that name the person. */
export async function countNamed(
  db: Queryable,
  { tenant, subject, fates }: { readonly tenant: string; readonly subject: string; readonly fates: readonly string[] },
): Promise<number> {
  const { rows } = await db.query(
    `select count(*)::float8 as events from safekeep.audit_events as e
       left join safekeep.audit_captures as c on c.tenant_id = e.tenant_id and c.table_name = e.table_name
      where e.tenant_id = $1 and ${isAbout('$1', '$2')} and coalesce(c.definition ->> 'fate', 'erasable') = any ($3::text[])`,
    [tenant, subject, fates],
  );
  // The statement names this column.
  return (rows as readonly { readonly events: number }[])[0]?.events ?? 0;
}

/**
 * Removes from the inboxes what the log has already: the plaintext of changes would stand there until the inbox that is written to is
 * emptied, ten minutes and more. Only under the lock of the sequencer. What was committed and not yet moved stays, and is moved next.
 */
export async function removeSequenced(client: Client): Promise<void> {
  for (const inbox of ['audit_inbox_even', 'audit_inbox_odd'])
    await client.query(
      `delete from safekeep.${inbox} as i using safekeep.audit_sequencer as s
        where s.tenant_id = '*' and pg_catalog.pg_visible_in_snapshot(i.xid, s.done)`,
    );
}
