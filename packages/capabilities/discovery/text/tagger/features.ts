import { holds, mix, type Bloom } from './bloom.ts';
import { Shape, type Tokens } from './tokens.ts';

/** What the tagger gives each token. `ADR` is street, number and postal code; in a finding it is a LOCATION. */
export const LABELS = ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC', 'B-ORG', 'I-ORG', 'B-ADR', 'I-ADR'] as const;
export const ROWS = 1 << 16;

export type Lists = {
  readonly given: Bloom;
  readonly family: Bloom;
  /** Whole names of places, of one to four words joined by a space. */
  readonly places: Bloom;
  /** Plain words of prose, the only ones whose identity the tagger looks at: it must not learn names by heart. */
  readonly plain: Bloom;
  /** All words of an English dictionary. */
  readonly english: Bloom;
};

export const Flag = { given: 1, family: 2, place: 4, placePart: 8, plain: 16, english: 32 } as const;
const LONGEST_PLACE = 4;
const SPACE_PRIME = 0x01000193;

/** Hash of words joined by a space, from the hashes of the words: for names of places. */
export function joinHashes(first: number, next: number): number {
  return Math.imul(first ^ 32, SPACE_PRIME) ^ mix(next);
}

/** The lists that each token stands in, as bits. */
export function flagTokens(tokens: Tokens, lists: Lists, flags: Uint8Array): void {
  const { count, hashes, shapes } = tokens;
  flags.fill(0, 0, count + 1);
  for (let at = 0; at < count; at += 1) {
    const shape = shapes[at] ?? 0;
    if (shape <= Shape.breakLine || shape === Shape.digits) continue;
    const hash = hashes[at] ?? 0;
    let flag = flags[at] ?? 0;
    if (holds(lists.plain, hash)) flag |= Flag.plain;
    // A small word in small letters is nothing else.
    if (shape !== Shape.lower || (flag & Flag.plain) === 0) {
      if (holds(lists.english, hash)) flag |= Flag.english;
      if (holds(lists.given, hash)) flag |= Flag.given;
      if (holds(lists.family, hash)) flag |= Flag.family;
      if (holds(lists.places, hash)) flag |= Flag.place;
      let joined = hash;
      for (let more = 1; more < LONGEST_PLACE && at + more < count; more += 1) {
        const next = shapes[at + more] ?? 0;
        if (next <= Shape.breakLine || next === Shape.digits) break;
        joined = joinHashes(joined, hashes[at + more] ?? 0);
        if (holds(lists.places, joined))
          for (let part = 0; part <= more; part += 1) flags[at + part] = (flags[at + part] ?? 0) | Flag.placePart;
      }
    }
    flags[at] = (flags[at] ?? 0) | flag;
  }
}

/** Rows of the weights for one token. Everything about a token but the labels before it. */
export const FEATURES = 27;

const TEMPLATE = Uint32Array.from({ length: 40 }, (_, index) => mix(index * 0x9e37 + 77));

function row(template: number, value: number): number {
  return mix((TEMPLATE[template] ?? 0) ^ value) & (ROWS - 1);
}

/** Identity of a plain word, of a sign or of a number's length; other words are only what lists and shape say. */
function identity(tokens: Tokens, flags: Uint8Array, at: number): number {
  if (at < 0 || at >= tokens.count) return 1;
  const shape = tokens.shapes[at] ?? 0;
  if (shape <= Shape.breakLine || ((flags[at] ?? 0) & Flag.plain) !== 0) return tokens.hashes[at] ?? 0;
  if (shape === Shape.digits) return 100 + Math.min(9, (tokens.ends[at] ?? 0) - (tokens.starts[at] ?? 0));
  return 2;
}

function kind(tokens: Tokens, flags: Uint8Array, at: number): number {
  if (at < 0 || at >= tokens.count) return 0xff_ff;
  return ((flags[at] ?? 0) << 4) | (tokens.shapes[at] ?? 0);
}

function letters(text: string, tokens: Tokens, at: number, from: number, to: number): number {
  const [start, end] = [tokens.starts[at] ?? 0, tokens.ends[at] ?? 0];
  let hash = 17;
  for (
    let place = Math.max(start, from < 0 ? end + from : start + from);
    place < Math.min(end, to <= 0 ? end + to : start + to);
    place += 1
  ) {
    const code = text.charCodeAt(place);
    hash = Math.imul(hash ^ (code >= 65 && code <= 90 ? code | 32 : code), 0x01000193);
  }
  return hash;
}

