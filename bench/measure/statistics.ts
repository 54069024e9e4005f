/** A source of numbers in [0, 1). */
export type Random = () => number;

/**
 * The same seed gives the same numbers on every machine: the order of the rounds and the resampling can be repeated.
 * SplitMix (Steele, Lea, Flood 2014) in 32 bits, finished with MurmurHash3's mixer. Not for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** A new array in random order (Fisher and Yates). */
export function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const rest = [...items];
  const result: Item[] = [];
  while (rest.length > 0) result.push(...rest.splice(Math.floor(random() * rest.length), 1));
  return result;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which `share` of the values lie; between two neighbours it is interpolated in a straight line. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = (sorted.length - 1) * share;
  const lower = sorted[Math.floor(position)];
  const upper = sorted[Math.ceil(position)];
  if (lower === undefined || upper === undefined) throw new Error('There is no quantile of no values.');
  return lower + (upper - lower) * (position - Math.floor(position));
}

// 1 / (the 75 % point of the normal distribution): makes the MAD of normal noise equal to its standard deviation.
const NORMAL_SCALE = 1.4826;

/**
 * How far runs typically lie from their median, as a share of it: the scaled median absolute deviation. Unlike a
 * standard deviation it does not explode when one run of seven met a cron job. 0 when all are equal.
 */
export function relativeSpread(values: readonly number[]): number {
  const centre = median(values);
  const deviation = NORMAL_SCALE * median(values.map((value) => Math.abs(value - centre)));
  if (deviation === 0) return 0;
  return deviation / Math.abs(centre);
}

export type Interval = { readonly low: number; readonly high: number };

const CONFIDENCE = 0.95;
// More changes the ends of an interval of 7 runs by less than a percent of its width.
const RESAMPLES = 2000;

/** Where the median lies with 95 % confidence, by percentile bootstrap. */
export function medianInterval(values: readonly number[], random: Random): Interval {
  return bootstrap(values.length, (rounds) => median(pick(values, rounds)), random);
}

/**
 * Where the ratio of the medians lies with 95 % confidence. `ours[i]` and `theirs[i]` come from the same round and are
 * drawn together: what slowed a whole round (a backup, a hot CPU) then widens neither side.
 */
export function ratioInterval(ours: readonly number[], theirs: readonly number[], random: Random): Interval {
  if (ours.length !== theirs.length) throw new Error('A ratio needs both sides of every round.');
  const ratioOf = (rounds: readonly number[]): number => median(pick(ours, rounds)) / median(pick(theirs, rounds));
  return bootstrap(ours.length, ratioOf, random);
}

function bootstrap(count: number, statistic: (rounds: readonly number[]) => number, random: Random): Interval {
  const drawn = Array.from({ length: RESAMPLES }, () =>
    statistic(Array.from({ length: count }, () => Math.floor(random() * count))),
  );
  return { low: quantile(drawn, (1 - CONFIDENCE) / 2), high: quantile(drawn, (1 + CONFIDENCE) / 2) };
}

function pick(values: readonly number[], places: readonly number[]): number[] {
  // Places are drawn below the length of `values`.
  return places.map((place) => values[place] ?? Number.NaN);
}
