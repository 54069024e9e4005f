import type { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import type { Difference } from '../model.ts';
import { type RowKey, TableSums } from './hash.ts';
import { visitSource, type OpenPages, type SourceTable } from './source-digest.ts';
import { visitTarget, type TargetTable } from './target-digest.ts';

export type BothSides = { readonly source: SourceTable & { readonly openPages: OpenPages }; readonly target: TargetTable };

// Rows are counted by the first bits of their key first; only buckets that differ are looked into.
const BUCKETS = 65_536;
// More rows than this are not a difference to be looked at one by one.
const ROWS_KEPT = 100_000;
const DIFFERENCES_TOLD = 1_000;

/**
 * Finds the rows that make the digests of a table differ, in two more passes over both sides: the first finds the buckets of
 * keys whose sums differ, the second the rows within them. Rows that stand on both sides, as often, cancel out.
 */
export async function locateDifferences(
  client: pg.ClientBase,
  sqlite: DatabaseSync,
  { source, target }: BothSides,
): Promise<Difference[]> {
  const columns = source.form.columns.length;
  const left = new BucketSums();
  const right = new BucketSums();
  visitSource(sqlite, source, new TableSums(columns), ({ key, first, second }) => left.add(key, rowHash(first, second)));
  await visitTarget(client, target, new TableSums(columns), ({ key, first, second }) => right.add(key, rowHash(first, second)));
  const buckets = left.differing(right);

  const rows = new RowLedger(buckets, columns);
  visitSource(sqlite, source, new TableSums(columns), ({ place, key, first, second }) =>
    rows.take('source', place, key, first, second),
  );
  await visitTarget(client, target, new TableSums(columns), ({ place, key, first, second }) =>
    rows.take('target', place, key, first, second),
  );
  return rows.differences(
    source.table,
    source.form.columns.map((column) => column.source),
  );
}

/** Both lanes of all values as one number that is exact as a double. */
function rowHash(first: Int32Array, second: Int32Array): number {
  let a = 0x2545f491;
  let b = 0x14057b7e;
  for (let column = 0; column < first.length; column += 1) {
    a = Math.imul(a ^ (first[column] ?? 0), 0x9e3779b1) ^ (a >>> 15);
    b = Math.imul(b ^ (second[column] ?? 0), 0x85ebca77) ^ (b >>> 13) ^ a;
  }
  return (a >>> 0) + (b & 0xfffff) * 4_294_967_296;
}

class BucketSums {
  readonly #sums = new Float64Array(BUCKETS);
  readonly #rows = new Float64Array(BUCKETS);

  add(key: RowKey, hash: number): void {
    const bucket = bucketOf(key);
    this.#sums[bucket] = ((this.#sums[bucket] ?? 0) + hash) % Number.MAX_SAFE_INTEGER;
    this.#rows[bucket] = (this.#rows[bucket] ?? 0) + 1;
  }

  differing(other: BucketSums): ReadonlySet<number> {
    const buckets = new Set<number>();
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      if (this.#sums[bucket] !== other.#sums[bucket] || this.#rows[bucket] !== other.#rows[bucket]) buckets.add(bucket);
    }
    return buckets;
  }
}

function bucketOf(key: RowKey): number {
  return key.first & (BUCKETS - 1);
}

type Side = Difference['side'];
type KeptRow = {
  readonly side: Side;
  readonly place: string;
  readonly key: string;
  readonly values: string;
  readonly hashes: Int32Array;
};

class RowLedger {
  readonly #buckets: ReadonlySet<number>;
  readonly #columns: number;
  readonly #kept: KeptRow[] = [];

  constructor(buckets: ReadonlySet<number>, columns: number) {
    this.#buckets = buckets;
    this.#columns = columns;
  }

  take(side: Side, place: string, key: RowKey, first: Int32Array, second: Int32Array): void {
    if (!this.#buckets.has(bucketOf(key)) || this.#kept.length >= ROWS_KEPT) return;
    const hashes = new Int32Array(this.#columns * 2);
    hashes.set(first);
    hashes.set(second, this.#columns);
    this.#kept.push({ side, place, key: `${key.first}:${key.second}`, values: hashes.join(','), hashes });
  }

  differences(table: string, columns: readonly string[]): Difference[] {
    const remaining = this.#withoutEqual();
    const byKey = Map.groupBy(remaining, ({ key }) => key);
    return remaining.slice(0, DIFFERENCES_TOLD).map((row) => {
      const twin = byKey.get(row.key)?.find(({ side }) => side !== row.side);
      const differing = twin === undefined ? columns : columns.filter((_, at) => this.#differs(row, twin, at));
      return { table, side: row.side, key: row.place, columns: [...differing] };
    });
  }

  #differs(one: KeptRow, other: KeptRow, column: number): boolean {
    return (
      one.hashes[column] !== other.hashes[column] || one.hashes[this.#columns + column] !== other.hashes[this.#columns + column]
    );
  }

  /** Each row of one side takes an equal row of the other with it. */
  #withoutEqual(): KeptRow[] {
    return [...Map.groupBy(this.#kept, ({ values }) => values).values()].flatMap((equal) => {
      const left = equal.filter(({ side }) => side === 'source');
      const right = equal.filter(({ side }) => side === 'target');
      const pairs = Math.min(left.length, right.length);
      return [...left.slice(pairs), ...right.slice(pairs)];
    });
  }
}
