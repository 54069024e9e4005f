/** How often values occur: `times` different values stand in `rows` rows each. Says nothing of the values themselves. */
export type Frequency = { readonly rows: number; readonly times: number };

export type AttackReport = {
  /** Rows whose value an attacker names by always guessing the commonest one, as a share. */
  readonly guessing: number;
  /** The same for one who sees the index and knows how often each value occurs. */
  readonly attack: number;
  /** What the index gives away: the difference. */
  readonly gain: number;
};

/** An index that gives away more than this is refused unless somebody accepts it. */
export const ACCEPTED_GAIN = 0.01;

/**
 * What a frequency attack on this very column would recover: the attacker reads the index of every row and has the exact
 * frequencies of the values from elsewhere (a census, an old backup), but not the key. Of each number of the index he sees in how many
 * rows it stands, and guesses the value that makes the most of it: the one with the largest product of its own rows and the chance that
 * all others of the number make up the rest. (Matching by rank, as in Naveed, Kamara, Wright 2015, is the weaker attack: one value
 * out of order shifts all that follow.)
 *
 * What he names is exact, as a mean over keys: for c rows in a number and a value of f rows the sum over c of the largest f · P(c - f),
 * where P(r) is the chance that other values put r rows into a number.
 */
export function frequencyAttack(frequencies: readonly Frequency[], bits: number): AttackReport {
  const counted = frequencies.filter(({ rows, times }) => rows > 0 && times > 0);
  const total = sum(counted, ({ rows, times }) => rows * times);
  if (total === 0) return { guessing: 0, attack: 0, gain: 0 };
  const guessing = Math.max(...counted.map(({ rows }) => rows)) / total;
  // Values that stand in so many rows are told by that alone.
  const told = sum(counted, ({ rows, times }) => (rows > ROWS_COUNTED ? rows * times : 0));
  const hidden = counted.filter(({ rows }) => rows <= ROWS_COUNTED);
  const attack = Math.min(1, Math.max(guessing, (told + rowsNamed(hidden, 2 ** -bits)) / total));
  return { guessing, attack, gain: attack - guessing };
}

/** Rows of one value beyond which it is not worth while to count: 2^18. */
const ROWS_COUNTED = 262_144;
/** Of the chances of how many rows others make up the rarest are left out, this much together: the figure is too small by no more. */
const LEFT_OUT = 0.002;

function rowsNamed(counted: readonly Frequency[], share: number): number {
  if (counted.length === 0) return 0;
  const rest = restOf(counted, share);
  const likely = likeliest(rest);
  const most = Math.max(...counted.map(({ rows }) => rows));
  const best = new Float64Array(rest.length + most);
  for (const { rows } of counted) {
    for (const each of likely) {
      const worth = rows * (rest[each] ?? 0);
      if (worth > (best[each + rows] ?? 0)) best[each + rows] = worth;
    }
  }
  return best.reduce((named, worth) => named + worth, 0);
}

/** The counts that have all but {@link LEFT_OUT} of the chance. */
function likeliest(chances: Float64Array): Uint32Array {
  const falling = chances.toSorted().toReversed();
  let kept = 0;
  let at = 0;
  while (at < falling.length && kept < 1 - LEFT_OUT) kept += falling[at++] ?? 0;
  const least = falling[at - 1] ?? 0;
  return Uint32Array.from([...chances.keys()].filter((each) => (chances[each] ?? 0) >= least && (chances[each] ?? 0) > 0));
}

/**
 * The chances of 0, 1, 2 … rows in one number of the index, into which each value falls with the same small chance. By the logarithm of
 * the characteristic function to the second order of that chance: log(1 + p(z^f - 1)) = p(z^f - 1) - p²(z^f - 1)²/2.
 */
function restOf(counted: readonly Frequency[], share: number): Float64Array {
  const most = Math.max(...counted.map(({ rows }) => rows));
  const values = sum(counted, ({ times }) => times);
  const mean = share * sum(counted, ({ rows, times }) => rows * times);
  const deviation = Math.sqrt(share * sum(counted, ({ rows, times }) => rows * rows * times));
  const size = 2 ** Math.ceil(Math.log2(2 * most + mean + DEVIATIONS * deviation + 1));
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  const second = (share * share) / 2;
  for (const { rows, times } of counted) {
    real[rows] = (real[rows] ?? 0) + times * (share + 2 * second);
    real[(2 * rows) % size] = (real[(2 * rows) % size] ?? 0) - times * second;
  }
  transform(real, imaginary);
  const constant = values * (share + second);
  for (let at = 0; at < size; at += 1) {
    const length = Math.exp((real[at] ?? 0) - constant);
    const angle = imaginary[at] ?? 0;
    real[at] = length * Math.cos(angle);
    imaginary[at] = length * Math.sin(angle);
  }
  transform(imaginary, real);
  // What is left of rounding is no chance.
  return real.map((chance) => (chance / size > NOISE ? chance / size : 0));
}

const DEVIATIONS = 12;
const NOISE = 1e-13;

/** Discrete Fourier transform in place, of a power of two of numbers; with the parts exchanged it is the way back, times the size. */
function transform(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  for (let at = 1, other = 0; at < size; at += 1) {
    let bit = size >> 1;
    for (; (other & bit) !== 0; bit >>= 1) other ^= bit;
    other ^= bit;
    if (at < other) {
      exchange(real, at, other);
      exchange(imaginary, at, other);
    }
  }
  for (let half = 1; half < size; half *= 2) {
    for (let place = 0; place < half; place += 1) {
      const angle = (-Math.PI * place) / half;
      const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
      for (let even = place; even < size; even += 2 * half) {
        const odd = even + half;
        const turnedReal = (real[odd] ?? 0) * cosine - (imaginary[odd] ?? 0) * sine;
        const turnedImaginary = (real[odd] ?? 0) * sine + (imaginary[odd] ?? 0) * cosine;
        real[odd] = (real[even] ?? 0) - turnedReal;
        imaginary[odd] = (imaginary[even] ?? 0) - turnedImaginary;
        real[even] = (real[even] ?? 0) + turnedReal;
        imaginary[even] = (imaginary[even] ?? 0) + turnedImaginary;
      }
    }
  }
}

function exchange(numbers: Float64Array, one: number, other: number): void {
  const kept = numbers[one] ?? 0;
  numbers[one] = numbers[other] ?? 0;
  numbers[other] = kept;
}

function sum(counted: readonly Frequency[], of: (frequency: Frequency) => number): number {
  return counted.reduce((total, each) => total + of(each), 0);
}
