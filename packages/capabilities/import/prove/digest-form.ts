import { createHash } from 'node:crypto';
import type { EpochUnit } from '../encode/epoch.ts';
import type { TargetType } from '../objects/index.ts';
import type { TableSums } from './hash.ts';

/** How one column takes part in the digests of its table. */
export type ColumnForm = {
  readonly source: string;
  readonly target: string;
  readonly type: TargetType;
  readonly epoch: EpochUnit | null;
  /** Integers beyond ±2^53 stand in it, which node:sqlite does not give as numbers. */
  readonly wide: boolean;
  /** Numbers stand among texts or blobs and became their decimal text. */
  readonly numbersAsText: boolean;
  /** The longest text or blob: beyond a limit values are read in pieces. */
  readonly longestBytes: number;
};

/** What must be known to make the two digests of a table again at any later time. */
export type DigestForm = {
  readonly columns: readonly ColumnForm[];
  /** Places of the columns of the primary key; without one, all columns together name the row. */
  readonly key: readonly number[];
  /** Its rows have a rowid by which a long value can be fetched again. */
  readonly hasRowid: boolean;
  /** Rows of a table proper, read in the order of its b-tree; false for virtual tables. */
  readonly ordered: boolean;
};

/** What one side of the proof says about a table: equal on both sides if, and practically only if, every value is equal. */
export type TableDigest = {
  readonly rows: number;
  readonly columns: readonly { readonly name: string; readonly nulls: number; readonly sum: string }[];
  /** SHA-256 over all of the above. */
  readonly sha256: string;
};

/** Marks of the canonical forms (README, "The proof"): the same value has the same mark and the same bytes on both sides. */
export const tags = {
  null: 0,
  integer: 1,
  double: 2,
  decimal: 3,
  longDecimal: 4,
  boolean: 5,
  text: 6,
  bytes: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  infinity: 11,
} as const;

/** Places that make the key of a row. */
export function keyPlaces(form: DigestForm): readonly number[] {
  return form.key.length > 0 ? form.key : form.columns.map((_, at) => at);
}

export function tableDigest(form: DigestForm, sums: TableSums): TableDigest {
  const columns = form.columns.map((column, at) => ({ name: column.target, nulls: sums.nulls[at] ?? 0, sum: sums.hex(at) }));
  const text = [
    `rows ${sums.rows}`,
    ...columns.map(({ name, nulls, sum }) => `${JSON.stringify(name)} nulls ${nulls} sum ${sum}`),
  ].join('\n');
  return { rows: sums.rows, columns, sha256: createHash('sha256').update(text).digest('hex') };
}
