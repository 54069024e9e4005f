// Trains the tagger of persons, places and organisations: `node packages/capabilities/discovery/text/training/train.ts [--held-back] [--out FILE]`.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { best, newBench } from '../tagger/decode.ts';
import { FEATURES, featuresOf, Flag, flagTokens, isIdle, LABELS, ROWS, type Lists } from '../tagger/features.ts';
import { packModel, WEIGHT_SCALE } from '../tagger/model-file.ts';
import { STRETCH, tokenize } from '../tagger/tokens.ts';
import { makeLists } from './blooms.ts';
import { readWords } from './lists.ts';
import { print } from './score.ts';
import { readTemplates, seeded, Sentences, type Sentence } from './sentences.ts';

const { values } = parseArgs({
  options: {
    'held-back': { type: 'boolean', default: false },
    'out': { type: 'string' },
    'sentences': { type: 'string', default: '120000' },
    'rounds': { type: 'string', default: '3' },
  },
});
/** A name in so many is learnt as one that stands in no list: there are always others. */
const UNKNOWN_SHARE = 0.4;
/** A plain word in so many is learnt as one never seen, so that the others of a template are not all that is gone by. */
const STRANGE_SHARE = 0.1;
const NAMES = Flag.given | Flag.family | Flag.place | Flag.placePart;

const words = await readWords();
const part = values['held-back'] ? 'train' : 'all';
const lists = makeLists(words, part);
const source = new Sentences(words, await readTemplates(), part, 20_260_101);
const sentences = Array.from({ length: Number(values.sentences) }, () => source.next());

const size = ROWS * LABELS.length;
const weights = new Float32Array(size);
/** Sums of squared slopes: AdaGrad, so that rare features learn fast and common ones settle. */
const slopes = new Float32Array(size).fill(1e-6);
const RATE = 0.15;
/** Nothing is learnt from a token that is right beyond this. */
const SETTLED = 0.998;
/** Pulls weights towards zero a little at each step that touches them. */
const DECAY = 2e-6;

/** The mean of the weights on their way is what is shipped (Polyak and Juditsky, 1992): the last ones swing with the last sentences. */
const TAKEN_EVERY = 500;
const sums = new Float32Array(size);
let taken = 0;

function take(): void {
  taken += 1;
  for (let at = 0; at < size; at += 1) sums[at] = (sums[at] ?? 0) + (weights[at] ?? 0);
}

const bench = newBench();
const random = seeded(7);
for (let round = 0; round < Number(values.rounds); round += 1) {
  let wrong = 0;
  let seen = 0;
  for (const [place, sentence] of sentences.entries()) {
    const outcome = learn(sentence, lists);
    if (place % TAKEN_EVERY === 0) take();
    wrong += outcome.wrong;
    seen += outcome.seen;
  }
  print(`round ${round + 1}: ${((100 * wrong) / seen).toFixed(2)} % of ${seen} tokens wrong`);
}
const mean = sums.map((sum) => sum / taken);
const largest = mean.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const packed = Int16Array.from(mean, (value) => Math.round(value * WEIGHT_SCALE));
print(`largest weight ${largest.toFixed(1)}`);
const file = values.out ?? join(import.meta.dirname, '../tagger/tagger.bin');
const bytes = packModel({ weights: packed, lists });
await writeFile(file, bytes);
print(`${file}: ${bytes.length} bytes`);

function learn({ text, spans }: Sentence, known: Lists): { readonly wrong: number; readonly seen: number } {
  if (text.length > STRETCH) return { wrong: 0, seen: 0 };
  const { tokens, flags, rows } = bench;
  tokenize(text, 0, text.length, tokens);
  flagTokens(tokens, known, flags);
  const gold = new Uint8Array(tokens.count);
  for (const { label, start, end } of spans) {
    const forget = random() < UNKNOWN_SHARE;
    const beginning = LABELS.indexOf(`B-${label}`);
    let first = true;
    for (let at = 0; at < tokens.count; at += 1) {
      if ((tokens.starts[at] ?? 0) < start || (tokens.starts[at] ?? 0) >= end) continue;
      gold[at] = first ? beginning : beginning + 1;
      first = false;
      if (forget) flags[at] = (flags[at] ?? 0) & ~NAMES;
    }
  }
  for (let at = 0; at < tokens.count; at += 1)
    // Of a row of its own each time, as a word that the training has not met is.
    if (gold[at] === 0 && ((flags[at] ?? 0) & Flag.plain) !== 0 && random() < STRANGE_SHARE)
      tokens.hashes[at] = Math.floor(random() * 2 ** 32);
  let [previous, before, wrong] = [0, 0, 0];
  for (let at = 0; at < tokens.count; at += 1) {
    const right = gold[at] ?? 0;
    let label = 0;
    if (previous !== 0 || !isIdle(tokens, flags, at)) {
      featuresOf({ text, tokens, flags }, at, { previous, before }, rows);
      label = best(weights, bench, previous);
      if (label !== right) wrong += 1;
      correct(right);
    }
    before = previous;
    // Half of the time it goes on from its own mistake, as it must when nobody corrects it.
    previous = label === right || random() < 0.5 ? label : right;
  }
  return { wrong, seen: tokens.count };
}

/** One step of logistic regression from the sums of `best`. */
function correct(right: number): void {
  const { sums, rows } = bench;
  const most = sums.reduce((high, sum) => Math.max(high, sum), -Infinity);
  const shares = sums.map((sum) => Math.exp(sum - most));
  const total = shares.reduce((sum, share) => sum + share, 0);
  if ((shares[right] ?? 0) / total > SETTLED) return;
  for (let label = 0; label < LABELS.length; label += 1) {
    const slope = (shares[label] ?? 0) / total - (label === right ? 1 : 0);
    if (Math.abs(slope) < 1e-4) continue;
    for (let feature = 0; feature < FEATURES; feature += 1) {
      const place = (rows[feature] ?? 0) * LABELS.length + label;
      const squared = (slopes[place] ?? 0) + slope * slope;
      slopes[place] = squared;
      weights[place] = (weights[place] ?? 0) * (1 - DECAY) - (RATE * slope) / Math.sqrt(squared);
    }
  }
}
