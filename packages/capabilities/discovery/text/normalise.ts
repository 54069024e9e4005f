import { endAt } from './sticky.ts';

/** A text as the patterns see it, and the way back to the places of the original. */
export type Normalised = {
  readonly text: string;
  /** Stretches that became longer or shorter, in order; between them places only move. */
  readonly changes: readonly Change[];
};

type Change = {
  /** In the normalised text. */
  readonly at: number;
  readonly width: number;
  /** In the original. */
  readonly start: number;
  readonly end: number;
};

/**
 * Shown as nothing or as a form of the letter before, but it splits a number or an address for a machine: soft hyphen, joiners, zero
 * width, direction marks, fillers, variation selectors, tags (Default_Ignorable_Code_Point of Unicode, and the Mongolian separator).
 */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u180E]/u;
const DASH = /[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/;
/**
 * Beside ASCII the letters and signs of Europe that NFKC leaves as they are, and that compose with nothing among themselves: of
 * Latin-1 and Latin Extended-A all but those with a decomposition for compatibility, quotation marks, the euro.
 */
const NOT_WESTERN =
  /[^\u0000-\u007F\u00A1-\u00A7\u00A9\u00AB\u00AC\u00AE\u00B0\u00B1\u00B6\u00B7\u00BB\u00BF-\u0131\u0134-\u013E\u0141-\u0148\u014A-\u017E\u2018-\u201E\u20AC]/;
const SPECIAL = /[\p{Default_Ignorable_Code_Point}\u180E\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]|(?![0-9])\p{Nd}/u;
/** What is normalised together: a character with the marks on it, or the jamo of one Hangul syllable. */
const CLUSTER = /[\u1100-\u115F][\u1160-\u11A7]?[\u11A8-\u11FF]?|[\s\S]\p{M}{0,30}/uy;
const MARK = /\p{M}/uy;

/**
 * NFKC, digits of all scripts as ASCII, one kind of dash, and nothing invisible: so a full-width number, a no-break space or a
 * zero-width space hides nothing. Takes any UTF-16, lone surrogates included.
 */
export function normalise(original: string): Normalised {
  if (!NOT_WESTERN.test(original)) return { text: original, changes: [] };
  if (!SPECIAL.test(original) && original.normalize('NFKC') === original) return { text: original, changes: [] };
  const parts: string[] = [];
  const changes: Change[] = [];
  let [done, length] = [0, 0];
  for (let next = nextOdd(original, 0); next >= 0; next = nextOdd(original, done)) {
    const start = next > done && endAt(MARK, original, next) >= 0 ? next - 1 : next;
    const end = endAt(CLUSTER, original, start);
    const plain = clean(original.slice(start, end));
    parts.push(original.slice(done, start), plain);
    length += start - done;
    // A cluster that stays as long as it is keeps the place of each of its units.
    if (plain.length !== end - start) changes.push({ at: length, width: plain.length, start, end });
    length += plain.length;
    done = end;
  }
  return { text: parts.join('') + original.slice(done), changes };
}

const ODD = new RegExp(NOT_WESTERN.source, 'gu');

/** Where the next character stands that may have to be changed, or joins the one before; -1 where there is none. */
function nextOdd(text: string, from: number): number {
  ODD.lastIndex = from;
  return ODD.exec(text)?.index ?? -1;
}

function clean(cluster: string): string {
  const shown = INVISIBLE.test(cluster) ? [...cluster].filter((letter) => !INVISIBLE.test(letter)).join('') : cluster;
  if (DASH.test(shown)) return shown.replace(DASH, '-');
  return shown.normalize('NFKC').replace(/(?![0-9])\p{Nd}/gu, digitOf);
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
export function placeOf({ changes }: Normalised, start: number, end: number): readonly [number, number] {
  const [first, last] = [changeBefore(changes, start), changeBefore(changes, end - 1)];
  const from =
    first === undefined ? start : start < first.at + first.width ? first.start : first.end + start - first.at - first.width;
  const to = last === undefined ? end : end <= last.at + last.width ? last.end : last.end + end - last.at - last.width;
  return [from, to];
}

/** The last change that begins at a place or before it. */
function changeBefore(changes: readonly Change[], place: number): Change | undefined {
  let [low, high] = [0, changes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((changes[middle]?.at ?? 0) <= place) low = middle + 1;
    else high = middle;
  }
  return changes[low - 1];
}
