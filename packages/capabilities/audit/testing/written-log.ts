import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { newId } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem, type Signer } from '@safekeep/crypto';
import { append, leafHash, parseTilePath, readEdge, signCheckpoint, type Hash } from '@safekeep/tlog';
import type { EventRow } from '../model.ts';
import { leafBytes, leafOf, SEED_BYTES } from '../rules/leaf.ts';

export const TENANT = 'default';

/** What a test says of an event; the rest is made up. */
export type Told = Partial<
  Pick<
    EventRow,
    | 'kind'
    | 'action'
    | 'table'
    | 'columns'
    | 'record'
    | 'subject'
    | 'otherSubjects'
    | 'actor'
    | 'attribution'
    | 'purpose'
    | 'request'
    | 'at'
  >
> & {
  readonly details?: object;
};

const START = Date.parse('2026-11-01T00:00:00Z');
const BATCH = 5000;

/** Writes a log into the tables of audit, byte by byte as docs/audit-format.md has it, and signs it after each call. */
export async function writtenLog(
  pool: pg.Pool,
  { era = 1, signer = signingKeyFromPem(createSigningKey(), 'safekeep') }: { readonly era?: number; readonly signer?: Signer } = {},
) {
  const origin = `safekeep/${TENANT}/0a1b2c3d${era === 1 ? '' : `-${era}`}`;
  let size = 0;
  let note = '';
  const write = async (count: number, tell: (index: number) => Told): Promise<string> => {
    const hashes: Hash[] = [];
    for (let from = size; from < size + count; from += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, size + count - from) }, (_, at) =>
        eventRow(from + at, era, tell(from + at)),
      );
      hashes.push(...rows.map((row) => leafHash(leafBytes(leafOf(row)))));
      await insertEvents(pool, rows);
    }
    const grown = append(await readEdge(tileReader(pool, era), size), hashes);
    size += count;
    await pool.query(
      `insert into safekeep.audit_trees (tenant_id, era, origin, size, root, opened_at) values ($1, $2, $3, $4, $5, now())
       on conflict (tenant_id, era) do update set size = excluded.size, root = excluded.root`,
      [TENANT, era, origin, size, grown.root],
    );
    for (const { tile, bytes } of grown.tiles) {
      await pool.query(
        `insert into safekeep.audit_tiles (tenant_id, era, level, tile, hashes) values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, era, level, tile) do update set hashes = excluded.hashes`,
        [TENANT, era, tile.level, tile.index, bytes],
      );
    }
    note = signCheckpoint({ origin, size, root: grown.root }, [signer]);
    await pool.query(
      'insert into safekeep.audit_checkpoints (tenant_id, era, size, root, note, signed_at) values ($1, $2, $3, $4, $5, now())',
      [TENANT, era, size, grown.root, note],
    );
    return note;
  };
  return { write, signer, origin, note: () => note };
}

function tileReader(pool: pg.Pool, era: number) {
  return async (path: string): Promise<Uint8Array | undefined> => {
    const tile = parseTilePath(path);
    const { rows } = await pool.query<{ hashes: Buffer }>(
      'select hashes from safekeep.audit_tiles where tenant_id = $1 and era = $2 and level = $3 and tile = $4',
      [TENANT, era, tile?.level, tile?.index],
    );
    return rows[0]?.hashes;
  };
}

/** An event with all its commitments. */
function eventRow(index: number, era: number, told: Told): EventRow {
  const { details, ...rest } = told;
  const row = {
    tenant: TENANT,
    era,
    index,
    id: newId<'audit-event'>(),
    at: microseconds(START + index * 1000),
    sequencedAt: microseconds(Date.now()),
    orderNo: String(index),
    kind: 'change' as const,
    action: 'update',
    table: 'public.patients',
    columns: null,
    record: null,
    subject: null,
    otherSubjects: null,
    actor: null,
    attribution: 'none' as const,
    purpose: null,
    request: null,
    // As jsonb prints it: a blank after colons and commas, shorter keys first.
    details: details === undefined ? null : jsonbText(details),
    sealed: null,
    emptied: null,
    ...rest,
  };
  const actorPseudonym = row.actor === null ? null : pseudonymOf(row.tenant, row.actor);
  return { ...row, actorPseudonym, commitments: randomBytes(SEED_BYTES) };
}

/** Any function of tenant and name will do for a log written by hand. */
export function pseudonymOf(tenant: string, actor: string): Buffer {
  return createHash('sha256').update(`${tenant}\n${actor}`).digest().subarray(0, 16);
}

/** As for pseudonyms. */
export function markOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16).toString('base64');
}

function microseconds(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

function jsonbText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonbText).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}: ${jsonbText(each)}`).join(', ')}}`;
}

async function insertEvents(pool: pg.Pool, rows: readonly EventRow[]): Promise<void> {
  const texts = rows.map((row) => ({
    ...row,
    details: row.details,
    actorPseudonym: row.actorPseudonym?.toString('hex') ?? null,
    commitments: row.commitments.toString('hex'),
  }));
  await pool.query(
    `insert into safekeep.audit_events (tenant_id, sequenced_at, era, leaf_index, id, at, order_no, kind, action, table_name, columns, record, subject,
       other_subjects, actor, actor_pseudonym, attribution, purpose, request_id, details, commitments)
     select tenant, "sequencedAt", era, index, id, at, "orderNo", kind, action, "table", columns, record, subject, "otherSubjects", actor,
            decode("actorPseudonym", 'hex'), attribution, purpose, request, details::jsonb, decode(commitments, 'hex')
       from jsonb_to_recordset($1::jsonb) as e (tenant text, "sequencedAt" timestamptz, era integer, index bigint, id uuid, at timestamptz, "orderNo" bigint,
         kind text, action text, "table" text, columns jsonb, record text, subject text, "otherSubjects" text[], actor text, "actorPseudonym" text,
         attribution text, purpose text, request text, details text, commitments text)`,
    [JSON.stringify(texts)],
  );
}
