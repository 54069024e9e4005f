import { fold } from '../kinds/fold.ts';
import type { Kind } from '../kinds/model.ts';

/** How far a word may stand from a value to speak for it. */
const CONTEXT = 40;
const AFTER = 16;

const LATIN = /^[\u0000-\u024F]*$/;

/**
 * Alternatives between boundaries, but those of scripts without spaces. The context is folded, so that a boundary is one of a to z:
 * `\p{L}` a hundred times over takes longer to compile than a text to read.
 */
function cuePattern(cues: string): string {
  const all = alternatives(cues);
  const latin = all.filter((cue) => LATIN.test(cue));
  const other = all.filter((cue) => !LATIN.test(cue));
  return [...(latin.length > 0 ? [`(?<![a-z])(?:${latin.join('|')})(?![a-z])`] : []), ...other].join('|');
}

/** The parts between bars that stand in no group, folded as the context is. */
function alternatives(cues: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < cues.length; at += 1) {
    if (cues[at] === '\\') at += 1;
    else if (cues[at] === '(' || cues[at] === '[') depth += 1;
    else if (cues[at] === ')' || cues[at] === ']') depth -= 1;
    else if (cues[at] === '|' && depth === 0) {
      parts.push(cues.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, cues.slice(from)].map(fold);
}

export function contextBefore(text: string, start: number): string {
  return fold(text.slice(Math.max(0, start - CONTEXT), start));
}

export function contextAfter(text: string, end: number): string {
  return fold(text.slice(end, end + AFTER));
}

const compiled = new WeakMap<Kind, RegExp>();

/** Where the last word that speaks for a kind begins in the folded context; -1 where there is none. */
export function lastCue(kind: Kind, before: string): number {
  if (kind.cues === null) return -1;
  const pattern = compiled.get(kind) ?? new RegExp(cuePattern(kind.cues), 'g');
  compiled.set(kind, pattern);
  let last = -1;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(before); match !== null; match = pattern.exec(before)) {
    last = match.index;
    if (match[0].length === 0) pattern.lastIndex += 1;
  }
  return last;
}

const LETTERS = 27;
const KEYS = LETTERS ** 4;
const KEY_LETTERS = 4;

/** Letter a is 1, z is 26, all else 0. */
const CODES = Uint8Array.from({ length: 65_536 }, (_, unit) => {
  const lower = unit | 32;
  return lower >= 97 && lower <= 122 ? lower - 96 : 0;
});

function code(unit: number): number {
  return CODES[unit] ?? 0;
}

/** The first four letters of a word as one number; nothing counts behind the first that is no letter. */
function keyAt(units: Uint16Array, at: number): number {
  const begin = beginAt(units, at);
  return begin * LETTERS + (begin % LETTERS === 0 ? 0 : code(units[at + 3] ?? 0));
}

/** The same of the first three. */
function beginAt(units: Uint16Array, at: number): number {
  const a = code(units[at] ?? 0);
  const b = code(units[at + 1] ?? 0);
  const c = b === 0 ? 0 : code(units[at + 2] ?? 0);
  return (a * LETTERS + b) * LETTERS + c;
}

function keyOf(letters: string): number {
  return keyAt(
    Uint16Array.from(letters, (letter) => letter.charCodeAt(0)),
    0,
  );
}

/** Some of the kinds of a finder, a bit for each in their order: asked for at every number, where a Set would cost more than the number. */
export type KindSet = Uint32Array;

/** Finds cues where a word begins: a table by its first letters says which patterns are worth a try, and which kinds they are of. */
export class CueFinder {
  readonly kinds: readonly Kind[];
  readonly #slots = new Uint16Array(KEYS);
  /** Whether any cue begins with three letters: small enough to stay at hand, the table by four is not. */
  readonly #begins = new Uint8Array(LETTERS ** 3);
  readonly #patterns: RegExp[] = [/(?!)/y];
  readonly #sets: KindSet[] = [];
  readonly #places: ReadonlyMap<Kind, number>;

