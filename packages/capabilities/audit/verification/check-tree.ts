import {
  leafHash,
  readTile,
  rootFromTiles,
  rootOfFullTree,
  sameHash,
  TILE_WIDTH,
  TlogError,
  isPruned,
  tileInTree,
  tilePath,
  type Hash,
  type Tile,
  type TileReader,
} from '@safekeep/tlog';
import type { FaultList } from './faults.ts';

/** A signed tree, and where its hashes are said to be. */
export type Tree = {
  readonly size: number;
  readonly root: Hash;
  readonly minimumIndex: number;
  readonly reader: TileReader;
};

/** An entry as it is stored, in the order of the indexes. */
export type StoredEntry = { readonly index: number; readonly entry: Uint8Array };

/**
 * Holds the tiles against the signed root and every entry against the tiles. Nothing is trusted but the root: a tile is right
 * when the hash over it stands in the tile above, and so on up to the root. Returns how many entries were hashed.
 *
 * `look` sees every entry, right or wrong, once it is known which.
 */
export async function checkTree(
  tree: Tree,
  entries: AsyncIterable<readonly StoredEntry[]>,
  {
    faults,
    look = () => undefined,
    progress = () => undefined,
  }: {
    readonly faults: FaultList;
    readonly look?: (entry: StoredEntry) => void;
    readonly progress?: (checked: number) => void;
  },
): Promise<number> {
  const rootFits = await checkRoot(tree, faults);
  const above = await checkUpperTiles(tree, faults);
  const leaves = leafChecker(tree, { above, rootFits, faults });
  let [checked, next] = [0, tree.minimumIndex];
  for await (const batch of entries) {
    for (const stored of batch) {
      if (stored.index >= tree.size) {
        faults.add('entry-unsigned', `An event stands at index ${stored.index}, beyond the signed ${tree.size}.`, stored.index);
        continue;
      }
      if (stored.index < next) {
        faults.add('entry-unsigned', `A second event stands at index ${stored.index}.`, stored.index);
        continue;
      }
      if (stored.index > next) missing(next, stored.index, faults);
      next = stored.index + 1;
      await leaves.entry(stored.index, leafHash(stored.entry));
      look(stored);
      checked += 1;
    }
    progress(checked);
  }
  if (next < tree.size) missing(next, tree.size, faults);
  leaves.end();
  return checked;
}

function missing(from: number, to: number, faults: FaultList): void {
  faults.add(
    'entry-missing',
    to - from === 1 ? `Event ${from} is missing.` : `${to - from} events are missing, ${from} to ${to - 1}.`,
    from,
  );
}

async function checkRoot({ reader, size, root }: Tree, faults: FaultList): Promise<boolean> {
  const found = await tolerant(() => rootFromTiles(reader, size), faults);
  if (found !== undefined && sameHash(found, root)) return true;
  if (found !== undefined) {
    faults.add('root-wrong', `The tiles of ${size} events lead to another root than the signed one.`);
  }
  return false;
}

/** The tiles above the leaves; those that do not fit the one above them are faults. */
async function checkUpperTiles(tree: Tree, faults: FaultList): Promise<UpperTiles> {
  const right = new Map<string, readonly Hash[]>();
  for (let level = topLevel(tree.size); level >= 1; level -= 1) {
    const count = Math.ceil(Math.floor(tree.size / TILE_WIDTH ** level) / TILE_WIDTH);
    for (let index = 0; index < count; index += 1) {
      const tile = tileInTree(level, index, tree.size);
      if (isPruned(tile, tree.minimumIndex)) continue;
      const hashes = await tolerant(() => readTile(tree.reader, tile), faults);
      if (hashes === undefined) continue;
      if (!fitsAbove(tile, hashes, right)) {
        faults.add('tile-changed', `${tilePath(tile)} does not fit the tile above it.`, index * TILE_WIDTH ** (level + 1));
      }
      right.set(`${level}/${index}`, hashes);
    }
  }
  return right;
}

/** By `level/index`. */
type UpperTiles = ReadonlyMap<string, readonly Hash[]>;

/** A full tile's root stands in the tile above. A partial one is judged by the root of the whole. */
function fitsAbove({ level, index, width }: Tile, hashes: readonly Hash[], above: UpperTiles): boolean {
  if (width < TILE_WIDTH || level === 'entries') return true;
  const known = above.get(`${level + 1}/${Math.floor(index / TILE_WIDTH)}`)?.[index % TILE_WIDTH];
  return known === undefined || sameHash(rootOfFullTree(hashes), known);
}

