import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { kinds } from '../kinds/table.ts';
import { Scan } from './candidates.ts';
import { contextBefore, lastCue } from './cues.ts';
import { scanStructured } from './structured.ts';

const cued = kinds.filter(({ cues, family }) => cues !== null && family !== 'words' && family !== 'entity');
/** Cues as they are read, near enough: of a group the first alternative, of a class the first letter. */
const words = cued.flatMap(({ cues }) =>
  (cues ?? '')
    .replaceAll(/\(\?:([^|()]*)[^()]*\)\??/g, '$1')
    .replaceAll(/\[(.)[^\]]*\]\??/g, '$1')
    .replaceAll(/\\[wds][*+?]?|[\\?*()]/g, '')
    .split('|'),
);
const between = [' ', ': ', '-', '_', '. ', '', '1', '\u{a0}', '/', '\n', '’', '@'];
const others = [
  'the',
  'A7',
  '4111 1111',
  'anna@example.org',
  'http://x.org/a',
  'Łódź',
  '身份证',
  '12.3.2020',
  'x_1',
  'AB 12 34 ',
  'ß',
];
const piece = fc.oneof(
  fc.constantFrom(...words),
  fc.constantFrom(...words).map((word) => word.toUpperCase()),
  fc.constantFrom(...others),
);
const text = fc
  .array(fc.tuple(piece, fc.constantFrom(...between)), { minLength: 1, maxLength: 8 })
  .map((pieces) => pieces.flat().join(''));

describe('the kinds that words behind a place speak for', () => {
  it('leave out none for which a word stands there', () => {
    let seen = 0;
    fc.assert(
      fc.property(text, (made) => {
        const scan = new Scan(made, () => true);
        scanStructured(scan);
        const before = contextBefore(made, made.length);
        for (const kind of cued) {
          if (lastCue(kind, before) < 0) continue;
          seen += 1;
          assert.ok(scan.near.mayStandBefore(made.length, kind), `${kind.name} in ${JSON.stringify(made)}`);
        }
      }),
      { numRuns: 2_000, seed: 7 },
    );
    assert.ok(seen > 1_000, String(seen));
  });
});
