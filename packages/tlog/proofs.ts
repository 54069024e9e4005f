import { TlogError } from './errors.ts';
import { nodeHash, rootOfFullTree, sameHash, splitOf, emptyRoot, type Hash } from './hashing.ts';
import { isPruned, readTile, SIZE_AT_MOST, TILE_WIDTH, tileInTree, tilePath, type TileReader } from './tiles.ts';

/** A path in a tree of fewer than 2^53 leaves is no longer; C2SP tlog-witness allows 63 lines. */
export const PROOF_HASHES_AT_MOST = 63;
const HEIGHT_OF_TILE = 8;

/** Leaves from `start` up to and without `end`. */
type Range = { readonly start: number; readonly end: number };

/**
 * The hashes that lead from leaf `index` to the root of the tree of `size`, leaf's sibling first (RFC 6962, 2.1.1).
 * Throws `index-out-of-range`, `index-pruned` below `minimumIndex`, `tile-missing` and `tile-malformed`.
 */
export async function inclusionProof(
  reader: TileReader,
  { index, size, minimumIndex = 0 }: { readonly index: number; readonly size: number; readonly minimumIndex?: number },
): Promise<Hash[]> {
  if (!isCount(size) || !isCount(index) || index >= size) {
    throw new TlogError('index-out-of-range', `A tree of ${size} leaves has no leaf ${index}.`);
  }
  if (index < minimumIndex)
    throw new TlogError('index-pruned', `Entries below ${minimumIndex} are pruned, ${index} is one of them.`);
  const siblings: Range[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      siblings.unshift({ start: middle, end });
      end = middle;
    } else {
      siblings.unshift({ start, end: middle });
      start = middle;
    }
  }
  return hashesOf(reader, siblings, { size, minimumIndex });
}

/**
 * The hashes that show the tree of size `from` to be the beginning of the one of size `to` (RFC 6962, 2.1.2). Empty when
 * they are equal or `from` is 0. Errors as {@link inclusionProof}.
 */
export async function consistencyProof(
  reader: TileReader,
  { from, to, minimumIndex = 0 }: { readonly from: number; readonly to: number; readonly minimumIndex?: number },
): Promise<Hash[]> {
  if (!isCount(from) || !isCount(to) || from > to) {
    throw new TlogError('index-out-of-range', `No tree of ${from} leaves is the beginning of one of ${to}.`);
  }
  if (from === 0 || from === to) return [];
  if (from < minimumIndex) throw new TlogError('index-pruned', `Trees smaller than ${minimumIndex} are pruned.`);
  const ranges: Range[] = [];
  let [start, end] = [0, to];
  while (from !== end) {
    const middle = start + splitOf(end - start);
    if (from <= middle) {
      ranges.unshift({ start: middle, end });
      end = middle;
    } else {
      ranges.unshift({ start, end: middle });
      start = middle;
    }
  }
  // The verifier knows the old root already: it is left out where it is a subtree of the new tree as it is.
  if (start !== 0) ranges.unshift({ start, end });
  return hashesOf(reader, ranges, { size: to, minimumIndex });
}

/** The root of the tree of `size`, from the tiles of its right edge. Errors as {@link inclusionProof}. */
export async function rootFromTiles(reader: TileReader, size: number): Promise<Hash> {
  if (size === 0) return emptyRoot();
  const [root] = await hashesOf(reader, [{ start: 0, end: size }], { size, minimumIndex: 0 });
  return root ?? emptyRoot();
}

/** RFC 9162, 2.1.3.2. Throws `proof-wrong` when the leaf is not the one at `index` in the tree of `size` with this root. */
export function verifyInclusion(
  { index, size, root, leaf }: { readonly index: number; readonly size: number; readonly root: Hash; readonly leaf: Hash },
  proof: readonly Hash[],
): void {
  const wrong = (): TlogError =>
    new TlogError('proof-wrong', `The proof does not lead from leaf ${index} to the root of the tree of ${size}.`);
  if (!isCount(size) || !isCount(index) || index >= size) throw wrong();
  let [node, last, reached] = [index, size - 1, leaf];
  for (const hash of proof) {
    if (last === 0) throw wrong();
    if (node % 2 === 1 || node === last) {
      reached = nodeHash(hash, reached);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      reached = nodeHash(reached, hash);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  if (last !== 0 || !sameHash(reached, root)) throw wrong();
}

/** RFC 9162, 2.1.4.2. Throws `proof-wrong` when the older tree is not shown to be the beginning of the newer one. */
export function verifyConsistency(
  older: { readonly size: number; readonly root: Hash },
  newer: { readonly size: number; readonly root: Hash },
  proof: readonly Hash[],
): void {
  const wrong = (): TlogError =>
    new TlogError('proof-wrong', `The tree of ${older.size} is not shown to be the beginning of the tree of ${newer.size}.`);
  if (!isCount(older.size) || !isCount(newer.size) || older.size > newer.size) throw wrong();
  if (older.size === newer.size || older.size === 0) {
    const known = older.size === 0 ? emptyRoot() : newer.root;
    if (proof.length > 0 || !sameHash(older.root, known)) throw wrong();
    return;
  }
  let [node, last] = [older.size - 1, newer.size - 1];
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  // A power of two is a subtree of the newer tree as it is, so the proof begins with what is known.
  const path = node === 0 ? [older.root, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined) throw wrong();
  let [oldRoot, newRoot] = [first, first];
  for (const hash of path) {
    if (last === 0) throw wrong();
    if (node % 2 === 1 || node === last) {
      oldRoot = nodeHash(hash, oldRoot);
      newRoot = nodeHash(hash, newRoot);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      newRoot = nodeHash(newRoot, hash);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  if (last !== 0 || !sameHash(oldRoot, older.root) || !sameHash(newRoot, newer.root)) throw wrong();
}

/** The Merkle tree hash of each range. Each tile is read once, all of them at the same time. */
async function hashesOf(
  reader: TileReader,
  ranges: readonly Range[],
  tree: { readonly size: number; readonly minimumIndex: number },
): Promise<Hash[]> {
  const tiles = new Map<string, Promise<Hash[]>>();
  const tileAt = async (level: number, index: number): Promise<Hash[]> => {
    const tile = tileInTree(level, index, tree.size);
    if (isPruned(tile, tree.minimumIndex)) throw new TlogError('index-pruned', `${tilePath(tile)} is pruned.`);
    const path = tilePath(tile);
    const known = tiles.get(path) ?? readTile(reader, tile);
    tiles.set(path, known);
    return known;
  };
  const hashOf = async ({ start, end }: Range): Promise<Hash> => {
    const count = end - start;
    const height = Math.log2(count);
    if (!Number.isInteger(height)) {
      const middle = start + splitOf(count);
      const [left, right] = await Promise.all([hashOf({ start, end: middle }), hashOf({ start: middle, end })]);
      return nodeHash(left, right);
    }
    const level = Math.floor(height / HEIGHT_OF_TILE);
    const first = start / TILE_WIDTH ** level;
    const within = first % TILE_WIDTH;
    const hashes = await tileAt(level, Math.floor(first / TILE_WIDTH));
    return rootOfFullTree(hashes.slice(within, within + 2 ** (height % HEIGHT_OF_TILE)));
  };
  return Promise.all(ranges.map(hashOf));
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= SIZE_AT_MOST;
}
