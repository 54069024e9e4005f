import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { detectText } from './detect.ts';
import { normalise, placeOf } from './normalise.ts';

describe('normalise', () => {
  it('leaves plain text as it is, without a map', () => {
    assert.deepEqual(normalise('plain text, 42'), { text: 'plain text, 42', changes: [] });
    assert.deepEqual(normalise('Müller wohnt in Köln').changes, []);
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

  it('leaves nothing that is not shown: joiners, fillers, variation selectors, tags, old signs of direction', () => {
    for (const point of [
      0xad, 0x34f, 0x61c, 0x180b, 0x200b, 0x2065, 0x206a, 0x206f, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xe0001, 0xe0041, 0xe01ef,
    ]) {
      const hidden = String.fromCodePoint(point);
      const text = `４${hidden}1${hidden}${hidden}11 e\u0301${hidden}\u2013`;
      assert.equal(normalise(text).text, '4111 é-', point.toString(16));
      const card = `card 4111${hidden}1111${hidden}11111111`;
      assert.deepEqual(
        detectText(card, { depth: 'structured' }).map(({ type, start, end }) => [type, start, end]),
        [['CREDIT_CARD', 5, card.length]],
      );
    }
  });

  it('keeps no map for what stays as long as it is, however much of it there is', () => {
    const text = `call\u00A0+49\u00A030\u00A0901820 now `.repeat(50_000);
    const { changes, text: plain } = normalise(text);
    assert.deepEqual([changes, plain.length], [[], text.length]);
  });

  it('keeps lone surrogates', () => {
    assert.equal(normalise('a\uD800b\u200B').text, 'a\uD800b');
  });
});
