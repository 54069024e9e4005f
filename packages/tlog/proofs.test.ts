import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { leafHash, type Hash } from './hashing.ts';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proofs.ts';
import { memoryLog, numbered } from './testing/memory-log.ts';
import { naiveConsistency, naivePath, naiveRoot } from './testing/naive-tree.ts';
import { parseTilePath } from './tiles.ts';

const hex = (hashes: readonly Uint8Array[]): string[] => hashes.map((hash) => Buffer.from(hash).toString('hex'));

/** Something wrong with a list of hashes: one bit flipped, one left out, one more, two swapped. */
function* spoilt(proof: readonly Hash[]): Generator<Hash[]> {
  for (let at = 0; at < proof.length; at += 1) {
    const flipped = proof.map((hash) => Buffer.from(hash));
    const hash = flipped[at] ?? assert.fail();
    hash[at % 32] = (hash[at % 32] ?? 0) ^ 1;
    yield flipped;
    yield proof.toSpliced(at, 1);
  }
  yield [...proof, Buffer.alloc(32)];
  yield [Buffer.alloc(32), ...proof];
  if (proof.length > 1) yield [...proof.slice(1), ...proof.slice(0, 1)];
}

test('every proof of every leaf of small trees is the one of the RFC and verifies, and no spoilt one does', async () => {
  for (let size = 1; size <= 24; size += 1) {
    const log = memoryLog();
    const { root } = log.grow(numbered(size));
    for (let index = 0; index < size; index += 1) {
      const proof = await inclusionProof(log.reader, { index, size });
      assert.deepEqual(hex(proof), hex(naivePath(index, log.entries)));
      const leaf = leafHash(log.entries[index] ?? assert.fail());
      verifyInclusion({ index, size, root, leaf }, proof);
      for (const wrong of spoilt(proof))
        assert.throws(() => verifyInclusion({ index, size, root, leaf }, wrong), { code: 'proof-wrong' });
      if (index + 1 < size)
        assert.throws(() => verifyInclusion({ index: index + 1, size, root, leaf }, proof), { code: 'proof-wrong' });
      assert.throws(() => verifyInclusion({ index, size, root, leaf: leafHash(Buffer.from('forged')) }, proof), {
        code: 'proof-wrong',
      });
    }
  }
});

test('every consistency proof of small trees is the one of the RFC and verifies, and no spoilt one does', async () => {
  for (let to = 1; to <= 20; to += 1) {
    const log = memoryLog();
    const newer = log.grow(numbered(to));
    for (let from = 0; from <= to; from += 1) {
      const older = { size: from, root: naiveRoot(log.entries.slice(0, from)) };
      const proof = await consistencyProof(log.reader, { from, to });
      if (from > 0) assert.deepEqual(hex(proof), hex(naiveConsistency(from, log.entries)));
      verifyConsistency(older, newer, proof);
      for (const wrong of spoilt(proof)) assert.throws(() => verifyConsistency(older, newer, wrong), { code: 'proof-wrong' });
      const fork = { size: from, root: naiveRoot(numbered(from, 1)) };
      if (from > 0) assert.throws(() => verifyConsistency(fork, newer, proof), { code: 'proof-wrong' });
    }
  }
});

test('proofs in trees of several tiles are the ones of the RFC', async () => {
  const log = memoryLog();
  const { size, root } = log.grow(numbered(70_000));
  const places = [0, 65_535, 65_536, 69_888, 69_999];
  for (const index of places) {
    const proof = await inclusionProof(log.reader, { index, size });
    assert.deepEqual(hex(proof), hex(naivePath(index, log.entries)));
    verifyInclusion({ index, size, root, leaf: leafHash(log.entries[index] ?? assert.fail()) }, proof);
  }
  for (const from of [1, 256, 65_536, 69_888]) {
    const proof = await consistencyProof(log.reader, { from, to: size });
    verifyConsistency({ size: from, root: naiveRoot(log.entries.slice(0, from)) }, { size, root }, proof);
  }
});

test('a proof in any tree reads few tiles, each once', async () => {
  const log = memoryLog();
  const { size } = log.grow(numbered(3000));
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: size - 1 }), async (index) => {
      log.read.length = 0;
      await inclusionProof(log.reader, { index, size });
      assert.ok(log.read.length <= 4, log.read.join(' '));
      assert.equal(new Set(log.read).size, log.read.length);
    }),
  );
});

test('from the minimum index on, all proofs can be made without anything pruned; below it they are refused', async () => {
  const log = memoryLog();
  const { size, root } = log.grow(numbered(70_000));
  const minimumIndex = 65_600;
  for (const path of log.files.keys()) {
    const { level, index, width } = parseTilePath(path) ?? assert.fail(path);
    const depth = level === 'entries' ? 1 : level + 1;
    if (width === 256 && (index + 1) * 256 ** depth <= minimumIndex) log.files.delete(path);
  }
  for (const index of [minimumIndex, 65_700, 69_999]) {
    const proof = await inclusionProof(log.reader, { index, size, minimumIndex });
    verifyInclusion({ index, size, root, leaf: leafHash(log.entries[index] ?? assert.fail()) }, proof);
  }
  const proof = await consistencyProof(log.reader, { from: minimumIndex, to: size, minimumIndex });
  verifyConsistency({ size: minimumIndex, root: naiveRoot(log.entries.slice(0, minimumIndex)) }, { size, root }, proof);
  await assert.rejects(inclusionProof(log.reader, { index: 3, size, minimumIndex }), { code: 'index-pruned' });
  await assert.rejects(consistencyProof(log.reader, { from: 3, to: size, minimumIndex }), { code: 'index-pruned' });
  await assert.rejects(inclusionProof(log.reader, { index: 3, size }), { code: 'tile-missing' });
});

test('there is no proof of what the tree does not have', async () => {
  const log = memoryLog();
  const { size, root } = log.grow(numbered(5));
  for (const index of [-1, 5, 0.5, Number.NaN, 2 ** 53]) {
    await assert.rejects(inclusionProof(log.reader, { index, size }), { code: 'index-out-of-range' });
    assert.throws(() => verifyInclusion({ index, size, root, leaf: root }, []), { code: 'proof-wrong' });
  }
  await assert.rejects(consistencyProof(log.reader, { from: 6, to: 5 }), { code: 'index-out-of-range' });
  assert.throws(() => verifyConsistency({ size: 6, root }, { size: 5, root }, []), { code: 'proof-wrong' });
});
