import { SafekeepError } from '@safekeep/core';
import { RE2JS } from 're2js';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import { fold } from '../kinds/fold.ts';
import { contextBefore } from './cues.ts';
import type { Found } from './model.ts';

const MOST_PATTERNS = 100;
const LONGEST_PATTERN = 1_000;
const MOST_WORDS = 100_000;
const LONGEST_WORD = 200;

/** What a customer adds: patterns of their own, words that are always and words that are never personal. */
const PatternFile = Type.Object(
  {
    patterns: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ pattern: '^[A-Z][A-Z0-9_]{1,63}$', description: 'the type of the finding' }),
            pattern: Type.String({ minLength: 1, maxLength: LONGEST_PATTERN, description: 'a regular expression of RE2' }),
            ignoreCase: Type.Optional(Type.Boolean()),
            cues: Type.Optional(
              Type.Array(Type.String({ minLength: 1, maxLength: LONGEST_WORD }), {
                maxItems: 100,
                description: 'one of these words must stand in the 40 characters before',
              }),
            ),
            score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
          },
          { additionalProperties: false },
        ),
        { maxItems: MOST_PATTERNS },
      ),
    ),
    allow: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: LONGEST_WORD }), { maxItems: MOST_WORDS })),
    deny: Type.Optional(
      Type.Array(
        Type.Object(
          {
            type: Type.String({ pattern: '^[A-Z][A-Z0-9_]{1,63}$' }),
            value: Type.String({ minLength: 1, maxLength: LONGEST_WORD }),
          },
          { additionalProperties: false },
        ),
        { maxItems: MOST_WORDS },
      ),
    ),
  },
  { additionalProperties: false },
);

type Pattern = { readonly name: string; readonly compiled: RE2JS; readonly cues: readonly string[]; readonly score: number };

export type OwnPatterns = {
  readonly patterns: readonly Pattern[];
  /** Folded. */
  readonly allow: ReadonlySet<string>;
  /** By the first word, folded; the longest first. */
  readonly deny: ReadonlyMap<string, readonly { readonly type: string; readonly value: string }[]>;
  readonly longestDenied: number;
};

/**
 * Reads the text of a pattern file.
 *
 * @throws `patterns-invalid` when it is none, or a pattern is not of RE2.
 */
export function readPatterns(text: string): OwnPatterns {
  const parsed = parse(text);
  if (!Schema.Check(PatternFile, parsed)) {
    const [fault] = Schema.Errors(PatternFile, parsed)[1];
    throw new SafekeepError('patterns-invalid', {
      problem: `${fault?.instancePath ?? ''} ${fault?.message ?? 'has another form'}`.trim(),
    });
  }
  const { patterns = [], allow = [], deny = [] } = parsed;
  const denied = new Map<string, { readonly type: string; readonly value: string }[]>();
  for (const { type, value } of deny) {
    const folded = fold(value.trim());
    const first = firstWord(folded);
    denied.set(first, [...(denied.get(first) ?? []), { type, value: folded }]);
  }
  for (const list of denied.values()) list.sort((a, b) => b.value.length - a.value.length);
  return {
    patterns: patterns.map(compile),
    allow: new Set(allow.map((word) => fold(word.trim()))),
    deny: denied,
    longestDenied: Math.max(0, ...deny.map(({ value }) => value.length)),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SafekeepError('patterns-invalid', { problem: 'It is not JSON.' });
  }
}

type PatternText = NonNullable<Static<typeof PatternFile>['patterns']>[number];

function compile({ name, pattern, ignoreCase, cues = [], score = 0.8 }: PatternText): Pattern {
  try {
    const compiled = RE2JS.compile(pattern, ignoreCase === true ? RE2JS.CASE_INSENSITIVE : 0);
    const size = compiled.programSize();
    if (size > MOST_INSTRUCTIONS)
      throw new Error(`it is too large: ${size} instructions, and at most ${MOST_INSTRUCTIONS} are taken`);
    if (compiled.matcher('').find()) throw new Error('it matches nothing at all');
    return { name, compiled, cues: cues.map(fold), score };
  } catch (error) {
    throw new SafekeepError('patterns-invalid', {
      problem: `${name}: ${error instanceof Error ? error.message : 'not a pattern of RE2'}`,
    });
  }
}

