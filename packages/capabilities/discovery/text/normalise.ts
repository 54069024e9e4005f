/** A text as the patterns see it, and the way back to the places of the original. */
export type Normalised = {
  readonly text: string;
  /** Null: every place is where it was. Else the start in the original for each unit of `text`, and one more for its end. */
  readonly starts: Uint32Array | null;
  readonly ends: Uint32Array | null;
};

/** Nothing beyond here is shown, but it splits a number or an address for a machine: soft hyphen, zero width, direction marks. */
const INVISIBLE = /[\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF]/;
const DASH = /[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/;
/**
 * Beside ASCII the letters and signs of Europe that NFKC leaves as they are, and that compose with nothing among themselves: of
 * Latin-1 and Latin Extended-A all but those with a decomposition for compatibility, quotation marks, the euro.
 */
const NOT_WESTERN =
  /[^\u0000-\u007F\u00A1-\u00A7\u00A9\u00AB\u00AC\u00AE\u00B0\u00B1\u00B6\u00B7\u00BB\u00BF-\u0131\u0134-\u013E\u0141-\u0148\u014A-\u017E\u2018-\u201E\u20AC]/;
const SPECIAL =
  /[\u00AD\u061C\u180E\u200B-\u200F\u2010-\u2015\u202A-\u202E\u2060-\u2064\u2066-\u2069\u2212\uFE58\uFE63\uFEFF\uFF0D]|(?![0-9])\p{Nd}/u;
/** What is normalised together: a character with the marks on it, or the jamo of one Hangul syllable. */
const CLUSTER = /[\u1100-\u115F][\u1160-\u11A7]?[\u11A8-\u11FF]?|[\s\S]\p{M}{0,30}/gu;

/**
 * NFKC, digits of all scripts as ASCII, one kind of dash, and nothing invisible: so a full-width number, a no-break space or a
 * zero-width space hides nothing. Takes any UTF-16, lone surrogates included.
 */
export function normalise(original: string): Normalised {
  if (!NOT_WESTERN.test(original)) return { text: original, starts: null, ends: null };
  if (!SPECIAL.test(original) && original.normalize('NFKC') === original) return { text: original, starts: null, ends: null };
  const parts: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  for (const match of original.matchAll(CLUSTER)) {
    const [cluster] = match;
    const plain = clean(cluster);
    parts.push(plain);
    for (let index = 0; index < plain.length; index += 1) {
      // A cluster that stays as it is keeps the place of each of its units.
      const same = plain.length === cluster.length;
      starts.push(same ? match.index + index : match.index);
      ends.push(same ? match.index + index + 1 : match.index + cluster.length);
    }
  }
  return { text: parts.join(''), starts: Uint32Array.from(starts), ends: Uint32Array.from(ends) };
}

function clean(cluster: string): string {
  if (cluster.length === 1 && cluster < '\u0080') return cluster;
  if (INVISIBLE.test(cluster)) return [...cluster].filter((letter) => !INVISIBLE.test(letter)).join('');
  if (DASH.test(cluster)) return cluster.replace(DASH, '-');
  return cluster.normalize('NFKC').replace(/(?![0-9])\p{Nd}/gu, digitOf);
}

/** Decimal digits stand in runs of ten that begin at zero (Unicode, chapter 4.6). */
function digitOf(letter: string): string {
  const point = letter.codePointAt(0) ?? 0;
  let zero = point;
  while (point - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  // Mathematical digits follow each other without a gap; NFKC has made them ASCII before.
  return String(point - zero);
}

/** From places of the normalised text to places of the original, end exclusive. */
export function placeOf({ starts, ends }: Normalised, start: number, end: number): readonly [number, number] {
  return [starts?.[start] ?? start, ends?.[end - 1] ?? end];
}
