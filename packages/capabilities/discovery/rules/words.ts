import { lexicon, PHRASE_WORDS, plainLetters, type Entry, type Language } from './lexicon.ts';

/** The words of a name: `customerEMailAddr`, `CUSTOMER_EMAIL`, `customer-email` and `customeremail` speak of the same. */
export function splitName(name: string): readonly string[] {
  return name
    .slice(0, NAME_LETTERS)
    .normalize('NFKC')
    .replaceAll(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu}{2,})(\p{Lu}\p{Ll}{2,})/gu, '$1 $2')
    .replaceAll(/(\p{L})(\p{N})/gu, '$1 $2')
    .replaceAll(/(\p{N})(\p{L})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}#°]+/u)
    .map(plainLetters)
    .filter((word) => word !== '');
}

/** PostgreSQL cuts a name at 63 bytes; what comes from elsewhere is not longer than this. */
const NAME_LETTERS = 128;

/** One run of words that means something, or one word that means nothing known. */
export type Term = { readonly text: string; readonly meanings: ReadonlySet<string> };

/** The languages that a schema speaks, the one it speaks most before all. */
export type Speech = { readonly main: Language; readonly spoken: ReadonlySet<Language> };

const NOTHING: ReadonlySet<string> = new Set();
const ENGLISH: Speech = { main: 'en', spoken: new Set(['en']) };

/** A language is spoken when this many different words of it stand in the names… */
const WORDS_OF_A_LANGUAGE = 3;
/** …and not many fewer than of the language that is spoken most: Spanish and Portuguese share half of their words. */
const SHARE_OF_MAIN = 0.45;

/** Finds the languages of a schema from all its names. Words that English has too say nothing. */
export function speechOf(names: readonly string[]): Speech {
  const counts = new Map<Language, number>();
  const seen = new Set(names.flatMap((name) => [...splitName(name), plainLetters(name).replaceAll(/[^\p{L}]/gu, '')]));
  for (const word of seen) {
    const pieces = lexicon().has(word) ? [word] : (segment(word) ?? []);
    for (const piece of pieces) {
      const entries = lexicon().get(piece) ?? [];
      const english = entries.some(({ language }) => language === 'en');
      for (const language of new Set(
        entries.filter((entry) => english === (entry.language === 'en') && (english || !entry.weak)).map((entry) => entry.language),
      ))
        counts.set(language, (counts.get(language) ?? 0) + 1);
    }
  }
  const others = [...counts]
    .filter(([language, count]) => language !== 'en' && count >= WORDS_OF_A_LANGUAGE)
    .toSorted((a, b) => b[1] - a[1]);
  const [first] = others;
  if (first === undefined) return ENGLISH;
  const spoken = others.filter(([, count]) => count >= first[1] * SHARE_OF_MAIN).map(([language]) => language);
  // English words are in every schema (id, name, email): another language leads as soon as it has half as many.
  const main = first[1] * 2 >= (counts.get('en') ?? 0) ? first[0] : 'en';
  return { main, spoken: new Set(['en', ...spoken]) };
}

/** Reads a name as a row of terms, longest known phrases first. */
export function readName(name: string, speech: Speech): readonly Term[] {
  const words = splitName(name).flatMap((word) => (isKnown(word, speech) ? [word] : (segment(word) ?? [word])));
  const terms: Term[] = [];
  for (let at = 0; at < words.length;) {
    const found = longest(words, at, speech);
    terms.push(found ?? { text: words[at] ?? '', meanings: NOTHING });
    at += found?.words ?? 1;
  }
  return terms;
}

function longest(words: readonly string[], at: number, speech: Speech): (Term & { readonly words: number }) | undefined {
  for (let count = Math.min(PHRASE_WORDS, words.length - at); count >= 1; count -= 1) {
    const run = words.slice(at, at + count);
    const key = run.join('');
    const spoken = meaningsOf(key, speech);
    const found = spoken.size > 0 ? spoken : count === 1 ? meaningsOfWord(key, speech) : meaningsAnywhere(key);
    if (found.size > 0) return { text: run.join(' '), meanings: found, words: count };
  }
  return undefined;
}

function isKnown(word: string, speech: Speech): boolean {
  return meaningsOf(word, speech).size > 0 || meaningsOfWord(word, speech).size > 0;
}

