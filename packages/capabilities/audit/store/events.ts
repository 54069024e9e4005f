import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { EventRow } from '../model.ts';
import { micros } from './inbox.ts';

const COLUMNS = `tenant_id, sequenced_at, era, leaf_index, id, at, order_no, kind, action, table_name, columns, record, subject, other_subjects,
  actor, actor_pseudonym, attribution, purpose, request_id, details, commitments, salts, sealed`;

/** What {@link EventRow} is read by. */
export const EVENT_COLUMNS = `e.tenant_id as tenant, ${micros('e.sequenced_at')} as "sequencedAt", e.era, e.leaf_index::float8 as index, e.id::text,
  ${micros('e.at')} as at, e.order_no::text as "orderNo", e.kind, e.action, e.table_name as "table", e.columns, e.record, e.subject,
  e.other_subjects as "otherSubjects", e.actor, e.actor_pseudonym as "actorPseudonym", e.attribution, e.purpose, e.request_id as request,
  e.details::text, e.commitments, e.salts, e.sealed`;

/** Lines are sent in pieces of about this size. */
const PIECE_CHARS = 65_536;

export async function copyEvents(client: pg.ClientBase, rows: readonly EventRow[]): Promise<void> {
  await pipeline(Readable.from(pieces(rows)), client.query(copyFrom(`copy safekeep.audit_events (${COLUMNS}) from stdin`)));
}

function* pieces(rows: readonly EventRow[]): Generator<string> {
  let piece = '';
  for (const row of rows) {
    piece += line(row);
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function line(row: EventRow): string {
  return `${[
    text(row.tenant),
    row.sequencedAt,
    row.era,
    row.index,
    row.id,
    row.at,
    row.orderNo,
    row.kind,
    row.action,
    text(row.table),
    list(row.columns),
    text(row.record),
    text(row.subject),
    list(row.otherSubjects),
    text(row.actor),
    bytes(row.actorPseudonym),
    row.attribution,
    text(row.purpose),
    text(row.request),
    text(row.details),
    bytes(row.commitments),
    bytes(row.salts),
    bytes(row.sealed),
  ].join('\t')}\n`;
}

const SPECIAL = /[\\\n\r\t]/g;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** PostgreSQL manual, COPY, text format. */
function text(value: string | null): string {
  return value === null ? '\\N' : value.replaceAll(SPECIAL, (found) => ESCAPES[found] ?? found);
}

function list(values: readonly string[] | null): string {
  return values === null ? '\\N' : text(`{${values.map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`);
}

function bytes(value: Buffer | null): string {
  return value === null ? '\\N' : `\\\\x${value.toString('hex')}`;
}

/** JSON as jsonb prints it, in the same order: what is committed to must be what is stored. */
export async function normalised(client: pg.ClientBase, texts: readonly string[]): Promise<readonly string[]> {
  if (texts.length === 0) return [];
  const { rows } = await client.query<{ text: string }>(
    'select (t.text::jsonb)::text from unnest($1::text[]) with ordinality as t (text, place) order by t.place',
    [texts],
  );
  return rows.map((row) => row.text);
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
       join safekeep.audit_events as e on e.tenant_id = r.tenant and e.table_name = r.name and e.record = r.record and e.kind = 'change'
      cross join lateral unnest(array_prepend(e.subject, e.other_subjects)) as s (subject)
      where s.subject is not null group by r.tenant, r.name, r.record`,
    [rows.map(({ tenant }) => tenant), rows.map(({ table }) => table), rows.map(({ record }) => record)],
  );
  return new Map(found.map((row) => [rowName(row), row.subjects]));
}

export function rowName({ tenant, table, record }: RowName): string {
  return `${tenant} ${table}:${record}`;
}
