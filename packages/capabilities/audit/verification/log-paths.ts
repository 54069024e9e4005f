import type { Database } from '@safekeep/postgres';
import {
  encodeEntryBundle,
  encodeTile,
  parseTilePath,
  peekCheckpoint,
  readTile,
  TILE_WIDTH,
  tileInTree,
  TlogError,
  type Tile,
} from '@safekeep/tlog';
import type pg from 'pg';
import { readOnly } from '../store/read-only.ts';
import { entryOf } from './entry.ts';
import { readEntries } from './store/entries.ts';
import { readTrees, type TreeRow } from './store/log.ts';
import { databaseReader } from './tiles-of-database.ts';

/** What a server hands out at a path below `/log/<tenant>/`. */
export type LogResource = {
  readonly body: Uint8Array;
  readonly contentType: 'text/plain; charset=utf-8' | 'application/octet-stream';
  /** Tiles never change; the checkpoint does, within seconds. */
  readonly isImmutable: boolean;
};

/**
 * `checkpoint`, `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]` of a tenant's newest era, as C2SP tlog-tiles has them. Undefined
 * for everything else: for tiles that no signed size has yet, and for what was pruned. Holds no personal data.
 */
export async function readLogPath(database: Database, tenant: string, path: string): Promise<LogResource | undefined> {
  const tile = parseTilePath(path);
  if (path !== 'checkpoint' && tile === undefined) return undefined;
  return await readOnly(database, tenant, async (client) => {
    const tree = (await readTrees(client, tenant)).at(-1);
    if (tree === undefined || tree.note === null) return undefined;
    if (tile === undefined) {
      return { body: Buffer.from(tree.note, 'utf8'), contentType: 'text/plain; charset=utf-8', isImmutable: false };
    }
    const { size } = peekCheckpoint(tree.note);
    if (tile.width > tileInTree(tile.level, tile.index, size).width) return undefined;
    const body =
      tile.level === 'entries'
        ? await readBundle(client, tenant, { tree, tile })
        : await readHashes(client, tenant, { tree, tile });
    return body === undefined ? undefined : { body, contentType: 'application/octet-stream', isImmutable: true };
  });
}

type Asked = { readonly tree: TreeRow; readonly tile: Tile };

async function readHashes(client: pg.ClientBase, tenant: string, { tree, tile }: Asked): Promise<Uint8Array | undefined> {
  try {
    return encodeTile(await readTile(databaseReader(client, tenant, tree.era), tile));
  } catch (error) {
    if (error instanceof TlogError) return undefined;
    throw error;
  }
}

/** Whole or not at all: with one entry missing the others would stand in wrong places. */
async function readBundle(client: pg.ClientBase, tenant: string, { tree, tile }: Asked): Promise<Uint8Array | undefined> {
  const start = tile.index * TILE_WIDTH;
  const place = { era: tree.era, after: { index: start - 1, sequencedAt: 'infinity' }, limit: tile.width };
  const rows = await readEntries(client, tenant, place);
  const entries = rows.flatMap((row, at) => (row.index === start + at ? (entryOf(row)?.bytes ?? []) : []));
  return entries.length === tile.width ? encodeEntryBundle(entries) : undefined;
}
