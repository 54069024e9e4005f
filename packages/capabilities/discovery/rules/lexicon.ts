// The words that schemas name things by, in several languages, and what each of them says.
//
// The files in words/ hold a line for each meaning: `first-name: vorname | rufname`. A meaning with @ says what kind of thing is
// spoken of rather than what is in a column. A word with ? counts only where the schema speaks that language: `ort` is a town in
// German and nothing in English. Blanks in a phrase may be missing in the name (`date of birth`, `dateofbirth`).
import { da, fi, sv } from './words/nordic.ts';
import { de } from './words/de.ts';
import { en } from './words/en.ts';
import { es } from './words/es.ts';
import { fr } from './words/fr.ts';
import { it } from './words/it.ts';
import { nl } from './words/nl.ts';
import { cs, hu, ro, tr } from './words/others.ts';
import { pl } from './words/pl.ts';
import { pt } from './words/pt.ts';

const LANGUAGES = { en, de, fr, es, it, pt, nl, pl, sv, da, fi, cs, tr, ro, hu } as const;
export type Language = keyof typeof LANGUAGES;

export type Entry = { readonly meaning: string; readonly language: Language; readonly weak: boolean };

/** Two and three letters mean something in every language; these are known as numbers of states and the like wherever they stand. */
const KNOWN_SHORT = new Set([
  'dni',
  'cpf',
  'bsn',
  'nie',
  'cpr',
  'plz',
  'psc',
  'mdp',
  'cnp',
  'nir',
  'ddn',
  'tlf',
  'cep',
  'nif',
  'rfc',
  'cnh',
  'nhc',
  'gsm',
]);
const SHORT_LETTERS = 3;

const DIGRAPHS: Readonly<Record<string, string>> = { ä: 'ae', ö: 'oe', ü: 'ue', å: 'aa', ø: 'oe' };

const LETTERS: Readonly<Record<string, string>> = { ß: 'ss', ø: 'o', æ: 'ae', œ: 'oe', ł: 'l', đ: 'd', ı: 'i', ð: 'd', þ: 'th' };

let built: ReadonlyMap<string, readonly Entry[]> | undefined;

/** What a phrase, written without blanks, may mean. Built when it is first asked for: most commands read no names. */
export function lexicon(): ReadonlyMap<string, readonly Entry[]> {
  return (built ??= build());
}

/** The longest phrase, in words; no longer run of words is looked up. */
export const PHRASE_WORDS = 6;

function build(): ReadonlyMap<string, readonly Entry[]> {
  const made = new Map<string, Entry[]>();
  // The keys are those of the object above.
  for (const [language, text] of Object.entries(LANGUAGES) as [Language, string][]) {
    for (const line of text.split('\n')) {
      const colon = line.indexOf(':');
      if (colon < 0 || line.startsWith('#')) continue;
      const meaning = line.slice(0, colon).trim();
      for (const written of line.slice(colon + 1).split('|')) {
        const phrase = written.trim();
        for (const key of spellings(phrase.replace('?', ''))) {
          const weak = phrase.endsWith('?') || (language !== 'en' && key.length <= SHORT_LETTERS && !KNOWN_SHORT.has(key));
          const entries = made.get(key) ?? [];
          if (entries.every((entry) => entry.meaning !== meaning || entry.language !== language))
            entries.push({ meaning, language, weak });
          made.set(key, entries);
        }
      }
    }
  }
  return made;
}

/** Without marks, and as people write it who have no such letters: `strasse`, `krankenkaesse`. */
function spellings(phrase: string): readonly string[] {
  const joined = (text: string): string => plainLetters(text).replaceAll(/[^\p{L}\p{N}#°]/gu, '');
  return [...new Set([joined(phrase), joined(phrase.replaceAll(/[äöüåø]/g, (letter) => DIGRAPHS[letter] ?? letter))])].filter(
    (key) => key !== '',
  );
}

/** Small letters without marks: `Prénom` is `prenom`. */
export function plainLetters(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[ßøæœłđıðþ]/g, (letter) => LETTERS[letter] ?? letter);
}
