import Schema from 'typebox/schema';
import { isMapping } from '@safekeep/core';
import { Type } from '@safekeep/core/schema';
import type { EventRow } from '../model.ts';
import type { OpenedChange } from '../store/event-values.ts';
import { isClosed } from '../rules/leaf.ts';
import type { Change, EventView, Place } from './model.ts';

/**
 * What is shown of an event. Values come from its readable details; what is sealed under a person's key is among them only where it
 * was `opened`.
 */
export function eventView(row: EventRow, opened?: OpenedChange): EventView {
  const changes = changesOf(typeof opened === 'object' ? opened : detailsOf(row));
  return {
    index: row.index,
    id: row.id,
    at: row.at,
    sequencedAt: row.sequencedAt,
    kind: row.kind,
    action: row.action,
    table: row.table,
    record: row.record,
    subject: row.subject,
    actor: row.actor,
    actorState: row.attribution,
    purpose: row.purpose,
    request: row.request,
    columns: row.columns ?? [],
    ...(changes.length === 0 ? {} : { changes }),
    erased: opened === 'erased' || isClosed(row) || isErased(detailsOf(row)),
  };
}

function detailsOf({ details }: EventRow): unknown {
  return details === null ? undefined : JSON.parse(details);
}

function isErased(details: unknown): boolean {
  return isMapping(details) && details['erased'] === true;
}

/** Of `{ old: { column: value }, new: { column: value } }`. */
function changesOf(details: unknown): Change[] {
  const [before, after] = [valuesIn(details, 'old'), valuesIn(details, 'new')];
  const columns = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return columns.map((column) => ({ column, before: before[column] ?? null, after: after[column] ?? null }));
}

function valuesIn(details: unknown, side: 'old' | 'new'): Readonly<Record<string, unknown>> {
  const values: unknown = isMapping(details) ? details[side] : undefined;
  return isMapping(values) ? values : {};
}

/** A place as text that a person copies from one page to the next. */
export function formatPlace({ at, era, index }: Place): string {
  return Buffer.from(JSON.stringify([at, era, index])).toString('base64url');
}

const PlaceParts = Type.Tuple([
  Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$' }),
  Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
]);

/** Undefined where it is none of ours. */
export function parsePlace(text: string): Place | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (!Schema.Check(PlaceParts, parts)) return undefined;
    const [at, era, index] = parts;
    return { at, era, index };
  } catch {
    // No JSON: not a cursor of ours.
    return undefined;
  }
}

export function placeOf({ at, era, index }: EventRow): Place {
  return { at, era, index };
}
