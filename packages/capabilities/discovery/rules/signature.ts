import { meanings } from './meanings.ts';
import { readName, type Speech, type Term } from './words.ts';

/** What a name says, sorted by kind. */
export type Signature = {
  readonly terms: readonly Term[];
  /** Meanings that say what is in a column, in the order of the words; the last one is what the name is about in most languages. */
  readonly leaves: readonly string[];
  readonly person: boolean;
  /** Somebody who works there, as against those it is about. */
  readonly staff: boolean;
  readonly organisation: boolean;
  /** A word that is said of people and of organisations (`payer`): of people in the name of a column, of the others in that of a table. */
  readonly either: boolean;
  readonly thing: boolean;
  readonly negative: boolean;
  readonly anonymous: boolean;
  /** `created_by` and its like. */
  readonly author: boolean;
  readonly id: boolean;
  readonly number: boolean;
  readonly date: boolean;
  /** Words that mean nothing known. */
  readonly unknown: readonly string[];
};

const caches = new WeakMap<Speech, Map<string, Signature>>();

/** Reads a name once for each speech: schemas repeat their names in every table. */
export function signatureOf(name: string, speech: Speech): Signature {
  const cache = caches.get(speech) ?? new Map<string, Signature>();
  caches.set(speech, cache);
  const known = cache.get(name);
  if (known !== undefined) return known;
  const made = make(readName(name, speech));
  cache.set(name, made);
  return made;
}

function make(terms: readonly Term[]): Signature {
  const has = (kind: string): boolean => terms.some(({ meanings: some }) => some.has(kind) && !isFiller(some));
  return {
    terms,
    leaves: terms.flatMap(({ meanings: some }) => [...some].filter((meaning) => meanings.has(meaning)).slice(0, 1)),
    person: has('@person'),
    staff: has('@staff'),
    organisation: terms.some(({ meanings: some }) => some.has('@organisation') && !some.has('@person')),
    either: terms.some(({ meanings: some }) => some.has('@organisation') && some.has('@person')),
    thing: terms.some(({ meanings: some }) => some.has('@thing') && !isLeaf(some)),
    negative: terms.some(({ meanings: some }) => some.has('@negative') && !isLeaf(some)),
    anonymous: has('@anonymous'),
    author: has('@author'),
    id: has('@id'),
    number: terms.some(({ meanings: some }) => some.has('@number') && !isLeaf(some)),
    date: terms.some(({ meanings: some }) => some.has('@date') && !isLeaf(some)),
    unknown: terms.filter(({ text, meanings: some }) => some.size === 0 && !/^\d+$/.test(text)).map(({ text }) => text),
  };
}

function isLeaf(some: ReadonlySet<string>): boolean {
  return [...some].some((meaning) => meanings.has(meaning));
}

function isFiller(some: ReadonlySet<string>): boolean {
  return some.size === 1 && some.has('@filler');
}
