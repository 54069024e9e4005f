import { SafekeepError } from '@safekeep/core';
import { kinds } from '../kinds/table.ts';
import { Scan } from './candidates.ts';
import { scanEntities } from './entities.ts';
import type { Depth, Entity } from './model.ts';
import { normalise, placeOf } from './normalise.ts';
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
  expectTypes(options);
  const normalised = normalise(text);
  const types = options.types === undefined ? undefined : new Set(options.types);
  const scan = new Scan(normalised.text, (type) => types === undefined || types.has(type));
  scanStructured(scan);
  if (options.depth !== 'structured') scanEntities(scan, options.model ?? shippedModel());
  const { own } = options;
  if (own !== undefined) scanPatterns(normalised.text, own, (found) => scan.add(found));
  const kept =
    own === undefined ? scan.found : scan.found.filter(({ start, end }) => !isAllowed(own, normalised.text.slice(start, end)));
  return resolveOverlaps(kept).map(({ type, start, end, score, validators }) => {
    const [from, to] = placeOf(normalised, start, end);
    return { type, start: from, end: to, score: Math.round(score * 100) / 100, validators: [...validators] };
  });
}
