import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { horizonOf } from './horizon.ts';

const NOW = new Date('2026-11-21T10:00:00Z');
const day = fc.date({ min: new Date('2026-01-01'), max: new Date('2028-01-01'), noInvalidDate: true });
const copy = fc.record({ name: fc.constant('a copy'), until: fc.option(day, { nil: null }) });

test('the horizon is never before the destruction of a key or the end of a copy, and unknown when one of them is', () => {
  const epoch = fc.record({ epoch: fc.integer({ min: 1, max: 9 }), createdAt: day, destroyedAt: fc.option(day, { nil: null }) });
  fc.assert(
    fc.property(
      fc.array(epoch, { maxLength: 4 }),
      fc.array(copy, { maxLength: 4 }),
      fc.array(copy, { maxLength: 4 }),
      (epochs, keyCopies, plaintextCopies) => {
        const { state, at, reasons } = horizonOf({
          epochs: epochs.map((each) => ({
            ...each,
            state: each.destroyedAt === null ? 'current' : 'destroyed',
            check: Buffer.alloc(8),
          })),
          keyCopies,
          plaintextCopies,
          now: NOW,
        });
        const copies = [...keyCopies, ...plaintextCopies];
        const isUnknown =
          copies.some(({ until }) => until === null) ||
          epochs.some(
            ({ destroyedAt, createdAt }) => destroyedAt === null && createdAt.getTime() + 7 * 86_400_000 <= NOW.getTime(),
          );
        assert.equal(state === 'unknown', isUnknown);
        assert.equal(reasons.length > 0, isUnknown);
        if (isUnknown) return assert.equal(at, null);
        for (const { until } of copies) assert.ok(at !== null && until !== null && at >= until);
        for (const { destroyedAt } of epochs) assert.ok(at !== null && (destroyedAt === null || at >= destroyedAt));
        if (state === 'passed' && at !== null) assert.ok(at <= NOW);
        if (state === 'scheduled') assert.ok(at !== null && at > NOW);
      },
    ),
  );
});

test('without an account of backups nothing is promised', () => {
  assert.equal(horizonOf({ epochs: [], keyCopies: [], plaintextCopies: 'unknown', now: NOW }).state, 'unknown');
});
