import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import { REMAIN, type Capture, type EventRow } from '../model.ts';
import type { MarkOf } from '../keys/key-file.ts';
import { splitKey } from '../rules/key.ts';
import { emptiedMark, type Emptied } from '../rules/marks.ts';
import { remainStatement } from './capture/inbox-rows.ts';
import { EVENT_COLUMNS, isAbout, isAlsoAbout, isBy, isFirstAbout } from './events.ts';
import { micros } from './inbox.ts';
import { eachUnlessUnreadable, readableOf } from './live-rows.ts';

type Client = Pick<pg.ClientBase, 'query'>;

/** From here to the end of the transaction capture writes keys and names of columns, and no values. */
export async function captureKeysOnly(client: Queryable, tenant: string, subject: string): Promise<void> {
  await client.query('select safekeep.capture_keys_only($1, $2)', [tenant, subject]);
}

/** Events emptied by one statement. */
const EMPTIED_AT_ONCE = 2000;

type Forgotten = {
  readonly tenant: string;
  readonly subject: string;
  readonly fates: readonly string[];
  readonly keyIds: readonly string[];
};

/**
 * Empties what points to the person, and closes the commitments to it and to the blobs under destroyed keys. Of an event that
 * is about others too the record stays, which is theirs. Each gets the mark of the home, without which a verification does not believe
 * that an erasure did it. Answers how many events were about the person.
 */
export async function forgetSubject(client: Client, forgotten: Forgotten, markOf: MarkOf): Promise<number> {
  let about = 0;
  // One walk: whoever asks again for the next ones steps over all that are emptied already, and of a person with very many that is most of it.
  await declareLeft(client, forgotten);
  for (;;) {
    const { rows: left } = await client.query<Left>(`fetch ${EMPTIED_AT_ONCE} from safekeep_left`);
    if (left.length === 0) break;
    about += left.filter(({ isAbout: isOne }) => isOne).length;
    await writeLeft(
      client,
      left.map((event) => ({ ...event, emptied: emptiedMark(markOf, { ...event, tenant: forgotten.tenant }) })),
      forgotten.tenant,
    );
  }
  await client.query('close safekeep_left');
  return about;
}

/** What is left of an event. */
type Left = Omit<Emptied, 'tenant'> & { readonly sequencedAt: string; readonly isAbout: boolean };

/** One for each table: the tenant's own, or of a table with a column for the tenant that of whoever applied it. */
function isCaptureOf(tenant: string): string {
  return `(c.tenant_id = ${tenant} or c.tenant_id = (
    select min(s.tenant_id) from safekeep.audit_captures as s
     where s.table_name = c.table_name and s.definition ->> 'tenantColumn' is not null
       and not exists (select from safekeep.audit_captures as o where o.table_name = s.table_name and o.tenant_id = ${tenant})))`;
}

/** Of all events that name the person, what an erasure leaves: as they stand now, whatever is written to them meanwhile. */
async function declareLeft(client: Client, { tenant, subject, fates, keyIds }: Forgotten): Promise<void> {
  const place = `e.era, e.leaf_index::float8 as index, e.id::text, ${micros('e.sequenced_at')} as "sequencedAt"`;
  await client.query(
    `declare safekeep_left no scroll cursor for with captures as (
       select c.table_name, c.definition ->> 'fate' as fate from safekeep.audit_captures as c where ${isCaptureOf('$1')}
     ), about as (
       select ${place}, true as "isAbout", e.subject, e.record, e.actor,
              nullif(array_remove(e.other_subjects, $2), '{}') as others,
              safekeep.close_commitments(e.commitments, e.record, e.subject, e.other_subjects,
                coalesce(e.purpose, e.request_id, e.details::text) is not null, e.sealed, $4::text[]) as commitments
         from safekeep.audit_events as e
         left join captures as c on c.table_name = e.table_name
        where e.tenant_id = $1 and ${isAbout('$1', '$2')} and coalesce(c.fate, 'erasable') = any ($3::text[])
     ), acted as (
       select ${place}, false as "isAbout", e.subject, e.other_subjects as "otherSubjects", e.record, null::text as actor, e.commitments
         from safekeep.audit_events as e
        where e.tenant_id = $1 and ${isBy('$1', '$2')} and (e.subject is distinct from $2) and not coalesce(e.other_subjects @> array[$2], false)
     )
     select era, index, id, "sequencedAt", "isAbout", nullif(subject, $2) as subject, others as "otherSubjects",
            case when coalesce(subject, $2) = $2 and others is null then null else record end as record, nullif(actor, $2) as actor, commitments
       from about
     union all
     select era, index, id, "sequencedAt", "isAbout", subject, "otherSubjects", record, actor, commitments from acted`,
    [tenant, subject, fates, keyIds],
  );
}

async function writeLeft(client: Client, left: readonly (Left & { readonly emptied: Buffer })[], tenant: string): Promise<void> {
  const bytes = (value: Buffer): string => `\\x${value.toString('hex')}`;
  await client.query(
    `update safekeep.audit_events as e
        set subject = n.subject, other_subjects = n.others, record = n.record, actor = n.actor, commitments = n.commitments, emptied = n.emptied
       from jsonb_to_recordset($2::jsonb) as n (era integer, index bigint, at timestamptz, subject text, others text[], record text, actor text,
              commitments bytea, emptied bytea)
      where e.tenant_id = $1 and e.era = n.era and e.leaf_index = n.index and e.sequenced_at = n.at`,
    [
      tenant,
      JSON.stringify(
        left.map(({ era, index, sequencedAt, subject, otherSubjects, record, actor, commitments, emptied }) => ({
          era,
          index,
          at: sequencedAt,
          subject,
          others: otherSubjects,
          record,
          actor,
          commitments: bytes(commitments),
          emptied: bytes(emptied),
        })),
      ),
    ],
  );
}