/** Goes through the leaves tile by tile, and says of each entry that differs whether it or the tile was changed. */
function leafChecker(tree: Tree, ground: { readonly above: UpperTiles; readonly rootFits: boolean; readonly faults: FaultList }) {
  const { faults } = ground;
  const changed: Different[] = [];
  let current: LeafTile | undefined;
  const open = async (index: number): Promise<LeafTile> => {
    const tile = tileInTree(0, index, tree.size);
    return { tile, stored: await tolerant(() => readTile(tree.reader, tile), faults), found: Array<Hash | undefined>(tile.width) };
  };
  const close = (): void => {
    if (current !== undefined) changed.push(...judgeTile(current, ground));
  };
  const moveTo = async (index: number): Promise<LeafTile> => {
    if (current?.tile.index === index) return current;
    close();
    // Tiles whose entries are all missing are looked at all the same.
    for (let skipped = (current?.tile.index ?? index - 1) + 1; skipped < index; skipped += 1) {
      current = await open(skipped);
      close();
    }
    current = await open(index);
    return current;
  };
  return {
    entry: async (index: number, hash: Hash): Promise<void> => {
      const { found } = await moveTo(Math.floor(index / TILE_WIDTH));
      found[index % TILE_WIDTH] = hash;
    },
    end: (): void => {
      close();
      const moved = movedEntries(changed.slice(0, MISPLACED_AT_MOST));
      for (const { index } of changed) {
        const from = moved.get(index);
        if (from === undefined) faults.add('entry-changed', `Event ${index} is not what was logged.`, index);
        else faults.add('entry-moved', `Event ${index} holds what was logged as event ${from}.`, index);
      }
    },
  };
}

type LeafTile = { readonly tile: Tile; readonly stored: readonly Hash[] | undefined; readonly found: (Hash | undefined)[] };
type Different = { readonly index: number; readonly hash: Hash; readonly expected: Hash };

/** The entries that were changed. A tile that was is named as a fault itself. */
function judgeTile(
  { tile, stored, found }: LeafTile,
  { above, rootFits, faults }: { readonly above: UpperTiles; readonly rootFits: boolean; readonly faults: FaultList },
): Different[] {
  if (stored === undefined) return [];
  const start = tile.index * TILE_WIDTH;
  const different = found.flatMap((hash, at) => {
    const expected = stored[at];
    return hash === undefined || expected === undefined || sameHash(hash, expected) ? [] : [{ index: start + at, hash, expected }];
  });
  const isFull = tile.width === TILE_WIDTH;
  if (isFull ? fitsAbove(tile, stored, above) : rootFits) return different;
  if (isFull || different.length > 0) {
    faults.add('tile-changed', `${tilePath(tile)} is not the one that was signed.`, different[0]?.index ?? start);
  }
  // Where the entries fit what is signed, only the tile is wrong; of a partial one that cannot be told.
  const whole = found.filter((hash) => hash !== undefined);
  const entriesAreRight = !isFull || (whole.length === tile.width && fitsAbove(tile, whole, above));
  return entriesAreRight ? [] : different;
}

/** Enough to recognise events that were swapped; a table that was rewritten needs no such care. */
const MISPLACED_AT_MOST = 10_000;

function movedEntries(misplaced: readonly Different[]): ReadonlyMap<number, number> {
  const placeOf = new Map(misplaced.map(({ index, expected }) => [Buffer.from(expected).toString('hex'), index]));
  return new Map(
    misplaced.flatMap(({ index, hash }) => {
      const from = placeOf.get(Buffer.from(hash).toString('hex'));
      return from === undefined ? [] : [[index, from] as const];
    }),
  );
}

function topLevel(size: number): number {
  let level = 0;
  while (Math.floor(size / TILE_WIDTH ** (level + 1)) > 0) level += 1;
  return level;
}

/** A tile that is missing or no tile is a fault and not the end of the verification. */
async function tolerant<Result>(read: () => Promise<Result>, faults: FaultList): Promise<Result | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    faults.add(error.code === 'tile-missing' ? 'tile-missing' : 'tile-changed', error.message);
    return undefined;
  }
}
