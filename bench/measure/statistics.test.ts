import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { median, medianInterval, quantile, ratioInterval, relativeSpread, seededRandom, shuffled } from './statistics.ts';

const seconds = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
const runs = fc.array(seconds, { minLength: 1, maxLength: 30 });
const seeds = fc.nat();

test('the median of an odd number of values is the one in the middle, of an even number the mean of the two there', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.throws(() => median([]), /no values/);
});

test('a quantile grows with its share from the smallest value to the largest, in whatever order they come', () => {
  fc.assert(
    fc.property(
      runs,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      seeds,
      (values, a, b, seed) => {
        const [lower, upper] = [Math.min(a, b), Math.max(a, b)];
        assert.ok(quantile(values, lower) <= quantile(values, upper));
        assert.equal(quantile(values, 0), Math.min(...values));
        assert.equal(quantile(values, 1), Math.max(...values));
        assert.equal(median(shuffled(values, seededRandom(seed))), median(values));
      },
    ),
  );
});

test('seeded numbers repeat with the seed, lie in [0, 1) and fill it evenly', () => {
  const numbers = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 10_000 }, () => random());
  };
  assert.deepEqual(numbers(7), numbers(7));
  assert.notDeepEqual(numbers(7).slice(0, 3), numbers(8).slice(0, 3));
  const tenths = Map.groupBy(numbers(7), (number) => Math.floor(number * 10));
  assert.equal(tenths.size, 10);
  // A fair tenth has 1,000 with a standard deviation of 30.
  for (const numbersOfTenth of tenths.values()) assert.ok(Math.abs(numbersOfTenth.length - 1000) < 150);
});

test('a shuffle keeps every item once, and every order of three comes up', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), seeds, (items, seed) => {
      const order = (a: number, b: number): number => a - b;
      assert.deepEqual(shuffled(items, seededRandom(seed)).sort(order), [...items].sort(order));
    }),
  );
  const random = seededRandom(1);
  const orders = new Set(Array.from({ length: 200 }, () => shuffled(['a', 'b', 'c'], random).join('')));
  assert.equal(orders.size, 6);
});

test('the spread is 0 for equal runs, does not depend on the unit, and one wild run hardly moves it', () => {
  assert.equal(relativeSpread([3, 3, 3]), 0);
  fc.assert(
    fc.property(runs, (values) => {
      const inMilliseconds = values.map((value) => value * 1000);
      assert.ok(Math.abs(relativeSpread(inMilliseconds) - relativeSpread(values)) < 1e-9);
    }),
  );
  const calm = [1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.01];
  assert.ok(relativeSpread([...calm.slice(1), 100]) < 0.03);
});

test('intervals repeat with the seed, hold the median, and are a point when all runs are equal', () => {
  fc.assert(
    fc.property(runs, seeds, (values, seed) => {
      const interval = medianInterval(values, seededRandom(seed));
      assert.deepEqual(medianInterval(values, seededRandom(seed)), interval);
      assert.ok(interval.low <= median(values) && median(values) <= interval.high);
    }),
    { numRuns: 15 },
  );
  assert.deepEqual(ratioInterval([6, 6, 6], [2, 2, 2], seededRandom(1)), { low: 3, high: 3 });
  assert.throws(() => ratioInterval([1, 2], [1], seededRandom(1)), /both sides of every round/);
});

test('a slowdown that strikes a whole round widens the ratio of neither side', () => {
  const slowdown = [1, 1, 3, 1, 2, 1, 5];
  const interval = ratioInterval(
    slowdown.map((factor) => factor * 2),
    slowdown,
    seededRandom(1),
  );
  assert.deepEqual(interval, { low: 2, high: 2 });
});

test('of a ratio without difference the interval holds 1.00 as often as it claims', () => {
  const EXPERIMENTS = 60;
  const random = seededRandom(2026);
  const noisy = (): number[] => Array.from({ length: 7 }, () => 1 + 0.1 * (2 * random() - 1));
  const intervals = Array.from({ length: EXPERIMENTS }, () => ratioInterval(noisy(), noisy(), random));
  const holding = intervals.filter(({ low, high }) => low <= 1 && 1 <= high).length;
  // 95 % is claimed, so 57 are expected; the seed is fixed. Fewer than 52 would mean that the claim is false.
  assert.ok(holding >= 52, `${holding} of ${EXPERIMENTS}`);
});