/**
 * By table the keys of rows that the log may know as the person's, or of which this erasure left values out and nothing is sequenced yet: in this
 * transaction, or in one before it, which said of each such row how it stood.
 */
export async function readRecordsWithErased(
  client: Client,
  { tenant, subject }: { readonly tenant: string; readonly subject: string },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map(await readRecords(client, { tenant, subject }));
  const { rows: before } = await client.query<{ table: string; records: string[] }>(
    `select i.table_name as "table", array_agg(distinct i.record) as records
       from (select * from safekeep.audit_inbox_even union all select * from safekeep.audit_inbox_odd) as i
      where i.tenant_id = $1 and i.action = '${REMAIN}' and i.record is not null and i.own ->> 'subject' = $2
      group by i.table_name`,
    [tenant, subject],
  );
  for (const [table, records] of [
    ...(await readErasedHere(client, tenant)),
    ...before.map((row) => [row.table, row.records] as const),
  ])
    found.set(table, [...new Set([...(found.get(table) ?? []), ...records])]);
  return found;
}

/** By table the keys of rows that the log may know as the person's. */
export async function readRecords(
  client: Client,
  { tenant, subject }: { readonly tenant: string; readonly subject: string },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ table: string; records: string[] }>(
    `select r.table_name as "table", array_agg(distinct r.record) as records from (
       select e.table_name, e.record from safekeep.audit_events as e
        where e.tenant_id = $1 and ${isFirstAbout('$1', '$2')} and e.kind = 'change' and e.record is not null
       union all
       select e.table_name, e.record from safekeep.audit_events as e
        where e.tenant_id = $1 and ${isAlsoAbout('$1', '$2')} and e.kind = 'change' and e.record is not null) as r
      group by r.table_name`,
    [tenant, subject],
  );
  return new Map(rows.map(({ table, records }) => [table, records]));
}

/** Rows of the inboxes of which an erasure left values out, by table and key. */
function erasedRows(where: string): string {
  return `with inbox as (
       select * from (select * from safekeep.audit_inbox_even union all select * from safekeep.audit_inbox_odd) as i
        where ${where} and i.keys_only and i.action <> 'delete'
     ) select i.table_name, i.record
         from (select i.table_name, coalesce(i.new_record, i.record) as record from inbox as i
               union all
               -- The first text of each change of a batch is the key.
               select i.table_name, i.many[place][1] from inbox as i, generate_subscripts(i.many, 1) as place) as i
        where i.record is not null`;
}

/** Those that this transaction wrote. */
export async function readErasedHere(client: Client, tenant: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ table: string; records: string[] }>(
    `select r.table_name as "table", array_agg(distinct r.record) as records
       from (${erasedRows('i.tenant_id = $1 and i.xid = pg_current_xact_id()')}) as r group by r.table_name`,
    [tenant],
  );
  return new Map(rows.map(({ table, records }) => [table, records]));
}

/** The person's events in which a key of rows of these tables was written: the row may have another key by now than the event names. */
export async function readKeyChanges(
  client: Client,
  { tenant, subject }: { readonly tenant: string; readonly subject: string },
  captures: readonly Pick<Capture, 'table' | 'key'>[],
): Promise<readonly EventRow[]> {
  const keys = Object.fromEntries(captures.map(({ table, key }) => [table, key.map(({ name }) => name)]));
  const { rows } = await client.query<EventRow>(
    `select ${EVENT_COLUMNS} from safekeep.audit_events as e
      where e.tenant_id = $1 and ${isAbout('$1', '$2')} and e.kind = 'change' and $3::jsonb ? e.table_name
        and e.columns ?| array(select jsonb_array_elements_text($3::jsonb -> e.table_name)) and e.record is not null`,
    [tenant, subject, JSON.stringify(keys)],
  );
  return rows;
}

export type Remaining = { readonly capture: Capture; readonly records: readonly string[] };

/** Rows that one statement writes down. */
const REMAINS_AT_ONCE = 5000;

/** Writes down how these rows stand now. Those that are not there any more say nothing; nor does a table that cannot be read. */
export async function writeRemains(client: pg.ClientBase, subject: string, remaining: readonly Remaining[]): Promise<void> {
  await eachUnlessUnreadable(client, remaining, async (within, some) => {
    const seen = await readableOf(
      within,
      some.map(({ capture }) => capture),
    );
    for (const [place, { records }] of some.entries()) {
      const capture = seen[place];
      if (capture === undefined) continue;
      for (let from = 0; from < records.length; from += REMAINS_AT_ONCE) {
        const parts = records.slice(from, from + REMAINS_AT_ONCE).map(splitKey);
        const arrays = capture.key.map((_, at) => parts.map((each) => each[at] ?? null));
        await within.query(remainStatement(capture), [JSON.stringify({ subject }), ...arrays]);
      }
    }
    return some;
  });
}

/** Events of tables with these fates that name the person. */
export async function countNamed(
  db: Queryable,
  { tenant, subject, fates }: { readonly tenant: string; readonly subject: string; readonly fates: readonly string[] },
): Promise<number> {
  const { rows } = await db.query(
    `select count(*)::float8 as events from safekeep.audit_events as e
       left join safekeep.audit_captures as c on c.table_name = e.table_name and ${isCaptureOf('$1')}
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
