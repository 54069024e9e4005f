import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampleOfPattern } from './pattern.ts';

test('a format gives the simplest text that it takes', () => {
  const samples = {
    '^[A-Z]{2}[0-9]{2}$': 'XX00',
    '^\\d{5}(-\\d{4})?$': '00000',
    '^\\+[1-9][0-9]{7,14}$': '+10000000',
    '^[^@ ]+@[^@ ]+\\.[a-z]{2,}$': '0@0.xx',
    '^(?:mr|ms) .+$': 'mr x',
    '^#?[a-f0-9]{6}$': '000000',
  };
  for (const [pattern, sample] of Object.entries(samples)) {
    assert.equal(sampleOfPattern(pattern), sample);
    assert.match(sample, new RegExp(pattern));
  }
});

test('a pattern with what is not known here gives nothing', () => {
  for (const pattern of ['^(?=a)b$', '^\\y$', '^[[:alpha:]]+$', '^(a', 'a)', '*', '^[$'])
    assert.equal(sampleOfPattern(pattern), undefined, pattern);
});

test('a sample always fits the pattern that it was made of', () => {
  const piece = fc.constantFrom('[A-Z]', '[0-9]', '\\d', '\\w', '.', 'a', '-', '(b|c)', '[^a-z]', '(?:x[0-9])');
  const times = fc.constantFrom('', '?', '*', '+', '{3}', '{2,5}', '{1,}');
  fc.assert(
    fc.property(fc.array(fc.tuple(piece, times), { minLength: 1, maxLength: 8 }), (parts) => {
      const pattern = `^${parts.map(([what, often]) => `${what}${often}`).join('')}$`;
      const sample = sampleOfPattern(pattern);
      assert.ok(sample !== undefined && new RegExp(pattern).test(sample), `${pattern} gave ${sample}`);
    }),
  );
});
