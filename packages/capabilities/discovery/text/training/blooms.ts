import { addTo, emptyBloom, type Bloom } from '../tagger/bloom.ts';
import { joinHashes, type Lists } from '../tagger/features.ts';
import { emptyTokens, hashOf, Shape, tokenize } from '../tagger/tokens.ts';
import { isKeptBack, type Words } from './lists.ts';
import type { Part } from './sentences.ts';

/** The lists as the tagger ships them. With `train` what is kept back is in none of them. */
export function makeLists(words: Words, part: Part): Lists {
  const known = (name: string): boolean => part === 'all' || !isKeptBack(name);
  const places = [...words.cities.filter(known), ...words.countries, ...words.regions];
  return {
    given: bloomOf(words.given.filter(known).flatMap(wordHashes)),
    family: bloomOf(words.family.filter(known).flatMap(wordHashes)),
    places: bloomOf(places.flatMap(nameHash)),
    plain: bloomOf(words.plain.map(hashOf)),
    english: bloomOf(words.english.filter((word) => word.length <= 12).map(hashOf)),
  };
}

function bloomOf(hashes: readonly number[]): Bloom {
  const distinct = new Set(hashes);
  const bloom = emptyBloom(distinct.size);
  for (const hash of distinct) addTo(bloom, hash);
  return bloom;
}

const tokens = emptyTokens();

/** Each word of a name by itself, without particles. */
function wordHashes(name: string): readonly number[] {
  tokenize(name, 0, name.length, tokens);
  return Array.from({ length: tokens.count }, (_, at) => at)
    .filter((at) => (tokens.shapes[at] ?? 0) > Shape.lower && (tokens.ends[at] ?? 0) - (tokens.starts[at] ?? 0) > 1)
    .map((at) => tokens.hashes[at] ?? 0);
}

const LONGEST_PLACE = 4;

/** A place by all its words together. */
function nameHash(name: string): readonly number[] {
  tokenize(name, 0, name.length, tokens);
  const hashes = Array.from({ length: tokens.count }, (_, at) => ({ hash: tokens.hashes[at] ?? 0, shape: tokens.shapes[at] ?? 0 }))
    .filter(({ shape }) => shape > Shape.breakLine)
    .map(({ hash }) => hash);
  if (hashes.length === 0 || hashes.length > LONGEST_PLACE) return [];
  return [hashes.reduce(joinHashes)];
}
