import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KeyState } from '../model.ts';
import { alertsOf, isUnusual, mayBecome, USES_AT_MOST, USES_WARNED } from './life.ts';

const STATES: readonly KeyState[] = ['pre-active', 'active', 'decrypt-only', 'held', 'shredded'];
const NOW = new Date('2026-11-21T10:00:00Z');

test('a shredded key never lives again, whatever path is taken', () => {
  const paths = fc.array(fc.constantFrom(...STATES), { maxLength: 20 });
  fc.assert(
    fc.property(paths, (path) => {
      let state: KeyState = 'active';
      let shredded = false;
      for (const to of path) {
        if (!mayBecome(state, to)) continue;
        state = to;
        shredded ||= to === 'shredded';
      }
      assert.equal(state === 'shredded', shredded);
    }),
  );
  for (const state of STATES) assert.equal(mayBecome(state, 'shredded'), state !== 'shredded');
});

test('expiry is told 30 days before, uses at 2^30 and 2^31, of a shredded key nothing', () => {
  const key = { state: 'active', uses: 0, expiresAt: null, purpose: 'data' } as const;
  assert.deepEqual(alertsOf(key, NOW), []);
  assert.deepEqual(alertsOf({ ...key, expiresAt: '2026-12-21T09:00:00Z' }, NOW), ['expires-soon']);
  assert.deepEqual(alertsOf({ ...key, expiresAt: '2026-12-22T10:00:00Z' }, NOW), []);
  assert.deepEqual(alertsOf({ ...key, expiresAt: '2026-11-21T10:00:00Z' }, NOW), ['expired']);
  assert.deepEqual(alertsOf({ ...key, uses: USES_WARNED }, NOW), ['many-uses']);
  assert.deepEqual(alertsOf({ ...key, uses: USES_AT_MOST }, NOW), ['spent']);
  assert.deepEqual(alertsOf({ ...key, uses: USES_AT_MOST, purpose: 'index' }, NOW), []);
  assert.deepEqual(alertsOf({ ...key, state: 'shredded', uses: USES_AT_MOST }, NOW), []);
});

test('ten times the usual rate is unusual; a few uses, or a new key, are not', () => {
  const usage = { uses: 20_000, before: 1_000, createdAt: new Date('2026-11-01T10:00:00Z'), sinceMs: 60_000 };
  assert.equal(isUnusual(usage, NOW), true);
  assert.equal(isUnusual({ ...usage, uses: 9_999 }, NOW), false);
  assert.equal(isUnusual({ ...usage, createdAt: new Date('2026-11-21T09:00:00Z') }, NOW), false);
  assert.equal(isUnusual({ ...usage, before: 50_000_000_000 }, NOW), false);
});