  constructor(kinds: readonly Kind[]) {
    this.kinds = kinds;
    this.#places = new Map(kinds.map((kind, place) => [kind, place]));
    this.#sets.push(this.setOf([]));
    const byKey = new Map<number, Map<string, Set<Kind>>>();
    for (const kind of kinds) {
      for (const cue of alternatives(kind.cues ?? '')) {
        if (!LATIN.test(cue)) continue;
        for (const key of keysOf(cue)) {
          const cues = byKey.get(key) ?? new Map<string, Set<Kind>>();
          byKey.set(key, cues.set(cue, (cues.get(cue) ?? new Set()).add(kind)));
        }
      }
    }
    const bySource = new Map<string, number>();
    for (const [key, cues] of byKey) {
      const source = `(?:${[...cues.keys()].join('|')})(?![a-z])`;
      const slot = bySource.get(source) ?? this.#add(source, cues);
      bySource.set(source, slot);
      this.#slots[key] = slot;
      this.#begins[Math.floor(key / LETTERS)] = 1;
    }
  }

  #add(source: string, cues: ReadonlyMap<string, ReadonlySet<Kind>>): number {
    this.#sets.push(this.setOf([...cues.values()].flatMap((some) => [...some])));
    return this.#patterns.push(new RegExp(source, 'iy')) - 1;
  }

  setOf(some: readonly Kind[]): KindSet {
    const set = new Uint32Array(Math.ceil(this.kinds.length / 32));
    for (const kind of some) {
      const place = this.placeOf(kind);
      set[place >> 5] = (set[place >> 5] ?? 0) | (1 << (place & 31));
    }
    return set;
  }

  /** Of a kind that it was made for. */
  placeOf(kind: Kind): number {
    const place = this.#places.get(kind);
    if (place === undefined) throw new Error(`${kind.name} is none of the kinds whose cues are looked for`);
    return place;
  }

  /** The number of the cues that begin as the word here does, one of which stands here; 0 for none. */
  cueAt(text: string, units: Uint16Array, at: number): number {
    if (this.#begins[beginAt(units, at)] === 0) return 0;
    const slot = this.#slots[keyAt(units, at)] ?? 0;
    if (slot === 0) return 0;
    const pattern = this.#patterns[slot];
    if (pattern === undefined) return 0;
    pattern.lastIndex = at;
    return pattern.test(text) ? slot : 0;
  }

  /** Puts all kinds for which one of these cues may speak to the others. */
  addKinds(slot: number, to: KindSet): void {
    const set = this.#sets[slot];
    if (set === undefined) return;
    for (let word = 0; word < to.length; word += 1) to[word] = (to[word] ?? 0) | (set[word] ?? 0);
  }
}

/** Of a folded context, in which one letter may have become several. */
const FOLDED_UNITS = 120;
const folded = new Uint16Array(FOLDED_UNITS + KEY_LETTERS);

/** More marks than words can stand in a context. */
const MARKS_KEPT = 64;

/**
 * What kinds the words behind the place of a scan may speak for. Never too few: `lastCue` decides, of these few kinds instead of all.
 */
export class NearCues {
  readonly #finder: CueFinder;
  readonly #text: string;
  readonly #units: Uint16Array;
  #places: number[] = [];
  #slots: number[] = [];
  /** Up to here words were passed over without a look at each: any cue may stand among them. */
  #unseenUntil = -1;
  #contextTo = -1;
  #context = '';
  /** What was answered last, for as long as no word came. */
  readonly #near: KindSet;
  #nearTo = -1;

  constructor(finder: CueFinder, text: string, units: Uint16Array) {
    this.#finder = finder;
    this.#text = text;
    this.#units = units;
    this.#near = finder.setOf([]);
  }

  mark(place: number, slot: number): void {
    if (this.#places.length >= 2 * MARKS_KEPT) {
      this.#places = this.#places.slice(-MARKS_KEPT);
      this.#slots = this.#slots.slice(-MARKS_KEPT);
    }
    this.#places.push(place);
    this.#slots.push(slot);
    this.#nearTo = -1;
  }

