import { runners } from '../thread/tasks.ts';
import { ReaderThread } from '../thread/reader-thread.ts';
import type { TableFacts } from '../scan/scan-table.ts';
import type { TableReading } from '../source/open-table.ts';
import { lastRowid } from '../source/table-facts.ts';
import { openSnapshot, SnapshotMoved, translate, type SourceSnapshot } from '../source/snapshot.ts';

/** The source as one run sees it: a snapshot, and a second thread that reads the same. */
export type Source = { readonly snapshot: SourceSnapshot; readonly thread: ReaderThread };

// A program that commits without pause may slip in between the two openings; each try takes a few milliseconds.
const JOIN_TRIES = 50;

/**
 * Opens the file for the length of `work`. Throws the refusals of a file that is no usable database.
 *
 * @param onOpen is called when both threads see the same state: whoever kept writers out for that may let them in again.
 */
export async function withSource<Result>(
  file: string,
  work: (source: Source) => Promise<Result>,
  onOpen?: () => void,
): Promise<Result> {
  const thread = new ReaderThread();
  let snapshot: SourceSnapshot | undefined;
  try {
    snapshot = await openForBoth(file, thread);
    onOpen?.();
    return await work({ snapshot, thread });
  } catch (error) {
    throw translate(error, file);
  } finally {
    // The thread first: its connection must be gone before the descriptors that both use are closed.
    await thread.close();
    snapshot?.close();
  }
}

/** A snapshot that the thread sees too. */
async function openForBoth(file: string, thread: ReaderThread): Promise<SourceSnapshot> {
  for (let tries = 1; ; tries += 1) {
    const snapshot = openSnapshot(file);
    try {
      await thread.ask('join', snapshot.address);
      return snapshot;
    } catch (error) {
      // The thread has closed its connection already.
      snapshot.close();
      if (!(error instanceof SnapshotMoved) || tries === JOIN_TRIES) throw error;
    }
  }
}

/** Scans every table, about half of the rows in the other thread. */
export async function scanInTwo(
  { snapshot, thread }: Source,
  readings: readonly TableReading[],
): Promise<ReadonlyMap<string, TableFacts>> {
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

function guessedCells(snapshot: SourceSnapshot, { table, rootPage, columns }: TableReading): number {
  return rootPage === 0 || table.withoutRowid ? columns.length : lastRowid(snapshot.sqlite, table.name) * columns.length;
}
