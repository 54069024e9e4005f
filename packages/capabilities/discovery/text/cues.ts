import { fold } from '../kinds/fold.ts';
import type { Kind } from '../kinds/model.ts';

/** How far a word may stand from a value to speak for it. */
export const CONTEXT = 40;
const AFTER = 16;

/** Each alternative between boundaries, unless it is written in a script without spaces. */
export function cuePattern(cues: string): string {
  return alternatives(cues)
    .map((cue) => (/^[\u0000-\u024F]*$/.test(cue) ? `(?<![\\p{L}])(?:${cue})(?![\\p{L}])` : cue))
    .join('|');
}

/** The parts between bars that stand in no group. */
export function alternatives(cues: string): readonly string[] {
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
  return [...parts, cues.slice(from)];
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
  const pattern = compiled.get(kind) ?? new RegExp(cuePattern(kind.cues), 'gu');
  compiled.set(kind, pattern);
  let last = -1;
  for (const match of before.matchAll(pattern)) last = match.index;
  return last;
}

const LETTERS = 27;

/** Letter a is 1, z is 26, all else 0. */
function code(letter: number): number {
  const lower = letter | 32;
  return lower >= 97 && lower <= 122 ? lower - 96 : 0;
}

/** Whether a word that begins with these three units may be a cue of one of the kinds: a table, asked at each word. */
export function cueTable(kinds: readonly Kind[]): Uint8Array {
  const table = new Uint8Array(LETTERS ** 3);
  for (const { cues } of kinds) {
    for (const cue of alternatives(cues ?? '')) {
      const letters = cue.replace(/\\w\*|\\.|\?|\(\?:|[^\p{L}[\]]/gu, '').replace(/\[(.)[^\]]*\]/gu, '$1');
      const [a = 0, b = 0, c = 0] = Array.from(letters.slice(0, 3), (letter) => code(letter.charCodeAt(0)));
      const short = letters.length < 3 || /[\\. /#]/.test(cue);
      for (const index of short ? [key(a, b, c), key(a, b, 0), key(a, 0, 0)] : [key(a, b, c)]) if (a > 0) table[index] = 1;
      // An accent may stand at one of the places.
      table[key(a, 0, c)] = 1;
    }
  }
  return table;
}

function key(a: number, b: number, c: number): number {
  return (a * LETTERS + b) * LETTERS + c;
}

export function cueKey(text: string, at: number): number {
  const b = code(text.charCodeAt(at + 1));
  return key(code(text.charCodeAt(at)), b, code(text.charCodeAt(at + 2)));
}
