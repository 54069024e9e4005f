import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { normalise, placeOf } from './normalise.ts';

describe('normalise', () => {
  it('leaves plain text as it is, without a map', () => {
    assert.deepEqual(normalise('plain text, 42'), { text: 'plain text, 42', starts: null, ends: null });
    assert.equal(normalise('Müller wohnt in Köln').starts, null);
  });

  it('makes digits of every script and every width ASCII', () => {
    for (const text of ['４１１１', '٤١١١', '४१११', '𝟒𝟏𝟏𝟏', '４\u200B１\u00AD１１'])
      assert.equal(normalise(text).text, '4111', text);
  });

  it('knows the place of each unit in the original', () => {
    const original = '👩‍👧 ４１ e\u0301é';
    const normalised = normalise(original);
    const at = normalised.text.indexOf('41');
    assert.deepEqual(placeOf(normalised, at, at + 2), [original.indexOf('４'), original.indexOf('１') + 1]);
    const accent = normalised.text.indexOf('é');
    assert.deepEqual(placeOf(normalised, accent, accent + 1), [original.indexOf('e\u0301'), original.indexOf('e\u0301') + 2]);
  });

  it('gives places inside the original in order, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (original) => {
        const normalised = normalise(original);
        let before = 0;
        for (let at = 0; at < normalised.text.length; at += 1) {
          const [start, end] = placeOf(normalised, at, at + 1);
          assert.ok(start >= before && start < end && end <= original.length);
          before = start;
        }
      }),
    );
  });

  it('keeps lone surrogates', () => {
    assert.equal(normalise('a\uD800b\u200B').text, 'a\uD800b');
  });
});
