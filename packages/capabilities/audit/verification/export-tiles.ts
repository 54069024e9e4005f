import { SafekeepError } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { encodeEntryBundle, encodeTile, peekCheckpoint, readTile, tilePath, tilesOfTree, TILE_WIDTH } from '@safekeep/tlog';
import { readOnly } from '../store/read-only.ts';
import { entryOf } from './entry.ts';
import { takeDirectory, writeHead, writeLogFile } from './log-files.ts';
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

/**
 * Writes the newest era as the files of C2SP tlog-tiles, for any web server or verifier. An older export in the folder is brought
 * up to date. Throws `log-empty` and `log-files-unfit`.
 */
export async function exportTiles(
  database: Database,
  {
    tenant,
    directory,
    signal,
    progress,
  }: {
    readonly tenant: string;
    readonly directory: string;
    readonly signal: AbortSignal;
    readonly progress: (done: number, total: number) => void;
  },
): Promise<Exported> {
  await takeDirectory(directory);
  return await readOnly(database, tenant, async (client) => {
    const tree = (await readTrees(client, tenant)).at(-1);
    if (tree === undefined || tree.note === null) throw new SafekeepError('log-empty', { tenant });
    const { era, note } = tree;
    // A bundle is there as a whole or not at all: events whose neighbours were dropped cannot be handed out in one.
    const minimumIndex = Math.ceil(tree.minimumIndex / TILE_WIDTH) * TILE_WIDTH;
    const { origin, size, root } = peekCheckpoint(note);
    let files = 2;
    let after: EntryPlace = { index: minimumIndex - 1, sequencedAt: 'infinity' };
    for (let more = true; more;) {
      signal.throwIfAborted();
      const rows = await readEntries(client, tenant, { era, after, limit: BUNDLES_AT_ONCE * TILE_WIDTH });
      const bundles = Map.groupBy(
        rows.filter(({ index }) => index < size),
        ({ index }) => Math.floor(index / TILE_WIDTH),
      );
      for (const [index, members] of bundles) {
        // A bundle has its entries by their place: with one missing, it would say something untrue. Then it is left out.
        const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
        const entries = members.flatMap((row, at) => (row.index === index * TILE_WIDTH + at ? (entryOf(row)?.bytes ?? []) : []));
        if (members.length !== width || entries.length !== width) continue;
        await writeLogFile(directory, tilePath({ level: 'entries', index, width }), encodeEntryBundle(entries));
        files += 1;
      }
      progress(Math.min(size, (rows.at(-1)?.index ?? size) + 1), size);
      after = rows.at(-1) ?? after;
      more = rows.length === BUNDLES_AT_ONCE * TILE_WIDTH;
    }
    const reader = databaseReader(client, tenant, era);
    for (const tile of tilesOfTree(size, { minimumIndex })) {
      if (tile.level === 'entries') continue;
      await writeLogFile(directory, tilePath(tile), encodeTile(await readTile(reader, tile)));
      files += 1;
    }
    const head = { checkpoint: note, minimumIndex: Math.min(minimumIndex, size) };
    await writeHead(directory, head);
    return { origin, size, root: Buffer.from(root).toString('base64'), files, minimumIndex: head.minimumIndex };
  });
}
