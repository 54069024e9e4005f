import { TlogError } from './errors.ts';
import { HASH_BYTES, type Hash } from './hashing.ts';

/** Hashes in a full tile and entries in a full bundle (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;
export const ENTRY_BYTES_AT_MOST = 65_535;
/** Sizes and indexes are JavaScript numbers. */
export const SIZE_AT_MOST = Number.MAX_SAFE_INTEGER;
const LEVEL_AT_MOST = 63;

/**
 * A tile of hashes, or a bundle of entries (`level: 'entries'`). `width` is 1 to 256; below 256 it is partial.
 * The hash at `position` of a tile of level L covers the leaves from (index * 256 + position) * 256^L on, 256^L of them.
 */
export type Tile = { readonly level: number | 'entries'; readonly index: number; readonly width: number };

/**
 * Hands over what stands at a path of {@link tilePath}, or undefined. Bytes are never trusted: wrong lengths are refused here,
 * wrong hashes show in the root. A reader may answer a partial path with more than was asked for: tiles only grow.
 */
export type TileReader = (path: string) => Promise<Uint8Array | undefined>;

/** `tile/<L>/<N>[.p/<W>]`, without a slash before it: `tile/0/x001/x234/067`, `tile/entries/000.p/17`. */
export function tilePath({ level, index, width }: Tile): string {
  let rest = index;
  let number = String(rest % 1000).padStart(3, '0');
  while (rest >= 1000) {
    rest = Math.floor(rest / 1000);
    number = `x${String(rest % 1000).padStart(3, '0')}/${number}`;
  }
  return `tile/${level}/${number}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** The tile that a path names, or undefined when it names none. Accepts exactly what {@link tilePath} writes. */
export function parseTilePath(path: string): Tile | undefined {
  const match = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (match === null) return undefined;
  const [, level = '', number = '', width] = match;
  const tile: Tile = {
    level: level === 'entries' ? 'entries' : Number(level),
    index: Number(number.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (tile.width > TILE_WIDTH || (tile.level !== 'entries' && tile.level > LEVEL_AT_MOST)) return undefined;
  return Number.isSafeInteger(tile.index) && tilePath(tile) === path ? tile : undefined;
}

/** The tile of `level` at `index` as wide as a tree of `size` has it; width 0 when that tree has none there. */
export function tileInTree(level: number | 'entries', index: number, size: number): Tile {
  const hashes = hashesAtLevel(level, size);
  return { level, index, width: Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH)) };
}

/** Every tile of hashes, and every bundle, of a tree of `size` leaves, bottom up, that is not pruned. */
export function* tilesOfTree(size: number, options: { readonly minimumIndex?: number } = {}): Generator<Tile> {
  const first = options.minimumIndex ?? 0;
  yield* tilesAtLevel('entries', size, first);
  for (let level = 0; hashesAtLevel(level, size) > 0; level += 1) yield* tilesAtLevel(level, size, first);
}

function* tilesAtLevel(level: number | 'entries', size: number, minimumIndex: number): Generator<Tile> {
  const hashes = hashesAtLevel(level, size);
  for (let index = 0; index * TILE_WIDTH < hashes; index += 1) {
    const tile = tileInTree(level, index, size);
    if (!isPruned(tile, minimumIndex)) yield tile;
  }
}

/** Whether a log with this minimum index may have thrown the tile away: a full one that ends at or below it. */
export function isPruned({ level, index, width }: Tile, minimumIndex: number): boolean {
  return width === TILE_WIDTH && (index + 1) * TILE_WIDTH ** (depthOf(level) + 1) <= minimumIndex;
}

/** The hashes of a tile. Throws `tile-malformed`. */
export function decodeTile(bytes: Uint8Array): Hash[] {
  if (bytes.length === 0 || bytes.length % HASH_BYTES !== 0 || bytes.length > TILE_WIDTH * HASH_BYTES) {
    throw new TlogError(
      'tile-malformed',
      `A tile has 1 to ${TILE_WIDTH} hashes of ${HASH_BYTES} bytes, this one ${bytes.length} bytes.`,
    );
  }
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
}

export function encodeTile(hashes: readonly Hash[]): Uint8Array {
  return Buffer.concat(hashes);
}

/** Entries one after the other, each after its length as big-endian uint16. Throws `entry-too-long`. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > ENTRY_BYTES_AT_MOST) {
        throw new TlogError('entry-too-long', `An entry has at most ${ENTRY_BYTES_AT_MOST} bytes, this one ${entry.length}.`);
      }
      return [Buffer.of(Math.floor(entry.length / 256), entry.length % 256), entry];
    }),
  );
}

/** The entries of a bundle, 1 to 256. Throws `bundle-malformed`. */
export function decodeEntryBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 2 + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (at + 2 > bytes.length || end > bytes.length) throw new TlogError('bundle-malformed', 'The bundle ends within an entry.');
    if (entries.length === TILE_WIDTH) throw new TlogError('bundle-malformed', `A bundle has at most ${TILE_WIDTH} entries.`);
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (entries.length === 0) throw new TlogError('bundle-malformed', 'A bundle has at least one entry.');
  return entries;
}

/**
 * The hashes of a tile as wide as asked for: the partial tile, or the full one where the partial is gone already.
 * Throws `tile-missing` and `tile-malformed`.
 */
export async function readTile(reader: TileReader, tile: Tile): Promise<Hash[]> {
  const hashes = decodeTile(await readWhole(reader, tile));
  if (hashes.length < tile.width) {
    throw new TlogError('tile-malformed', `${tilePath(tile)} has ${hashes.length} hashes where the tree has ${tile.width}.`);
  }
  return hashes.slice(0, tile.width);
}

/** The entries of a bundle as wide as asked for. Throws `tile-missing` and `bundle-malformed`. */
export async function readEntryBundle(reader: TileReader, tile: Tile & { readonly level: 'entries' }): Promise<Uint8Array[]> {
  const entries = decodeEntryBundle(await readWhole(reader, tile));
  if (entries.length < tile.width) {
    throw new TlogError('bundle-malformed', `${tilePath(tile)} has ${entries.length} entries where the tree has ${tile.width}.`);
  }
  return entries.slice(0, tile.width);
}

async function readWhole(reader: TileReader, tile: Tile): Promise<Uint8Array> {
  const bytes = await reader(tilePath(tile));
  if (bytes !== undefined) return bytes;
  const full = tile.width === TILE_WIDTH ? undefined : await reader(tilePath({ ...tile, width: TILE_WIDTH }));
  if (full === undefined) throw new TlogError('tile-missing', `${tilePath(tile)} is missing.`);
  return full;
}

function hashesAtLevel(level: number | 'entries', size: number): number {
  return Math.floor(size / TILE_WIDTH ** depthOf(level));
}

function depthOf(level: number | 'entries'): number {
  return level === 'entries' ? 0 : level;
}
