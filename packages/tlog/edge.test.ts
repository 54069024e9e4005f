import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { append, edgeRoot, emptyEdge, readEdge } from './edge.ts';
import { leafHash } from './hashing.ts';
import { rootFromTiles } from './proofs.ts';
import { memoryLog, numbered } from './testing/memory-log.ts';
import { naiveRoot } from './testing/naive-tree.ts';
import { decodeTile, TILE_WIDTH, tilePath, tilesOfTree } from './tiles.ts';

const vectors: { entries: string[]; roots: string[] } = JSON.parse(
  readFileSync(new URL('./vectors/tree.json', import.meta.url), 'utf8'),
);

test('the roots of the well-known eight entries are the known ones', () => {
  const leaves = vectors.entries.map((entry) => leafHash(Buffer.from(entry, 'hex')));
  vectors.roots.forEach((root, size) => {
    assert.equal(Buffer.from(append(emptyEdge, leaves.slice(0, size)).root).toString('hex'), root);
  });
});

test('whatever the batches, the root is the one of the naive tree and the tiles are the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 }), async (batches) => {
      const log = memoryLog();
      for (const count of batches) {
        const { size, root } = log.grow(numbered(count, log.entries.length));
        assert.equal(size, log.entries.length);
        assert.deepEqual(Buffer.from(root), naiveRoot(log.entries));
        assert.deepEqual(await rootFromTiles(log.reader, size), root);
        assert.deepEqual(await readEdge(log.reader, size), log.edge());
      }
      const once = memoryLog();
      once.grow(numbered(log.entries.length));
      for (const tile of tilesOfTree(log.entries.length)) {
        assert.deepEqual(log.files.get(tilePath(tile)), once.files.get(tilePath(tile)), tilePath(tile));
      }
    }),
    { numRuns: 40 },
  );
});

test('every hash of every tile is the root of the leaves it covers', () => {
  const entries = numbered(TILE_WIDTH * 3 + 7);
  const { tiles } = append(emptyEdge, entries.map(leafHash));
  for (const { tile, bytes } of tiles) {
    const covered = TILE_WIDTH ** Number(tile.level);
    decodeTile(bytes).forEach((hash, position) => {
      const start = (tile.index * TILE_WIDTH + position) * covered;
      assert.deepEqual(Buffer.from(hash), naiveRoot(entries.slice(start, start + covered)));
    });
  }
  assert.deepEqual(
    tiles.map(({ tile }) => tilePath(tile)),
    ['tile/0/000', 'tile/0/001', 'tile/0/002', 'tile/0/003.p/7', 'tile/1/000.p/3'],
  );
});

test('only tiles with new hashes are told, and from where they are new', () => {
  const { edge } = append(emptyEdge, numbered(300).map(leafHash));
  const { tiles } = append(edge, numbered(10, 300).map(leafHash));
  assert.deepEqual(
    tiles.map(({ tile, from }) => [tilePath(tile), from]),
    [['tile/0/001.p/54', 44]],
  );
  assert.deepEqual(append(edge, []).tiles, []);
  assert.deepEqual(append(edge, []).root, edgeRoot(edge));
});

test('three levels of tiles: 70,000 leaves', async () => {
  const log = memoryLog();
  const { root, size } = log.grow(numbered(70_000));
  assert.deepEqual(Buffer.from(root), naiveRoot(log.entries));
  assert.deepEqual(
    log.edge().partial.map(({ length }) => length),
    [112, 17, 1],
  );
  assert.deepEqual(await readEdge(log.reader, size), log.edge());
  const again = append(await readEdge(log.reader, size), numbered(1, 70_000).map(leafHash));
  assert.deepEqual(Buffer.from(again.root), naiveRoot(numbered(70_001)));
});

test('a tree has no more leaves than a number can count', () => {
  const edge = { size: Number.MAX_SAFE_INTEGER, partial: [] };
  assert.throws(() => append(edge, [leafHash(Buffer.of(1))]), { code: 'index-out-of-range' });
});
