import { runners } from '../thread/tasks.ts';
import { ReaderThread } from '../thread/reader-thread.ts';
import type { TableFacts } from '../scan/scan-table.ts';
import type { TableReading } from '../source/open-table.ts';
import { quoteSqlite } from '../source/quote.ts';
import { openSnapshot, translate, type SourceSnapshot } from '../source/snapshot.ts';

/** The source as one run sees it: a snapshot, and a second thread that reads the same. */
export type Source = { readonly snapshot: SourceSnapshot; readonly thread: ReaderThread };

/** Opens the file for the length of `work`. Throws the refusals of a file that is no usable database. */
export async function withSource<Result>(file: string, work: (source: Source) => Promise<Result>): Promise<Result> {
  const snapshot = openSnapshot(file);
  const thread = new ReaderThread(snapshot.address);
  try {
    return await work({ snapshot, thread });
  } catch (error) {
    throw translate(error, file);
  } finally {
    // The thread first: its connection must be gone before the descriptors that both use are closed.
    await thread.close();
    snapshot.close();
  }
}

/** Scans every table, about half of the rows in the other thread. */
export async function scanInTwo({ snapshot, thread }: Source, readings: readonly TableReading[]): Promise<ReadonlyMap<string, TableFacts>> {
  const [here, there] = halves(readings, (reading) => guessedCells(snapshot, reading));
  const elsewhere = there.map(async (reading) => [reading.table.name, await thread.ask('scan', reading)] as const);
  const scanned = here.map((reading) => [reading.table.name, runners.scan(snapshot, reading)] as const);
  return new Map([...scanned, ...(await Promise.all(elsewhere))]);
}

/** The heaviest first, each to the side that has less so far. */
function halves<Item>(items: readonly Item[], weightOf: (item: Item) => number): readonly [Item[], Item[]] {
  const sides: readonly [Item[], Item[]] = [[], []];
  const weights = [0, 0] satisfies [number, number];
  const weighed = items.map((item) => ({ item, weight: weightOf(item) })).toSorted((a, b) => b.weight - a.weight);
  for (const { item, weight } of weighed) {
    const side = weights[0] <= weights[1] ? 0 : 1;
    sides[side].push(item);
    weights[side] += weight;
  }
  return sides;
}

/** The last rowid is found at once and is near the count in most tables; counting would read the table. */
function guessedCells(snapshot: SourceSnapshot, { table, rootPage, columns }: TableReading): number {
  if (rootPage === 0 || table.withoutRowid) return columns.length;
  const found = snapshot.sqlite.prepare(`SELECT CAST(max(rowid) AS REAL) AS last FROM ${quoteSqlite(table.name)}`).get();
  return Number(found?.['last'] ?? 0) * columns.length;
}
