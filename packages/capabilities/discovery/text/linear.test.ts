import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kinds } from '../kinds/table.ts';
import { detectText } from './detect.ts';

const SMALL = 50_000;
const LARGE = 2 * SMALL;
/** Twice the text may take so many times as long; the goal is 2, the rest is noise of the machine. */
const MOST = 2.3;
const RUNS = 9;
/** Below this there is nothing to tell from noise: it is repeated until it takes as long. */
const LEAST_MS = 3;
/** A pattern that is not linear misses by far; a busy machine misses by little, and not every time. */
const TRIES = 4;

/** What makes a careless pattern go back over and over. */
const attacks: Readonly<Record<string, string>> = {
  'digits': '1',
  'digits and spaces': '1 ',
  'digits and dashes': '12-',
  'phone parts': '(12) 34-',
  'groups of four': '4111 ',
  'cards in a row': '4111111111111111 ',
  'dots': '1.2.3.',
  'plus signs': '+1 ',
  'at signs': '@',
  'one letter and at': 'a@',
  'mail without end': 'a.a@a.a.',
  'labels': 'a-a.a-',
  'schemes': 'http://',
  'schemes with at': 'http://@',
  'www': 'www.a.',
  'colons': 'a:b:',
  'hexadecimal groups': 'ab:12:',
  'token parts': 'eyJ-',
  'token dots': 'eyJaaaaaaaa.',
  'dollars': '$2b$12$',
  'argon': '$argon2id$v=19$',
  'pem': '-----BEGIN PRIVATE KEY-----',
  'pem begun': '-----BEGIN ',
  'dashes': '-',
  'account numbers': 'DE89 ',
  'letters and digits': 'a1',
  'letters and digits apart': 'A1 ',
  'capitals': 'AB ',
  'names': 'Anna Meyer ',
  'small names': 'anna meyer ',
  'places': 'New York, ',
  'words for secrets': 'password: ',
  'cues': 'ssn passport card phone ',
  'cues and digits': 'ssn 12 ',
  'cues and numbers': 'card number 123456789 ',
  'months': 'March 1 ',
  'dates': '12/12/',
  'times': '10:20:30 ',
  'marks': 'a\u0301',
  'many marks': '\u0301',
  'full-width digits': '\uFF11',
  'zero width': '1\u200B',
  'lone surrogates': '\uD800',
  'emoji': '👩‍👩‍👧',
  'arabic': 'سلام ',
  'chinese and digits': '身份证11',
  'quotes': '"',
  'braces': '{SSHA}',
  'tracks': ';4111',
  'percent tracks': '%B4111',
  'underscores': '_',
  'titles': 'Mr. ',
  'words of faith': 'he is catholic ',
  'line breaks': '\n',
  'blanks': ' ',
};

describe('the time that text takes', () => {
  for (const [name, unit] of Object.entries(attacks)) {
    it(`at most doubles with twice of: ${name}`, () => {
      const small = unit.repeat(Math.ceil(SMALL / unit.length)).slice(0, SMALL);
      const large = unit.repeat(Math.ceil(LARGE / unit.length)).slice(0, LARGE);
      let factor = Infinity;
      for (let tries = 0; tries < TRIES && factor > MOST; tries += 1)
        factor = growth((text) => void detectText(text), small, large);
      assert.ok(factor <= MOST, `${factor.toFixed(2)} times as long`);
    });
  }

  it('does not depend on how a value of a kind goes on', () => {
    for (const kind of kinds) {
      if (kind.pattern === null) continue;
      for (const example of kind.examples) {
        const small = example.repeat(Math.ceil(SMALL / example.length));
        const large = small + small;
        const { pattern } = kind;
        let factor = Infinity;
        for (let tries = 0; tries < TRIES && factor > MOST; tries += 1)
          factor = growth((text) => void pattern.test(text), small, large, 0.5);
        assert.ok(factor <= MOST, `${kind.name}: ${factor.toFixed(2)} times as long`);
      }
    }
  });
});

/** How many times as long the large text takes as the small one; the best of several runs of each. */
function growth(run: (text: string) => void, small: string, large: string, least = LEAST_MS): number {
  run(small);
  const once = timeOf(run, small, 1);
  const repeats = Math.max(1, Math.ceil(least / Math.max(once, 0.01)));
  if (repeats > 2_000) return 0;
  let [bestSmall, bestLarge] = [Infinity, Infinity];
  for (let round = 0; round < RUNS; round += 1) {
    bestSmall = Math.min(bestSmall, timeOf(run, small, repeats));
    bestLarge = Math.min(bestLarge, timeOf(run, large, repeats));
    if (bestLarge / bestSmall < MOST * 0.95) break;
  }
  return bestLarge / bestSmall;
}

function timeOf(run: (text: string) => void, text: string, repeats: number): number {
  const from = performance.now();
  for (let round = 0; round < repeats; round += 1) run(text);
  return performance.now() - from;
}
