import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayOf, parseDay } from './day.ts';

test('a day is read at its beginning in UTC, and written as it was read', () => {
  for (const text of ['2024-02-29', '2026-12-31', '0001-01-01']) {
    const day = parseDay(text);
    assert.ok(day !== undefined, text);
    assert.equal(day.toISOString(), `${text}T00:00:00.000Z`);
    assert.equal(dayOf(day), text);
  }
});

test('what is no day of the calendar is none', () => {
  for (const text of ['2026-02-30', '2025-02-29', '2026-13-01', '2026-00-10', '2026-1-1', '2026-01-01T00:00', 'soon', ''])
    assert.equal(parseDay(text), undefined, text);
});