/** A form of a word that is spoken here comes before a word of a language that is not: `salaries` are no French employees. */
function meaningsOfWord(word: string, speech: Speech): ReadonlySet<string> {
  const form = meaningsOfForm(word, speech);
  return form.size > 0 ? form : meaningsAnywhere(word);
}

/** In languages that the schema does not speak, where the word is plain enough: `geburtsdatum`. */
function meaningsAnywhere(key: string): ReadonlySet<string> {
  return new Set((lexicon().get(key) ?? []).filter(({ weak }) => !weak).map(({ meaning }) => meaning));
}

/** What a phrase means here: in the main language, else in English, else in any other that is spoken. */
function meaningsOf(key: string, { main, spoken }: Speech): ReadonlySet<string> {
  const entries = (lexicon().get(key) ?? []).filter(({ language }) => spoken.has(language));
  if (entries.length === 0) return NOTHING;
  const of = (language: Language): readonly Entry[] => entries.filter((entry) => entry.language === language);
  const chosen = [of(main), of('en'), entries].find((some) => some.length > 0) ?? [];
  return new Set(chosen.map(({ meaning }) => meaning));
}

const ENDINGS: readonly (readonly [string, string])[] = [
  ['ies', 'y'],
  ['es', ''],
  ['s', ''],
  ['en', ''],
  ['n', ''],
  ['e', ''],
];
const STEM_LETTERS = 3;

/** A plural or another form of a known word. */
function meaningsOfForm(word: string, speech: Speech): ReadonlySet<string> {
  for (const [ending, instead] of ENDINGS) {
    if (!word.endsWith(ending) || word.length - ending.length < STEM_LETTERS) continue;
    const meanings = meaningsOf(word.slice(0, word.length - ending.length) + instead, speech);
    if (meanings.size > 0) return meanings;
  }
  return NOTHING;
}

const SEGMENT_LETTERS = 5;
const SEGMENT_LETTERS_AT_MOST = 40;
const PIECE_LETTERS = 3;
const SHORT_ENDS = new Set(['id', 'no', 'nr', 'dt', 'ip', 'by', 'at', 'on']);

const segments = new Map<string, readonly string[] | undefined>();
/** Names come from the databases of one process; a hostile one must not fill the memory. */
const SEGMENTS_AT_MOST = 50_000;

/** Also in the plural or the genitive: mothersname. */
function isPiece(piece: string): boolean {
  const known = (key: string): boolean => (lexicon().get(key) ?? []).some(({ weak }) => !weak);
  return known(piece) || (piece.length > PIECE_LETTERS && piece.endsWith('s') && known(piece.slice(0, -1)));
}

const TAIL_LETTERS = 6;
const HEAD_LETTERS = 7;
const REST_LETTERS = 3;

/** A long known word at the end or the beginning of an unknown one: heimatadresse, lastnamephonetic. */
function withinWord(word: string): readonly string[] | undefined {
  for (let at = REST_LETTERS; at <= word.length - TAIL_LETTERS; at += 1)
    if (isPiece(word.slice(at))) return [word.slice(0, at), word.slice(at)];
  for (let at = word.length - REST_LETTERS; at >= HEAD_LETTERS; at -= 1)
    if (isPiece(word.slice(0, at))) return [word.slice(0, at), word.slice(at)];
  return undefined;
}

/** Cuts a word that is written without breaks into known ones, as few as possible: `customeremail`. Undefined: it is none such. */
function segment(word: string): readonly string[] | undefined {
  if (word.length < SEGMENT_LETTERS || word.length > SEGMENT_LETTERS_AT_MOST) return undefined;
  if (segments.has(word)) return segments.get(word);
  const best: (readonly string[] | undefined)[] = [[]];
  for (let end = 1; end <= word.length; end += 1) {
    for (let start = 0; start < end; start += 1) {
      const before = best[start];
      const piece = word.slice(start, end);
      const fits = piece.length >= PIECE_LETTERS ? isPiece(piece) : end === word.length && start > 0 && SHORT_ENDS.has(piece);
      if (before === undefined || !fits) continue;
      const current = best[end];
      if (current === undefined || before.length + 1 < current.length) best[end] = [...before, piece];
    }
  }
  const found = best[word.length];
  const result = found === undefined || found.length < 2 ? withinWord(word) : found;
  if (segments.size < SEGMENTS_AT_MOST) segments.set(word, result);
  return result;
}
