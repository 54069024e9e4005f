import type pg from 'pg';
import { parseTilePath, TILE_WIDTH, type TileReader } from '@safekeep/tlog';
import { inTurn } from '../store/in-turn.ts';
import { readTheseTiles, readTiles } from './store/log.ts';

/** Whoever asks for a tile of leaves usually asks for the next one then. */
const READ_AHEAD = 64;
const ABOVE_AT_ONCE = 8;

/** Hands out the tiles of hashes of one era; reads ahead, so that a walk along the leaves asks the database rarely. */
export function databaseReader(client: pg.ClientBase, tenant: string, era: number): TileReader {
  type Stretch = {
    readonly level: number;
    readonly from: number;
    readonly to: number;
    readonly tiles: ReadonlyMap<number, Uint8Array>;
  };
  let ahead: Stretch = { level: 0, from: 0, to: 0, tiles: new Map() };
  let last = -1;
  const fetch = async (level: number, index: number): Promise<Stretch> => {
    const limit = level > 0 ? ABOVE_AT_ONCE : index === last + 1 ? READ_AHEAD : 1;
    const rows = await readTiles(client, tenant, { era, level, first: index, limit });
    const within = rows.filter((row) => row.tile < index + limit);
    return { level, from: index, to: index + limit, tiles: new Map(within.map((row) => [row.tile, row.hashes])) };
  };
  return inTurn(async (path) => {
    const tile = parseTilePath(path);
    if (tile === undefined || tile.level === 'entries') throw new RangeError(`Not the path of a tile of hashes: ${path}`);
    const { level, index } = tile;
    const known = ahead.level === level && index >= ahead.from && index < ahead.to;
    const stretch = known ? ahead : await fetch(level, index);
    ahead = stretch;
    if (level === 0) last = index;
    return stretch.tiles.get(index);
  });
}

/**
 * The same for one proof: a leaf's siblings stand in the tiles above it and in those at the right edge of the tree, a handful, which
 * are fetched in one answer. Anything else is asked for as it comes.
 */
export async function proofReader(
  client: pg.ClientBase,
  tenant: string,
  { era, index, size }: { readonly era: number; readonly index: number; readonly size: number },
): Promise<TileReader> {
  const wanted: { level: number; index: number }[] = [];
  for (let [level, hashes, place] = [0, size, index]; hashes > 0; level += 1) {
    [hashes, place] = [Math.floor(hashes / TILE_WIDTH), Math.floor(place / TILE_WIDTH)];
    wanted.push({ level, index: place }, { level, index: hashes });
  }
  const rows = await readTheseTiles(client, tenant, { era, tiles: wanted });
  const known = new Map(rows.map(({ level, tile, hashes }) => [`${level}/${tile}`, hashes]));
  const others = databaseReader(client, tenant, era);
  return async (path) => {
    const tile = parseTilePath(path);
    return known.get(`${tile?.level}/${tile?.index}`) ?? (await others(path));
  };
}
