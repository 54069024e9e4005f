/** Words, numbers and single signs of a stretch of text; a line break is a sign. Reused from stretch to stretch. */
export type Tokens = {
  count: number;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** FNV-1a over the folded letters. */
  readonly hashes: Uint32Array;
  readonly shapes: Uint8Array;
};

/** Longest stretch that is tagged at once; a longer line is cut at a space. */
export const STRETCH = 4_096;

export const Shape = {
  sign: 0,
  breakLine: 1,
  lower: 2,
  initial: 3,
  upper: 4,
  capital: 5,
  mixed: 6,
  digits: 7,
  alnum: 8,
  title: 9,
} as const;

export function emptyTokens(): Tokens {
  return {
    count: 0,
    starts: new Uint32Array(STRETCH + 1),
    ends: new Uint32Array(STRETCH + 1),
    hashes: new Uint32Array(STRETCH + 1),
    shapes: new Uint8Array(STRETCH + 1),
  };
}

const FNV = 0x811c9dc5;
const PRIME = 0x01000193;
const SPACE = 0;
const LETTER_LOWER = 1;
const LETTER_UPPER = 2;
const DIGIT = 3;
const SIGN = 4;
const BREAK = 5;
const MARK = 6;

/** Class and folded unit of each UTF-16 unit of the basic plane, made when first seen. */
const classes = new Uint8Array(0x1_00_00).fill(255);
const folded = new Uint16Array(0x1_00_00);

function learn(code: number): void {
  const letter = String.fromCharCode(code);
  const base = letter.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  folded[code] = base.charCodeAt(0) || code;
  if (code === 10 || code === 13) classes[code] = BREAK;
  else if (/\s/u.test(letter) || code < 32) classes[code] = SPACE;
  else if (/\p{N}/u.test(letter)) classes[code] = DIGIT;
  else if (/\p{M}/u.test(letter)) classes[code] = MARK;
  else if (/\p{Lu}|\p{Lt}/u.test(letter)) classes[code] = LETTER_UPPER;
  else if (/\p{L}/u.test(letter)) classes[code] = LETTER_LOWER;
  else classes[code] = code >= 0xd8_00 && code <= 0xdf_ff ? LETTER_LOWER : SIGN;
}

function classOf(code: number): number {
  if (classes[code] === 255) learn(code);
  return classes[code] ?? SIGN;
}

export function hashOf(text: string): number {
  let hash = FNV;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (classOf(code) === MARK) continue;
    hash = Math.imul(hash ^ (folded[code] ?? code), PRIME);
  }
  return hash >>> 0;
}

/** Cuts `text` from `from` to `to`; at most `STRETCH` units. */
export function tokenize(text: string, from: number, to: number, tokens: Tokens): void {
  let count = 0;
  let at = from;
  while (at < to) {
    const code = text.charCodeAt(at);
    const first = classOf(code);
    if (first === SPACE) {
      at += 1;
      continue;
    }
    tokens.starts[count] = at;
    if (first === SIGN || first === BREAK) {
      tokens.hashes[count] = Math.imul(FNV ^ code, PRIME) >>> 0;
      tokens.shapes[count] = first === SIGN ? Shape.sign : Shape.breakLine;
      at += 1;
    } else {
      at = word(text, at, to, tokens, count);
    }
    tokens.ends[count] = at;
    count += 1;
  }
  tokens.count = count;
}

function word(text: string, start: number, to: number, tokens: Tokens, index: number): number {
  let hash = FNV;
  let upper = 0;
  let lower = 0;
  let digits = 0;
  let firstUpper = false;
  let at = start;
  while (at < to) {
    const code = text.charCodeAt(at);
    const kind = classOf(code);
    if (kind === LETTER_LOWER) lower += 1;
    else if (kind === LETTER_UPPER) {
      upper += 1;
      if (at === start) firstUpper = true;
    } else if (kind === DIGIT) digits += 1;
    else if (kind !== MARK) {
      // O'Brien, d’Arcy: one word. A possessive 's is not part of it.
      const apostrophe = code === 39 || code === 0x20_19;
      const next = at + 1 < to ? classOf(text.charCodeAt(at + 1)) : SPACE;
      if (!apostrophe || at === start || (next !== LETTER_LOWER && next !== LETTER_UPPER)) break;
      // ... nor are 't, 'll, 're of a contraction: at most two letters at the end of the word.
      const possessive = [at + 2, at + 3].some(
        (place) =>
          place >= to || (classOf(text.charCodeAt(place)) !== LETTER_LOWER && classOf(text.charCodeAt(place)) !== LETTER_UPPER),
      );
      // don't is one word.
      const negation = (text.charCodeAt(at + 1) | 32) === 116 && (text.charCodeAt(at - 1) | 32) === 110;
      if (possessive && !negation) break;
    }
    if (kind !== MARK) hash = Math.imul(hash ^ (folded[code] ?? code), PRIME);
    at += 1;
  }
  tokens.hashes[index] = hash >>> 0;
  tokens.shapes[index] = shapeOf({ upper, lower, digits, firstUpper });
  return Math.max(at, start + 1);
}

function shapeOf({
  upper,
  lower,
  digits,
  firstUpper,
}: {
  readonly upper: number;
  readonly lower: number;
  readonly digits: number;
  readonly firstUpper: boolean;
}): number {
  if (digits > 0) return upper + lower === 0 ? Shape.digits : Shape.alnum;
  if (upper === 0) return Shape.lower;
  if (lower === 0) return upper === 1 ? Shape.initial : Shape.upper;
  if (!firstUpper) return Shape.mixed;
  return upper === 1 ? Shape.capital : Shape.title;
}
