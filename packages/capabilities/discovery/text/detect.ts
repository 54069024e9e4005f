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

export function detectText(text: string, options: DetectOptions = {}): readonly Entity[] {
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
