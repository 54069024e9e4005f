import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { EventRow } from '../model.ts';
import { jsonbText } from '../rules/jsonb-text.ts';
import { copyWriter, type CopyWriter } from './copy-writer.ts';
import { micros } from './inbox.ts';

const COLUMNS = `tenant_id, sequenced_at, era, leaf_index, id, at, order_no, kind, action, table_name, columns, record, subject, other_subjects,
  actor, actor_pseudonym, attribution, purpose, request_id, details, commitments, sealed`;

/** What {@link EventRow} is read by. */
export const EVENT_COLUMNS = `e.tenant_id as tenant, ${micros('e.sequenced_at')} as "sequencedAt", e.era, e.leaf_index::float8 as index, e.id::text,
  ${micros('e.at')} as at, e.order_no::text as "orderNo", e.kind, e.action, e.table_name as "table", e.columns, e.record, e.subject,
  e.other_subjects as "otherSubjects", e.actor, e.actor_pseudonym as "actorPseudonym", e.attribution, e.purpose, e.request_id as request,
  e.details::text, e.commitments, e.sealed, e.emptied`;

/** By what the indexes find the events of a row, and of a person: whoever looks by it compares the names too, which two may share it. */
function recordHash(tenant: string, table: string, record: string): string {
  return `pg_catalog.hashtextextended(${tenant} || ' ' || ${table} || ' ' || ${record}, 0)`;
}

function nameHash(tenant: string, name: string): string {
  return `pg_catalog.hashtextextended(${tenant} || ' ' || ${name}, 0)`;
}

const RECORD_HASH = recordHash('e.tenant_id', 'e.table_name', 'e.record');

/** Whether event `e` is of this row; the arguments are expressions of SQL. */
export function isOfRow(tenant: string, table: string, record: string): string {
  return `(e.tenant_id = ${tenant} and e.table_name = ${table} and e.record = ${record} and ${RECORD_HASH} = ${recordHash(tenant, table, record)})`;
}

/** Whether event `e` is of one of these rows of a table. */
export function isOfOneOf(tenant: string, table: string, records: readonly string[]): string {
  const hashes = records.map((record) => recordHash(tenant, table, record));
  return `(e.tenant_id = ${tenant} and e.table_name = ${table} and e.record in (${records.join(', ')}) and ${RECORD_HASH} in (${hashes.join(', ')}))`;
}

/** Whether event `e` is about this person, first of all or among others. */
export function isAbout(tenant: string, subject: string): string {
  return `(${isFirstAbout(tenant, subject)} or ${isAlsoAbout(tenant, subject)})`;
}

export function isFirstAbout(tenant: string, subject: string): string {
  return `(e.subject = ${subject} and ${nameHash('e.tenant_id', 'e.subject')} = ${nameHash(tenant, subject)})`;
}

export function isAlsoAbout(tenant: string, subject: string): string {
  return `(e.other_subjects @> array[${subject}]::text[] and safekeep.audit_hashes(e.tenant_id, e.other_subjects) @> array[${nameHash(tenant, subject)}])`;
}

/** Whether event `e` was done by this actor. */
export function isBy(tenant: string, actor: string): string {
  return `(e.actor = ${actor} and ${nameHash('e.tenant_id', 'e.actor')} = ${nameHash(tenant, actor)})`;
}

/** Writes them as they are made: each piece is on its way while the next ones are sealed. */
export async function copyEvents(client: pg.ClientBase, rows: Iterable<EventRow>): Promise<void> {
  const copy = client.query(copyFrom(`copy safekeep.audit_events (${COLUMNS}) from stdin with (format binary)`));
  await pipeline(Readable.from(pieces(rows), { objectMode: true }), copy);
}

function* pieces(rows: Iterable<EventRow>): Generator<Buffer> {
  const writer = copyWriter();
  for (const row of rows) {
    writeRow(writer, row);
    yield* writer.full();
  }
  yield* writer.end();
}

/** In the order of {@link COLUMNS}. */
function writeRow(writer: CopyWriter, row: EventRow): void {
  writer.begin(22);
  writer.text(row.tenant);
  writer.instant(row.sequencedAt);
  writer.integer(row.era);
  writer.bigint(row.index);
  writer.uuid(row.id);
  writer.instant(row.at);
  writer.bigint(row.orderNo);
  writer.text(row.kind);
  writer.text(row.action);
  writer.text(row.table);
  writer.jsonb(row.columns === null ? null : jsonbText(row.columns));
  writer.text(row.record);
  writer.text(row.subject);
  writer.texts(row.otherSubjects);
  writer.text(row.actor);
  writer.bytes(row.actorPseudonym);
  writer.text(row.attribution);
  writer.text(row.purpose);
  writer.text(row.request);
  writer.jsonb(row.details);
  writer.bytes(row.commitments);
  writer.bytes(row.sealed);
}

export type RowName = { readonly tenant: string; readonly table: string; readonly record: string };

/** By {@link rowName}: the people whom the log has as those of a row, now or at some time, as far as it may still name them. */
export async function readPeopleOfRows(
  client: pg.ClientBase,
  rows: readonly RowName[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (rows.length === 0) return new Map();
  const { rows: found } = await client.query<RowName & { subjects: string[] }>(
    `select r.tenant, r.name as "table", r.record, array_agg(distinct s.subject) as subjects
       from (select distinct * from unnest($1::text[], $2::text[], $3::text[]) as r (tenant, name, record)) as r
       join safekeep.audit_events as e on ${isOfRow('r.tenant', 'r.name', 'r.record')} and e.kind = 'change'
      cross join lateral unnest(array_prepend(e.subject, e.other_subjects)) as s (subject)
      where s.subject is not null group by r.tenant, r.name, r.record`,
    [rows.map(({ tenant }) => tenant), rows.map(({ table }) => table), rows.map(({ record }) => record)],
  );
  return new Map(found.map((row) => [rowName(row), row.subjects]));
}

export function rowName({ tenant, table, record }: RowName): string {
  return `${tenant} ${table}:${record}`;
}
