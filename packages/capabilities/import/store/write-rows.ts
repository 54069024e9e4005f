import { setImmediate as turn } from 'node:timers/promises';
import { SafekeepError } from '@safekeep/core';
import { encodeField, FIELD_OVERHEAD_BYTES, type Encoder } from '../encode/encoders.ts';
import type { RowCursor } from '../source/cursor.ts';
import type { Row } from '../source/row.ts';
import type { CopyIn } from './copy-in.ts';

export type RowPlan = {
  readonly table: string;
  /** Place of each loaded column in the row, in the order of the COPY. */
  readonly columns: readonly { readonly at: number; readonly name: string; readonly encoder: Encoder }[];
  /** Places of rows in the order of the table that go to quarantine instead. */
  readonly skip: ReadonlySet<number>;
  readonly signal: AbortSignal;
  readonly onProgress: (rows: number) => void;
};

export type WrittenRows = { readonly read: number; readonly sent: number };

const PIECE_BYTES = 131_072;
const PROGRESS_ROWS = 8_192;

/** Sends every row of the cursor through the COPY. */
export async function writeRows(cursor: RowCursor, copy: CopyIn, plan: RowPlan): Promise<WrittenRows> {
  const { row } = cursor;
  const { columns, skip } = plan;
  let read = 0;
  let sent = 0;
  const overhead = 2 + columns.length * FIELD_OVERHEAD_BYTES;
  while (cursor.next()) {
    read += 1;
    if (read % PROGRESS_ROWS === 0) {
      plan.onProgress(read);
      if (plan.signal.aborted) throw plan.signal.reason;
    }
    if (skip.size > 0 && skip.has(read - 1)) continue;
    sent += 1;
    if (row.hasLarge()) {
      await writeLargeRow(cursor, copy, plan);
      continue;
    }
    // A text can take more room than in the record where it becomes a number of many digits, never more than this.
    const bound = row.recordBytes + overhead;
    if (!copy.hasRoom(bound)) {
      await copy.makeRoom(bound);
      // Writing to a fast socket may complete at once: without a turn, timers and signals would starve.
      await turn();
    }
    copy.buffer.int16(columns.length);
    for (const column of columns) {
      if (!encodeField(column.encoder, row, column.at, copy.buffer)) throw unfit(plan, column.name);
    }
  }
  plan.onProgress(read);
  return { read, sent };
}

/** A row with a value of more than a megabyte: its field is sent in pieces, never held whole. */
async function writeLargeRow(cursor: RowCursor, copy: CopyIn, plan: RowPlan): Promise<void> {
  const { row } = cursor;
  const overhead = 2 + plan.columns.length * FIELD_OVERHEAD_BYTES;
  await copy.makeRoom(overhead + heldBytes(row));
  copy.buffer.int16(plan.columns.length);
  for (const column of plan.columns) {
    if (row.isLarge(column.at)) await writeLargeField(cursor, copy, column.at);
    else {
      if (!copy.hasRoom(overhead + heldBytes(row))) await copy.makeRoom(overhead + heldBytes(row));
      if (!encodeField(column.encoder, row, column.at, copy.buffer)) throw unfit(plan, column.name);
    }
  }
}

async function writeLargeField(cursor: RowCursor, copy: CopyIn, column: number): Promise<void> {
  const size = cursor.row.size[column] ?? 0;
  if (!copy.hasRoom(4)) await copy.makeRoom(PIECE_BYTES);
  copy.buffer.int32(size);
  for (let from = 0; from < size;) {
    if (copy.buffer.room === 0) await copy.makeRoom(PIECE_BYTES);
    const take = Math.min(size - from, copy.buffer.room);
    cursor.readLarge(column, from, copy.buffer.bytes.subarray(copy.buffer.at, copy.buffer.at + take));
    copy.buffer.at += take;
    from += take;
  }
}

function heldBytes(row: Row): number {
  return Math.min(row.recordBytes, row.body.length);
}

/** The scan found every value to fit, so one that does not has come in since. */
function unfit(plan: RowPlan, column: string): SafekeepError {
  return new SafekeepError('import-source-changed', { file: `A value of ${plan.table}.${column}` });
}
