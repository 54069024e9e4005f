import { fold } from '../kinds/fold.ts';
import { wordLists } from '../kinds/words.ts';
import { kindNamed } from '../kinds/table.ts';
import type { Scan } from './candidates.ts';
import { contextAfter, contextBefore, lastCue } from './cues.ts';
import { Flag } from './tagger/features.ts';
import type { Bench } from './tagger/decode.ts';
import { WEIGHT_SCALE, type Model } from './tagger/model-file.ts';
import { tagText, type Tagged } from './tagger/tagger.ts';
import { hashOf, Shape } from './tagger/tokens.ts';

const TYPES = { PER: 'PERSON', LOC: 'LOCATION', ORG: 'ORGANIZATION', ADR: 'LOCATION' } as const;
/** How many names of one text are remembered for finding them again. */
const MOST_REMEMBERED = 10_000;
/** Log-odds from which a name is looked for again. */
const SURE_MARGIN = 2;

/** Persons, places and organisations by the tagger, forms of address, and words of special categories. */
export function scanEntities(scan: Scan, model: Model): void {
  const { text } = scan;
  const people = new Set<number>();
  tagText(text, model, (bench, tagged) => {
    for (const span of tagged) addSpan(scan, span, people, bench);
    titles(scan, bench);
    recall(scan, bench, people);
    specialWords(scan, bench);
  });
}

function addSpan(scan: Scan, { label, start, end, margin, first }: Tagged, people: Set<number>, bench: Bench): void {
  const score = Math.min(0.97, 1 / (1 + Math.exp(-margin / WEIGHT_SCALE)));
  const validators = label === 'ADR' ? ['tagger', 'street'] : ['tagger'];
  scan.add({ type: TYPES[label], start, end: trimEnd(scan.text, start, end), score, validators, rank: label === 'ADR' ? 1 : 0 });
  if (label !== 'PER' || margin < SURE_MARGIN * WEIGHT_SCALE || people.size > MOST_REMEMBERED) return;
  const { tokens } = bench;
  for (let at = first; at < tokens.count && (tokens.ends[at] ?? 0) <= end; at += 1) {
    const length = (tokens.ends[at] ?? 0) - (tokens.starts[at] ?? 0);
    if (length > 2 && tokens.shapes[at] === Shape.capital) people.add(tokens.hashes[at] ?? 0);
  }
}

function trimEnd(text: string, start: number, end: number): number {
  let last = end;
  while (last > start + 1 && /[\s,;:\-(]/.test(text[last - 1] ?? '')) last -= 1;
  return last;
}

/** A name seen before in this text is one again, unless it is also a plain word. */
function recall(scan: Scan, { tokens, flags, labels }: Bench, people: ReadonlySet<number>): void {
  if (people.size === 0) return;
  for (let at = 0; at < tokens.count; at += 1) {
    if (labels[at] !== 0 || tokens.shapes[at] !== Shape.capital || ((flags[at] ?? 0) & Flag.plain) !== 0) continue;
    if (people.has(tokens.hashes[at] ?? 0))
      scan.add({
        type: 'PERSON',
        start: tokens.starts[at] ?? 0,
        end: tokens.ends[at] ?? 0,
        score: 0.6,
        validators: ['co-reference'],
        rank: 0,
      });
  }
}

const TITLES = new Set(['mr', 'mrs', 'ms', 'miss', 'mx', 'dr', 'prof', 'sir', 'herr', 'frau', 'mme'].map(hashOf));

/** Before a name only: a title alone says nothing of anybody. */
function titles(scan: Scan, { tokens, labels }: Bench): void {
  for (let at = 0; at + 1 < tokens.count; at += 1) {
    if (labels[at] !== 0 || !TITLES.has(tokens.hashes[at] ?? 0)) continue;
    const dotted = scan.text[tokens.ends[at] ?? 0] === '.';
    const next = labels[at + (dotted ? 2 : 1)] ?? 0;
    if (next !== 1 && next !== 2) continue;
    scan.add({
      type: 'TITLE',
      start: tokens.starts[at] ?? 0,
      end: (tokens.ends[at] ?? 0) + (dotted ? 1 : 0),
      score: 0.5,
      validators: ['title'],
      rank: 0,
    });
  }
}

type Phrase = { readonly type: string; readonly words: readonly string[] };

/** By the hash of the first word of a phrase. */
const phrases: ReadonlyMap<number, readonly Phrase[]> = phrasesByFirstWord();

function phrasesByFirstWord(): ReadonlyMap<number, readonly Phrase[]> {
  const made = new Map<number, Phrase[]>();
  for (const [type, words] of Object.entries(wordLists)) {
    for (const word of words) {
      const [first = '', ...more] = word.split(/[ -]/);
      const hash = hashOf(first);
      made.set(
        hash,
        [...(made.get(hash) ?? []), { type, words: [first, ...more] }].toSorted((a, b) => b.words.length - a.words.length),
      );
    }
  }
  return made;
}

/** Words of Art. 9 and 10 beside a word for a person; nationalities wherever they stand, but in a name. */
function specialWords(scan: Scan, { tokens, labels }: Bench): void {
  for (let at = 0; at < tokens.count; at += 1) {
    if (labels[at] !== 0) continue;
    for (const phrase of phrases.get(tokens.hashes[at] ?? 0) ?? []) {
      const end = phraseEnd(scan.text, tokens.starts[at] ?? 0, phrase.words);
      if (end === undefined) continue;
      addWord(scan, phrase.type, tokens.starts[at] ?? 0, end);
      break;
    }
  }
}

function phraseEnd(text: string, start: number, words: readonly string[]): number | undefined {
  let at = start;
  for (const [index, word] of words.entries()) {
    if (index > 0) {
      if (!/[\s-]/.test(text[at] ?? '')) return undefined;
      at += 1;
    }
    if (fold(text.slice(at, at + word.length)) !== word) return undefined;
    at += word.length;
  }
  return /[\p{L}\p{N}]/u.test(text[at] ?? '') ? undefined : at;
}

function addWord(scan: Scan, type: string, start: number, end: number): void {
  const kind = kindNamed(type);
  if (kind === undefined) return;
  if (type === 'NRP') {
    scan.add({ type, start, end, score: 0.4, validators: ['word-list'], rank: 0 });
    return;
  }
  const near =
    lastCue(kind, contextBefore(scan.text, start)) >= 0 ||
    /^\W{0,3}(?:patient|woman|man|person|boy|girl|employee|member|father|mother)\b/.test(contextAfter(scan.text, end));
  if (near) scan.add({ type, start, end, score: 0.6, validators: ['word-list', 'cue'], rank: 1 });
}
