import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { memoryLog, numbered } from './testing/memory-log.ts';
import {
  decodeEntryBundle,
  decodeTile,
  encodeEntryBundle,
  isPruned,
  parseTilePath,
  readEntryBundle,
  readTile,
  TILE_WIDTH,
  tilePath,
  tilesOfTree,
  type Tile,
} from './tiles.ts';

const vectors: {
  paths: { tile: Tile; path: string }[];
  refused: string[];
  partialTiles: Record<string, string[]>;
  counts: Record<string, Record<string, number>>;
} = JSON.parse(readFileSync(new URL('./vectors/paths.json', import.meta.url), 'utf8'));

test('paths are those of the specification, and nothing else is one', () => {
  for (const { tile, path } of vectors.paths) {
    assert.equal(tilePath(tile), path);
    assert.deepEqual(parseTilePath(path), tile);
  }
  for (const path of vectors.refused) assert.equal(parseTilePath(path), undefined, path);
});

test('every tile has a path of its own and comes back from it', () => {
  const tiles = fc.record(
    {
      level: fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 })),
      index: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      width: fc.integer({ min: 1, max: TILE_WIDTH }),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(tiles, (tile) => assert.deepEqual(parseTilePath(tilePath(tile)), tile)));
  fc.assert(
    fc.property(fc.string(), (path) => {
      const tile = parseTilePath(path);
      assert.ok(tile === undefined || tilePath(tile) === path);
    }),
  );
});

test('a tree has the tiles that the specification counts', () => {
  for (const [size, partial] of Object.entries(vectors.partialTiles)) {
    const tiles = [...tilesOfTree(Number(size))];
    assert.deepEqual(tiles.filter(({ width }) => width < TILE_WIDTH).map(tilePath), partial);
    const counted = Object.fromEntries(
      [...Map.groupBy(tiles, ({ level }) => String(level))].map(([level, { length }]) => [level, length]),
    );
    assert.deepEqual(counted, vectors.counts[size]);
  }
  assert.deepEqual([...tilesOfTree(0)], []);
});

test('a bundle gives back its entries, the empty and the longest too', () => {
  const entries = [Buffer.alloc(0), Buffer.alloc(65_535, 7), Buffer.from('a')];
  assert.deepEqual(
    decodeEntryBundle(encodeEntryBundle(entries)).map((entry) => Buffer.from(entry)),
    entries,
  );
  assert.deepEqual([...encodeEntryBundle([Buffer.alloc(258)]).subarray(0, 2)], [1, 2]);
  assert.throws(() => encodeEntryBundle([Buffer.alloc(65_536)]), { code: 'entry-too-long' });
});

test('a bundle that is cut, empty or too long is refused', () => {
  const bundle = encodeEntryBundle(numbered(3));
  for (let cut = 1; cut < bundle.length; cut += 1) {
    try {
      assert.ok(decodeEntryBundle(bundle.subarray(0, cut)).length < 3);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'bundle-malformed');
    }
  }
  assert.throws(() => decodeEntryBundle(Buffer.alloc(0)), { code: 'bundle-malformed' });
  assert.throws(() => decodeEntryBundle(Buffer.alloc(2 * 257)), { code: 'bundle-malformed' });
});

test('a tile has whole hashes, at least one and at most 256', () => {
  for (const length of [0, 31, 33, 257 * 32]) assert.throws(() => decodeTile(Buffer.alloc(length)), { code: 'tile-malformed' });
  assert.equal(decodeTile(Buffer.alloc(256 * 32)).length, 256);
});

test('where the partial tile is gone, the full one serves; where both are, it is missing', async () => {
  const log = memoryLog();
  log.grow(numbered(TILE_WIDTH));
  const partial = { level: 0, index: 0, width: 9 };
  assert.equal((await readTile(log.reader, partial)).length, 9);
  assert.equal((await readEntryBundle(log.reader, { level: 'entries', index: 0, width: 9 })).length, 9);
  await assert.rejects(readTile(log.reader, { level: 0, index: 1, width: 3 }), { code: 'tile-missing' });
  await assert.rejects(
    readTile(async () => Buffer.alloc(64), partial),
    { code: 'tile-malformed' },
  );
  await assert.rejects(
    readEntryBundle(async () => encodeEntryBundle(numbered(2)), { level: 'entries', index: 0, width: 3 }),
    {
      code: 'bundle-malformed',
    },
  );
});

test('what ends at or below the minimum index is pruned, and no partial tile ever', () => {
  assert.equal(isPruned({ level: 0, index: 0, width: 256 }, 256), true);
  assert.equal(isPruned({ level: 0, index: 0, width: 256 }, 255), false);
  assert.equal(isPruned({ level: 1, index: 0, width: 256 }, 256), false);
  assert.equal(isPruned({ level: 'entries', index: 1, width: 256 }, 512), true);
  assert.equal(isPruned({ level: 0, index: 0, width: 3 }, 256), false);
  const left = [...tilesOfTree(70_000, { minimumIndex: 65_536 })].map(tilePath);
  assert.ok(!left.includes('tile/0/255') && !left.includes('tile/1/000') && left.includes('tile/0/256'));
});
