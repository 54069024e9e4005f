import { SafekeepError } from '@safekeep/core';
import { fold } from '../kinds/fold.ts';
import { kindNamed, kinds } from '../kinds/table.ts';
import { Scan } from './candidates.ts';
import { lastCue } from './cues.ts';
import { scanEntities } from './entities.ts';
import type { Depth, Entity, Found } from './model.ts';
import { normalise, placeOf, type Normalised } from './normalise.ts';
import { isAllowed, scanPatterns, type OwnPatterns } from './patterns.ts';
import { resolveOverlaps } from './resolve.ts';
import { scanStructured } from './structured.ts';
import type { Model } from './tagger/model-file.ts';
import { shippedModel } from './tagger/tagger.ts';

export type DetectOptions = {
  /** `all` unless told otherwise. */
  readonly depth?: Depth;
  /** Only these kinds; all of them unless told otherwise. */
  readonly types?: readonly string[];
  /** Patterns and lists of a customer. */
  readonly own?: OwnPatterns;
  /** Another model than the shipped one: for measuring. */
  readonly model?: Model;
};

/** Found by the tagger and by lists of words, not by shapes and checks. */
const BEYOND_SHAPES = new Set(['entity', 'words']);

/**
 * A type that nothing finds would pass for a text without any of it.
 *
 * @throws `usage` for a type that is neither a kind looked for at this depth, nor one of the customer's own.
 */
export function expectTypes({ types, own, depth }: DetectOptions): void {
  if (types === undefined) return;
  const known = new Set(
    [
      // A postal code is told as the place that it is a part of.
      ...kinds.filter(({ name, family }) => name !== 'POSTAL_CODE' && !(depth === 'structured' && BEYOND_SHAPES.has(family))),
      ...(own?.patterns ?? []),
    ].map(({ name }) => name),
  );
  for (const denied of own?.deny.values() ?? []) for (const { type } of denied) known.add(type);
  const unknown = types.filter((type) => !known.has(type));
  if (unknown.length === 0) return;
  const where = depth === 'structured' ? 'by shapes and checks alone (--structured) ' : '';
  throw new SafekeepError('usage', {
    problem: `Nothing that is found ${where}has the type ${unknown.join(', ')}. Known are: ${[...known].join(', ')}.`,
  });
}

/** @throws `usage` for an unknown type, `pattern-too-slow`. */
export function detectText(text: string, options: DetectOptions = {}): readonly Entity[] {
  return findPersonal(text, options).entities;
}

export type Personal = {
  readonly entities: readonly Entity[];
  /** What findings that lost against others cover beyond them, such as the rest of a URL around an address. */
  readonly left: readonly Entity[];
};

/** All that is personal in a text: what is told, and what is to be taken out with it. Throws as `detectText`. */
export function findPersonal(text: string, options: DetectOptions = {}): Personal {
  expectTypes(options);
  const normalised = normalise(text);
  const types = options.types === undefined ? undefined : new Set(options.types);
  const scan = new Scan(normalised.text, (type) => types === undefined || types.has(type));
  scanStructured(scan);
  if (options.depth !== 'structured') scanEntities(scan, options.model ?? shippedModel());
  const { own } = options;
  if (own !== undefined) scanPatterns(normalised.text, own, (found) => scan.add(found));
  const { kept, left } = resolveOverlaps(
    own === undefined ? scan.found : scan.found.filter(({ start, end }) => !isAllowed(own, normalised.text.slice(start, end))),
  );
  const told = (found: Found): Entity => entityOf(normalised, found);
  const winners = new Map(kept.map((found) => [found.start, found]));
  const rest = left
    .filter((found) => isTelling(found, { text: normalised.text, next: winners.get(found.end) }))
    .map((found) => trimmed(found, normalised.text));
  // The name before an address is a name still, though the tagger took the address for a part of it.
  const isName = ({ type, validators }: Found): boolean => type === 'PERSON' && validators.includes('tagger');
  const entities = [...kept, ...rest.filter(isName)].sort((one, other) => one.start - other.start);
  return { entities: entities.map(told), left: rest.filter((found) => !isName(found)).map(told) };
}

function trimmed(found: Found, text: string): Found {
  const piece = text.slice(found.start, found.end);
  const start = found.start + piece.length - piece.trimStart().length;
  return { ...found, start, end: start + piece.trim().length };
}

/** The tagger may take the word before a number for a part of it: SSN 536-90-4399. That word says nothing of anybody. */
function isTelling(
  { start, end, validators }: Found,
  { text, next }: { readonly text: string; readonly next: Found | undefined },
): boolean {
  const piece = text.slice(start, end);
  if (!/[\p{L}\p{N}]/u.test(piece)) return false;
  const kind = next === undefined ? undefined : kindNamed(next.type);
  return kind === undefined || !validators.includes('tagger') || /\p{L} +\p{L}/u.test(piece) || lastCue(kind, fold(piece)) < 0;
}

function entityOf(normalised: Normalised, { type, start, end, score, validators }: Found): Entity {
  const [from, to] = placeOf(normalised, start, end);
  return { type, start: from, end: to, score: Math.round(score * 100) / 100, validators: [...validators] };
}