/** Writes the rows of token `at` into `into`; `previous` and `before` are the labels of the two tokens in front. */
export function featuresOf(
  context: { readonly text: string; readonly tokens: Tokens; readonly flags: Uint8Array },
  at: number,
  labels: { readonly previous: number; readonly before: number },
  into: Uint32Array,
): void {
  const { text, tokens, flags } = context;
  const w0 = identity(tokens, flags, at);
  const w1 = identity(tokens, flags, at + 1);
  const w2 = identity(tokens, flags, at + 2);
  const p1 = identity(tokens, flags, at - 1);
  const p2 = identity(tokens, flags, at - 2);
  const k0 = kind(tokens, flags, at);
  const k1 = kind(tokens, flags, at + 1);
  const k2 = kind(tokens, flags, at + 2);
  const q1 = kind(tokens, flags, at - 1);
  const q2 = kind(tokens, flags, at - 2);
  const { previous, before } = labels;
  const own = k0 * 16;
  const length = Math.min(15, (tokens.ends[at] ?? 0) - (tokens.starts[at] ?? 0));
  into[0] = row(0, 0);
  into[1] = row(1, w0);
  into[2] = row(2, k0);
  into[3] = row(3, p1);
  into[4] = row(4, w1);
  into[5] = row(5, mix(p1) ^ k0);
  into[6] = row(6, mix(w1) ^ k0);
  into[7] = row(7, mix(p2) ^ p1);
  into[8] = row(8, mix(w2) ^ w1);
  into[9] = row(9, q1 * 0x1_00_00 + k0);
  into[10] = row(10, k1 * 0x1_00_00 + k0);
  into[11] = row(11, mix(q1 * 0x1_00_00 + k0) ^ k1);
  into[12] = row(12, own + previous);
  into[13] = row(13, mix(w0) ^ previous);
  into[14] = row(14, mix(p1) ^ (previous + 16));
  into[15] = row(15, previous * 16 + before);
  into[16] = row(16, letters(text, tokens, at, -3, 0));
  into[17] = row(17, letters(text, tokens, at, -2, 0));
  into[18] = row(18, letters(text, tokens, at, -4, 0));
  into[19] = row(19, letters(text, tokens, at, 0, 3));
  into[20] = row(20, own + length);
  into[21] = row(21, mix(mix(p2) ^ p1) ^ (k0 & 15));
  into[22] = row(22, mix(mix(p1) ^ w1) ^ (k0 & 15));
  into[23] = row(23, mix(q2 * 0x1_00_00 + q1) ^ k0);
  into[24] = row(24, mix(k2 * 0x1_00_00 + k1) ^ k0);
  into[25] = row(25, mix(w1) ^ (previous * 64 + (k0 & 15)));
  into[26] = row(26, mix(mix(p1) ^ previous) ^ k0);
}

/** Four to six digits that begin a line may be the postal code of an address above. */
function mayBePostal({ starts, ends, shapes }: Tokens, at: number): boolean {
  const length = (ends[at] ?? 0) - (starts[at] ?? 0);
  return shapes[at] === Shape.digits && length >= 4 && length <= 6 && at > 0 && shapes[at - 1] === Shape.breakLine;
}

/** A number is the beginning of an address only where a name or another number follows. */
function beginsAddress(shapes: Uint8Array, flags: Uint8Array, next: number, count: number): boolean {
  if (next >= count) return false;
  const shape = shapes[next] ?? 0;
  if (shape <= Shape.breakLine || shape === Shape.alnum) return false;
  return shape !== Shape.lower || ((flags[next] ?? 0) & Flag.plain) === 0;
}

const NAMES = Flag.given | Flag.family | Flag.place | Flag.placePart;

/**
 * Nobody needs to weigh it, unless a name is under way: signs, plain words in small letters, and other words in small letters
 * that no list of names knows and no number stands beside (a street may be written small).
 */
export function isIdle(tokens: Tokens, flags: Uint8Array, at: number): boolean {
  const { count, shapes } = tokens;
  const shape = shapes[at] ?? 0;
  if (shape <= Shape.breakLine) return true;
  if (shape === Shape.digits || shape === Shape.alnum)
    return !mayBePostal(tokens, at) && !beginsAddress(shapes, flags, at + 1, count);
  if (shape !== Shape.lower) return false;
  const flag = flags[at] ?? 0;
  if ((flag & Flag.plain) !== 0) return true;
  // Of words of the dictionary only first names are thought of: half of all surnames and towns are words.
  if ((flag & Flag.english) !== 0) return (flag & Flag.given) === 0;
  if ((flag & NAMES) !== 0) return false;
  return (
    !(at > 0 && shapes[at - 1] === Shape.digits) &&
    !(at + 1 < count && shapes[at + 1] === Shape.digits) &&
    !(at + 2 < count && shapes[at + 2] === Shape.digits)
  );
}
