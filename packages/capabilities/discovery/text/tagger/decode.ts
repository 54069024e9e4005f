import { FEATURES, featuresOf, flagTokens, isIdle, LABELS, type Lists } from './features.ts';
import { emptyTokens, STRETCH, tokenize, type Tokens } from './tokens.ts';

export type Weights = Int16Array | Float32Array;

/** Memory of one run of the tagger, reused from stretch to stretch. */
export type Bench = {
  readonly tokens: Tokens;
  readonly flags: Uint8Array;
  readonly labels: Uint8Array;
  /** By how much the label won. */
  readonly margins: Float32Array;
  readonly rows: Uint32Array;
  readonly sums: Float32Array;
};

export function newBench(): Bench {
  return {
    tokens: emptyTokens(),
    flags: new Uint8Array(STRETCH + 2),
    labels: new Uint8Array(STRETCH + 2),
    margins: new Float32Array(STRETCH + 2),
    rows: new Uint32Array(FEATURES),
    sums: new Float32Array(LABELS.length),
  };
}

/** Whether label `next` may follow `previous`: an inside needs a beginning of its own sort. */
function mayFollow(previous: number, next: number): boolean {
  return next === 0 || next % 2 === 1 || previous === next || previous === next - 1;
}

export function best(weights: Weights, bench: Bench, previous: number): number {
  const { rows, sums } = bench;
  // Nine sums in nine variables: an array would be written to two hundred times a token.
  let [a, b, c, d, e, f, g, h, i] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let feature = 0; feature < FEATURES; feature += 1) {
    const from = (rows[feature] ?? 0) * 9;
    a += weights[from] ?? 0;
    b += weights[from + 1] ?? 0;
    c += weights[from + 2] ?? 0;
    d += weights[from + 3] ?? 0;
    e += weights[from + 4] ?? 0;
    f += weights[from + 5] ?? 0;
    g += weights[from + 6] ?? 0;
    h += weights[from + 7] ?? 0;
    i += weights[from + 8] ?? 0;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
  sums[4] = e;
  sums[5] = f;
  sums[6] = g;
  sums[7] = h;
  sums[8] = i;
  let winner = 0;
  let most = a;
  for (let label = 1; label < 9; label += 1) {
    const sum = sums[label] ?? 0;
    if (sum > most && mayFollow(previous, label)) {
      winner = label;
      most = sum;
    }
  }
  return winner;
}

/** Labels of all tokens of a stretch, left to right. */
export function tagStretch(
  text: string,
  place: { readonly from: number; readonly to: number },
  model: { readonly weights: Weights; readonly lists: Lists },
  bench: Bench,
): void {
  const { tokens, flags, labels, margins, sums } = bench;
  tokenize(text, place.from, place.to, tokens);
  flagTokens(tokens, model.lists, flags);
  let previous = 0;
  let before = 0;
  for (let at = 0; at < tokens.count; at += 1) {
    let label = 0;
    if (previous !== 0 || !isIdle(tokens, flags, at)) {
      featuresOf({ text, tokens, flags }, at, { previous, before }, bench.rows);
      label = best(model.weights, bench, previous);
      margins[at] = (sums[label] ?? 0) - (label === 0 ? 0 : (sums[0] ?? 0));
    }
    labels[at] = label;
    before = previous;
    previous = label;
  }
}