  passOver(until: number): void {
    if (until > this.#unseenUntil) this.#unseenUntil = until;
    this.#nearTo = -1;
  }

  /** Looks for words in what was taken as a whole: an address, a number with letters. */
  lookInto(from: number, to: number): void {
    for (let at = from; at < to; at += 1) {
      const unit = this.#units[at] ?? 0;
      if (unit >= 128) this.passOver(at + 1);
      else if (unit > 64 && code(unit) > 0 && code(this.#units[at - 1] ?? 0) === 0) {
        const slot = this.#finder.cueAt(this.#text, this.#units, at);
        if (slot > 0) this.mark(at, slot);
      }
    }
  }

  /** The folded text before a place: asked for a few times over. */
  context(start: number): string {
    if (this.#contextTo !== start) {
      this.#contextTo = start;
      this.#context = contextBefore(this.#text, start);
    }
    return this.#context;
  }

  /** The kinds that have a cue in the context before a place, until the next question; undefined: it may be any. */
  before(start: number): Readonly<KindSet> | undefined {
    const from = start - CONTEXT;
    const near = this.#near;
    if (this.#nearTo === start) return near;
    near.fill(0);
    if (this.#unseenUntil > from) {
      if (!this.#addFolded(this.context(start))) return undefined;
      this.#nearTo = start;
      return near;
    }
    for (let at = this.#places.length - 1; at >= 0 && (this.#places[at] ?? 0) >= from; at -= 1)
      this.#finder.addKinds(this.#slots[at] ?? 0, near);
    // The context begins in the middle of a word, of which the rest reads as a word of its own.
    const cut = from > 0 ? this.#finder.cueAt(this.#text, this.#units, from) : 0;
    if (cut > 0) this.#finder.addKinds(cut, near);
    this.#nearTo = start;
    return near;
  }

  /** Looks at each word of a folded context; false where it has letters of scripts whose cues begin anywhere. */
  #addFolded(context: string): boolean {
    if (context.length > FOLDED_UNITS || !LATIN.test(context)) return false;
    for (let at = 0; at < context.length; at += 1) folded[at] = context.charCodeAt(at);
    folded.fill(0, context.length, context.length + KEY_LETTERS);
    for (let at = 0; at < context.length; at += 1) {
      if (code(folded[at] ?? 0) === 0 || (at > 0 && code(folded[at - 1] ?? 0) > 0)) continue;
      const slot = this.#finder.cueAt(context, folded, at);
      if (slot > 0) this.#finder.addKinds(slot, this.#near);
    }
    return true;
  }

  mayStandBefore(start: number, kind: Kind): boolean {
    const near = this.before(start);
    if (near === undefined) return true;
    const place = this.#finder.placeOf(kind);
    return ((near[place >> 5] ?? 0) & (1 << (place & 31))) !== 0;
  }
}

/** Every key that a word may have with which a cue begins. */
function keysOf(cue: string): readonly number[] {
  const keys = new Set<string>();
  let letters = '';
  let open = false;
  for (let at = 0; at < cue.length && letters.length < KEY_LETTERS; at += 1) {
    const piece = /^(?:\[[^\]]*\]|\\?.)\??/u.exec(cue.slice(at))?.[0] ?? '';
    const optional = piece.length > 1 && piece.endsWith('?');
    const letter = piece.startsWith('[') ? (piece[1] ?? '') : (piece[0] ?? '');
    at += piece.length - 1;
    if (letter === '(') {
      open = true;
      break;
    }
    if (code(letter.charCodeAt(0)) === 0) {
      keys.add(letters);
      if (!optional) {
        letters = '';
        break;
      }
    } else if (optional) {
      open = true;
      break;
    } else letters += letter;
  }
  if (letters.length > 0 && !open) keys.add(letters);
  const numbers = [...keys].filter((key) => key.length > 0).map(keyOf);
  return open ? [...numbers, ...continuations(letters)] : numbers;
}

/** A group or an optional letter follows: any letter may stand there, or none. */
function continuations(letters: string): readonly number[] {
  if (letters.length >= KEY_LETTERS) return [keyOf(letters)];
  const next = Array.from({ length: LETTERS }, (_, index) => letters + (index === 0 ? ' ' : String.fromCodePoint(96 + index)));
  return next.flatMap((longer) =>
    longer.endsWith(' ') || longer.length === KEY_LETTERS ? [keyOf(longer)] : continuations(longer),
  );
}
