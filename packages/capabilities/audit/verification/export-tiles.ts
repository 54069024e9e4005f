import { SafekeepError } from '@safekeep/core';
import type pg from 'pg';
import type { Database } from '@safekeep/postgres';
import { encodeEntryBundle, encodeTile, peekCheckpoint, readTile, tilePath, tilesOfTree, TILE_WIDTH } from '@safekeep/tlog';
import { readOnly } from '../store/read-only.ts';
import { entryOf } from './entry.ts';
import { takeDirectory, writeFirstEntries, writeHead, writeLogFile } from './log-files.ts';
import { readEntries, type EntryPlace } from './store/entries.ts';
import { readTrees } from './store/log.ts';
import { databaseReader } from './tiles-of-database.ts';

/** Bundles made from one answer of the database. */
const BUNDLES_AT_ONCE = 16;

export type Exported = {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly files: number;
  readonly minimumIndex: number;
};

type ExportOrder = {
  readonly tenant: string;
  /** The newest unless given. */
  readonly era?: number;
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
};

/**
 * Writes an era as the files of C2SP tlog-tiles, for any web server or verifier. An older export of it in the folder is brought
 * up to date. Throws `log-empty`, `era-unknown` and `log-files-unfit`.
 */
export async function exportTiles(
  database: Database,
  { tenant, era, directory, signal, progress }: ExportOrder,
): Promise<Exported> {
  return await readOnly(database, tenant, async (client) => {
    const trees = await readTrees(client, tenant);
    const tree = era === undefined ? trees.at(-1) : trees.find((each) => each.era === era);
    if (trees.length > 0 && tree === undefined)
      throw new SafekeepError('era-unknown', { era: era ?? 0, eras: trees.map((each) => each.era).join(', ') });
    if (tree === undefined || tree.note === null) throw new SafekeepError('log-empty', { tenant });
    const { origin, size, root } = peekCheckpoint(tree.note);
    await takeDirectory(directory, origin);
    const minimumIndex = Math.min(tree.minimumIndex, size);
    const order = { tenant, era: tree.era, directory, size, minimumIndex, signal, progress };
    const files = (await writeEntries(client, order)) + (await writeTiles(client, order)) + HEAD_FILES;
    await writeHead(directory, { checkpoint: tree.note, minimumIndex });
    return { origin, size, root: Buffer.from(root).toString('base64'), files, minimumIndex };
  });
}

/** The checkpoint, and where the log begins. */
const HEAD_FILES = 2;

type Writing = Omit<ExportOrder, 'era'> & { readonly era: number; readonly size: number; readonly minimumIndex: number };

/** Answers how many files they are. */
async function writeEntries(
  client: pg.ClientBase,
  { tenant, era, directory, size, minimumIndex, signal, progress }: Writing,
): Promise<number> {
  let files = 0;
  let after: EntryPlace = { index: minimumIndex - 1, sequencedAt: 'infinity' };
  // A log that goes on has no cut bundle any more where it had one before.
  await writeFirstEntries(directory, undefined);
  for (let more = true; more;) {
    signal.throwIfAborted();
    // Ends with a bundle, so that none is cut by the answer.
    const limit = BUNDLES_AT_ONCE * TILE_WIDTH - ((after.index + 1) % TILE_WIDTH);
    const rows = await readEntries(client, tenant, { era, after, limit });
    const bundles = Map.groupBy(
      rows.filter(({ index }) => index < size),
      ({ index }) => Math.floor(index / TILE_WIDTH),
    );
    for (const [index, members] of bundles) {
      const from = Math.max(index * TILE_WIDTH, minimumIndex);
      const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
      const entries = members.flatMap((row, at) => (row.index === from + at ? (entryOf(row)?.bytes ?? []) : []));
      const expected = index * TILE_WIDTH + width - from;
      // A bundle has its entries by their place: with one missing, it would say something untrue. Then it is left out.
      if (members.length !== expected || entries.length !== expected) continue;
      const bundle = encodeEntryBundle(entries);
      // Nor is it one without those that were dropped by policy: what is left of it has a file of its own.
      if (from > index * TILE_WIDTH) await writeFirstEntries(directory, bundle);
      else await writeLogFile(directory, tilePath({ level: 'entries', index, width }), bundle);
      files += 1;
    }
    progress(Math.min(size, (rows.at(-1)?.index ?? size) + 1), size);
    after = rows.at(-1) ?? after;
    more = rows.length === limit;
  }
  return files;
}

async function writeTiles(client: pg.ClientBase, { tenant, era, directory, size, minimumIndex }: Writing): Promise<number> {
  const reader = databaseReader(client, tenant, era);
  let files = 0;
  for (const tile of tilesOfTree(size, { minimumIndex })) {
    if (tile.level === 'entries') continue;
    await writeLogFile(directory, tilePath(tile), encodeTile(await readTile(reader, tile)));
    files += 1;
  }
  return files;
}