function firstWord(text: string): string {
  return /[\p{L}\p{N}_]+/u.exec(text)?.[0] ?? text;
}

/**
 * A longer text is looked at in pieces, each a text of its own for `^` and `$`. RE2 takes time in proportion to the text times the
 * instructions of the pattern, and a match that runs cannot be stopped: the clock is looked at between pieces, which are the shorter
 * the larger the pattern is, and larger patterns than these are refused. So a piece takes a second or two at most.
 */
const WINDOW = 262_144;
const LEAST_WINDOW = 4_096;
const STEPS_A_PIECE = 64_000_000;
const MOST_INSTRUCTIONS = 10_000;
const OVERLAP = 1_024;
const PATTERN_TIME_MS = 2_000;

function windowOf({ compiled }: Pattern): number {
  return Math.min(WINDOW, Math.max(LEAST_WINDOW, Math.floor(STEPS_A_PIECE / compiled.programSize())));
}

/** @throws `pattern-too-slow` when the patterns of a customer take longer than their time for one text. */
export function scanPatterns(text: string, own: OwnPatterns, add: (found: Found) => void, limitMs = PATTERN_TIME_MS): void {
  const until = performance.now() + limitMs;
  for (const pattern of own.patterns) {
    let last = 0;
    const window = windowOf(pattern);
    for (let from = 0; from < text.length; from += window) {
      const start = Math.max(0, from - OVERLAP);
      const matcher = pattern.compiled.matcher(text.slice(start, from + window + OVERLAP));
      while (matcher.find()) {
        const [begin, end] = [start + matcher.start(), start + matcher.end()];
        if (begin >= from + window) break;
        if (begin < last || end <= begin || begin < from) continue;
        last = end;
        if (performance.now() > until)
          throw new SafekeepError('pattern-too-slow', { name: pattern.name, seconds: limitMs / 1_000 });
        const before = pattern.cues.length === 0 ? '' : contextBefore(text, begin);
        if (pattern.cues.length > 0 && !pattern.cues.some((cue) => before.includes(cue))) continue;
        add({ type: pattern.name, start: begin, end, score: pattern.score, validators: ['own-pattern'], rank: 4 });
      }
      if (performance.now() > until) throw new SafekeepError('pattern-too-slow', { name: pattern.name, seconds: limitMs / 1_000 });
    }
  }
  if (own.deny.size > 0) scanDenied(text, own, add);
}

const WORDS = /[\p{L}\p{N}_]+/gu;

function scanDenied(text: string, own: OwnPatterns, add: (found: Found) => void): void {
  for (const { index, 0: word } of text.matchAll(WORDS)) {
    for (const { type, value } of own.deny.get(fold(word)) ?? []) {
      const start = index - value.indexOf(fold(word));
      const end = start < 0 ? -1 : foldedEnd(text, start, value);
      if (end < 0 || /^[\p{L}\p{N}]/u.test(text.slice(end, end + 2))) continue;
      add({ type, start, end, score: 1, validators: ['deny-list'], rank: 4 });
      break;
    }
  }
}

/** Where the stretch ends that folds to this; -1 where none does. Folded, a letter may be two (ß) or none (a mark). */
function foldedEnd(text: string, start: number, value: string): number {
  let [end, done] = [start, 0];
  for (const letter of text.slice(start, start + 2 * LONGEST_WORD)) {
    const folded = fold(letter);
    if (done >= value.length && folded.length > 0) break;
    if (!value.startsWith(folded, done)) return -1;
    done += folded.length;
    end += letter.length;
  }
  return done === value.length ? end : -1;
}

export function isAllowed(own: OwnPatterns, value: string): boolean {
  return own.allow.size > 0 && own.allow.has(fold(value.trim()));
}
