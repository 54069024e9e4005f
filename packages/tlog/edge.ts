import { TlogError } from './errors.ts';
import { emptyRoot, nodeHash, rootOfFullTree, type Hash } from './hashing.ts';
import { encodeTile, readTile, SIZE_AT_MOST, TILE_WIDTH, tileInTree, type Tile, type TileReader } from './tiles.ts';

/**
 * The right edge of a tree: all that is needed to append to it and to know its root. Per level of tiles the hashes of its
 * partial tile, 0 to 255; so at most 255 hashes for each factor of 256 in size, whatever the tree holds.
 */
export type Edge = { readonly size: number; readonly partial: readonly (readonly Hash[])[] };

/** A tile with new hashes at its end. `from` is its width before, so that a store may append instead of rewriting. */
export type ChangedTile = { readonly tile: Tile; readonly from: number; readonly bytes: Uint8Array };

export const emptyEdge: Edge = { size: 0, partial: [] };

/** Reads the edge of a tree of `size` from its tiles. Compare {@link edgeRoot} with a signed root before appending to it. */
export async function readEdge(reader: TileReader, size: number): Promise<Edge> {
  const partial: Hash[][] = [];
  for (let level = 0, hashes = size; hashes > 0; level += 1, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const tile = tileInTree(level, Math.floor(hashes / TILE_WIDTH), size);
    partial.push(tile.width === 0 ? [] : await readTile(reader, tile));
  }
  return { size, partial };
}

/**
 * Appends leaf hashes. The changed tiles come whole, the narrower states between are skipped; they hold no entries, whose
 * bundles are the caller's. The same edge with the same leaves always gives the same tiles.
 */
export function append(
  edge: Edge,
  leaves: readonly Hash[],
): { readonly edge: Edge; readonly root: Hash; readonly tiles: ChangedTile[] } {
  const size = edge.size + leaves.length;
  if (size > SIZE_AT_MOST) throw new TlogError('index-out-of-range', `A tree has at most ${SIZE_AT_MOST} leaves.`);
  const partial: (readonly Hash[])[] = [];
  const tiles: ChangedTile[] = [];
  let added = leaves;
  for (let level = 0; added.length > 0 || level < edge.partial.length; level += 1) {
    const { full, rest, changed } = appendAtLevel(level, edge, added);
    partial.push(rest);
    tiles.push(...changed);
    added = full;
  }
  const grown = { size, partial };
  return { edge: grown, root: edgeRoot(grown), tiles };
}

function appendAtLevel(level: number, edge: Edge, added: readonly Hash[]) {
  const before = edge.partial[level] ?? [];
  const hashes = [...before, ...added];
  const firstIndex = Math.floor(edge.size / TILE_WIDTH ** (level + 1));
  const full: Hash[] = [];
  const changed: ChangedTile[] = [];
  for (let at = 0; at < hashes.length && added.length > 0; at += TILE_WIDTH) {
    const within = hashes.slice(at, at + TILE_WIDTH);
    const tile = { level, index: firstIndex + at / TILE_WIDTH, width: within.length };
    changed.push({ tile, from: at === 0 ? before.length : 0, bytes: encodeTile(within) });
    if (within.length === TILE_WIDTH) full.push(rootOfFullTree(within));
  }
  return { full, rest: hashes.slice(full.length * TILE_WIDTH), changed };
}

/** The root of the tree (RFC 6962, 2.1). */
export function edgeRoot({ partial }: Edge): Hash {
  let root: Hash | undefined;
  for (const hashes of partial) {
    // A partial tile of 13 hashes is full subtrees of 8, 4 and 1; the ones further right hang lower and are joined first.
    let end = hashes.length;
    for (let count = 1; end > 0; count *= 2) {
      if ((hashes.length & count) === 0) continue;
      const subtree = rootOfFullTree(hashes.slice(end - count, end));
      root = root === undefined ? subtree : nodeHash(subtree, root);
      end -= count;
    }
  }
  return root ?? emptyRoot();
}
