import { CopyBuffer } from '../encode/copy-buffer.ts';
import { encodeField, encoderFor, FIELD_OVERHEAD_BYTES } from '../encode/encoders.ts';
import type { TypeDecision } from './decide-type.ts';
import type { RowCursor } from '../source/cursor.ts';
import { TEXT, type Row } from '../source/row.ts';

/** Why a column cannot have the type that was asked for: how many values do not fit, and the first of their rows. */
export type Misfit = { readonly column: number; readonly values: number; readonly firstOrdinal: number };

/** Tries the encoder of every named column on every row: the same code that will send them decides whether they fit. */
export function checkFit(
  cursor: RowCursor,
  wishes: readonly { readonly column: number; readonly decision: TypeDecision }[],
): Misfit[] {
  const columns = wishes.map(({ column, decision }) => ({
    column,
    encoder: encoderFor(decision.type, decision.epoch),
    isJson: decision.type.startsWith('json'),
  }));
  const misfits = new Map<number, Misfit>();
  const { row } = cursor;
  const scratch = new CopyBuffer(FIELD_OVERHEAD_BYTES);
  for (let ordinal = 0; cursor.next(); ordinal += 1) {
    for (const { column, encoder, isJson } of columns) {
      const bytes = row.recordBytes + FIELD_OVERHEAD_BYTES;
      const out = scratch.bytes.length >= bytes ? scratch : new CopyBuffer(bytes);
      out.at = 0;
      const fits = !row.isLarge(column) && encodeField(encoder, row, column, out) && (!isJson || isJsonText(row, column));
      if (fits) continue;
      const known = misfits.get(column) ?? { column, values: 0, firstOrdinal: ordinal };
      misfits.set(column, { ...known, values: known.values + 1 });
    }
  }
  return [...misfits.values()];
}

/** PostgreSQL's json takes what RFC 8259 takes, and keeps the text as it is. */
function isJsonText(row: Row, column: number): boolean {
  if (row.kind[column] !== TEXT) return row.kind[column] === 0;
  const text = row.bytes(column).toString('utf8');
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
