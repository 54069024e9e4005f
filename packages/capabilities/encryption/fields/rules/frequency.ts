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
 * frequencies of the values from elsewhere (a census, an old backup), but not the key. He ranks both and matches them: the
 * commonest value of the index is guessed to be the commonest value of the column, and so on (Naveed, Kamara, Wright 2015).
 * Index values are drawn as a key unknown to him would give them; the mean of several keys is told.
 */
export function frequencyAttack(frequencies: readonly Frequency[], bits: number, random: () => number = Math.random): AttackReport {
  const counts = [...frequencies]
    .filter(({ rows, times }) => rows > 0 && times > 0)
    .toSorted((one, other) => other.rows - one.rows);
  const total = counts.reduce((sum, { rows, times }) => sum + rows * times, 0);
  if (total === 0) return { guessing: 0, attack: 0, gain: 0 };
  const guessing = (counts[0]?.rows ?? 0) / total;
  const values = counts.reduce((sum, { times }) => sum + times, 0);
  const keys = values > MANY_VALUES ? KEYS : KEYS_OF_FEW;
  let recovered = 0;
  for (let key = 0; key < keys; key += 1) recovered += recoveredRows(counts, bits, random);
  const attack = recovered / keys / total;
  return { guessing, attack, gain: Math.max(0, attack - guessing) };
}

const KEYS = 8;
/** Of few values one more or less is a share that counts: more keys, so that chance does not decide. */
const KEYS_OF_FEW = 400;
const MANY_VALUES = 5_000;
/** Buckets that are matched. The frequencies of values beyond the commonest are so alike that ranks are a guess. */
const RANKS = 20_000;

/** Of buckets alike the attacker cannot tell which is which: their order is chance. */
function recoveredRows(counts: readonly Frequency[], bits: number, random: () => number): number {
  const rowsIn = new Float64Array(2 ** bits);
  const guessed: { readonly bucket: number; readonly rows: number }[] = [];
  for (const { rows, times } of counts) {
    for (let each = 0; each < times; each += 1) {
      const bucket = Math.floor(random() * rowsIn.length);
      rowsIn[bucket] = (rowsIn[bucket] ?? 0) + rows;
      // Only the commonest values are guessed at all.
      if (guessed.length < RANKS) guessed.push({ bucket, rows });
    }
  }
  const order = Float64Array.from(rowsIn, random);
  const ranked = Uint32Array.from(rowsIn.keys()).sort(
    (one, other) => (rowsIn[other] ?? 0) - (rowsIn[one] ?? 0) || (order[one] ?? 0) - (order[other] ?? 0),
  );
  return guessed.reduce((sum, { bucket, rows }, rank) => sum + (ranked[rank] === bucket ? rows : 0), 0);
}
