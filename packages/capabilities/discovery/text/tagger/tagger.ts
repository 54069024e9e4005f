import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { newBench, tagStretch, type Bench } from './decode.ts';
import { Flag } from './features.ts';
import { unpackModel, WEIGHT_SCALE, type Model } from './model-file.ts';
import { labelOtherLanguages } from './other-languages.ts';
import { STRETCH } from './tokens.ts';

let shipped: Model | undefined;

/** The model that Safekeep ships, read when first asked for. */
export function shippedModel(): Model {
  shipped ??= unpackModel(readFileSync(fileURLToPath(new URL('tagger.bin', import.meta.url))));
  return shipped;
}

let bench: Bench | undefined;

export type Tagged = {
  readonly label: 'PER' | 'LOC' | 'ORG' | 'ADR';
  readonly start: number;
  readonly end: number;
  readonly margin: number;
  readonly first: number;
};

const NAMES = ['PER', 'LOC', 'ORG', 'ADR'] as const;

/**
 * Tags one stretch after the other. A stretch is a paragraph of at most `STRETCH` units, cut at a space where there is one, so
 * that a line of any length is work in proportion to it. `onStretch` sees the tokens of a stretch with its findings.
 */
export function tagText(text: string, model: Model, onStretch: (bench: Bench, tagged: readonly Tagged[]) => void): void {
  bench ??= newBench();
  let from = 0;
  while (from < text.length) {
    const to = stretchEnd(text, from);
    tagStretch(text, { from, to }, model, bench);
    labelOtherLanguages(text, bench, WEIGHT_SCALE);
    onStretch(bench, spansOf(bench));
    from = to;
  }
}

function stretchEnd(text: string, from: number): number {
  const limit = from + STRETCH;
  if (limit >= text.length) return text.length;
  // Looked for in the stretch only: a line of fifty million letters has no line break to find.
  const stretch = text.slice(from, limit);
  for (const end of ['\n\n', '\n', ' ']) {
    const found = stretch.lastIndexOf(end);
    if (found > STRETCH / 4) return from + found + end.length;
  }
  return limit;
}

/** A, An, It: what begins a sentence is no name by itself. */
function isBareWord({ tokens, flags }: Bench, at: number): boolean {
  const flag = flags[at] ?? 0;
  const length = (tokens.ends[at] ?? 0) - (tokens.starts[at] ?? 0);
  return (flag & Flag.plain) !== 0 && (length <= 2 || (flag & (Flag.given | Flag.family | Flag.place)) === 0);
}

function spansOf(bench: Bench): readonly Tagged[] {
  const { tokens, labels, margins } = bench;
  const spans: Tagged[] = [];
  for (let at = 0; at < tokens.count; at += 1) {
    const label = labels[at] ?? 0;
    if (label === 0) continue;
    let last = at;
    let margin = margins[at] ?? 0;
    const inside = label % 2 === 1 ? label + 1 : label;
    while (last + 1 < tokens.count && labels[last + 1] === inside) {
      last += 1;
      margin = Math.max(margin, margins[last] ?? 0);
    }
    const name = NAMES[(inside >> 1) - 1];
    if (name !== undefined && (last > at || !isBareWord(bench, at)))
      spans.push({ label: name, start: tokens.starts[at] ?? 0, end: tokens.ends[last] ?? 0, margin, first: at });
    at = last;
  }
  return spans;
}
