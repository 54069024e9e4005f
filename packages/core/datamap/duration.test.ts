import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, intervalOf, parseDuration } from './duration.ts';

test('a period is read back as it was written', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9999 }), fc.constantFrom('y', 'mo', 'w', 'd'), (count, unit) => {
      const text = `${count}${unit}`;
      const read = parseDuration(text);
      assert.ok(read !== undefined);
      assert.equal(formatDuration(read), text);
    }),
  );
});

test('a period says its unit in full to PostgreSQL', () => {
  assert.deepEqual(
    ['10y', '6mo', '2w', '30d'].map((text) => intervalOf(parseDuration(text) ?? { count: 0, unit: 'd' })),
    ['10 years', '6 months', '2 weeks', '30 days'],
  );
});

test('what is no period of the calendar is refused', () => {
  for (const text of ['', '10', 'y', '0y', '-1y', '1.5y', '10 y', '6m', '10years', '99999d', ' 1y'])
    assert.equal(parseDuration(text), undefined, text);
});
