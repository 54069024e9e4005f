import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from './random.ts';

/** What an implementation in C gives for the same seed, stream and index. */
const VECTOR = [3_725_648_850, 3_444_828_858, 3_905_833_703, 2_540_621_309];

test('the numbers of a seed are what they have always been, so that a sample is the same next year', () => {
  const random = new Random(1, 'patient', 7);
  assert.deepEqual([random.next(), random.next(), random.next(), random.next()], VECTOR);
});

test('a stream starts anew for each seed, kind and index', () => {
  const first = (seed: number, stream: 'patient' | 'booking', index: number) => new Random(seed, stream, index).next();
  const starts = [
    first(1, 'patient', 1),
    first(2, 'patient', 1),
    first(1, 'booking', 1),
    first(1, 'patient', 2),
    first(1, 'patient', -1),
  ];
  assert.equal(new Set(starts).size, starts.length);
  assert.equal(first(1, 'patient', 1), first(1, 'patient', 1));
});

test('between stays within its bounds and reaches both', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 5 }), (seed, low, width) => {
      const random = new Random(seed, 'day', 0);
      const drawn = new Set(Array.from({ length: 400 }, () => random.between(low, low + width)));
      assert.equal(Math.min(...drawn), low);
      assert.equal(Math.max(...drawn), low + width);
      assert.equal(drawn.size, width + 1);
    }),
  );
});

test('a chance of 30 percent comes true in about 30 of 100 draws', () => {
  const random = new Random(3, 'day', 0);
  const hits = Array.from({ length: 100_000 }, () => random.chance(30)).filter(Boolean).length;
  assert.ok(Math.abs(hits - 30_000) < 600, `${hits} hits`);
});

test('digits keep their leading zeros', () => {
  const random = new Random(5, 'day', 0);
  for (let draw = 0; draw < 200; draw += 1) assert.match(random.digits(3), /^\d{3}$/);
});

test('picking from an empty list is a bug and says so', () => {
  assert.throws(() => new Random(1, 'day', 0).pick([]), RangeError);
});
