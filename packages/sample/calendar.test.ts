import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ageOn,
  dayOf,
  epochSeconds,
  isoDate,
  julianDay,
  MINUTES_OF_DAY,
  offsetTime,
  usDate,
  utcTime,
  wallTime,
  workingDays,
} from './calendar.ts';

const anyMinute = fc.integer({ min: dayOf('2014-01-01') * MINUTES_OF_DAY, max: dayOf('2027-01-01') * MINUTES_OF_DAY });

test('summer time begins on the second Sunday of March at two', () => {
  const two = dayOf('2026-03-08') * MINUTES_OF_DAY + 120;
  assert.equal(offsetTime(two - 5), '2026-03-08T01:55:00-08:00');
  assert.equal(offsetTime(two + 60), '2026-03-08T03:00:00-07:00');
});

test('summer time ends on the first Sunday of November', () => {
  assert.equal(offsetTime(dayOf('2026-10-31') * MINUTES_OF_DAY + 600), '2026-10-31T10:00:00-07:00');
  assert.equal(offsetTime(dayOf('2026-11-01') * MINUTES_OF_DAY + 600), '2026-11-01T10:00:00-08:00');
});

test('UTC, offset and epoch name the same instant', () => {
  fc.assert(
    fc.property(anyMinute, (at) => {
      assert.equal(Date.parse(offsetTime(at)), Date.parse(utcTime(at)));
      assert.equal(Date.parse(utcTime(at)), epochSeconds(at) * 1000);
      assert.equal(wallTime(at), offsetTime(at).slice(0, 19).replace('T', ' '));
    }),
  );
});

test('a Julian day is what SQLite takes it for', () => {
  using database = new DatabaseSync(':memory:');
  const row = database.prepare('SELECT date(?) AS day').get(julianDay(dayOf('2024-02-29')));
  assert.equal(row?.['day'], '2024-02-29');
});

test('an age counts birthdays, also of those born on the 29th of February', () => {
  const born = dayOf('2004-02-29');
  assert.equal(ageOn(born, dayOf('2026-02-28')), 21);
  assert.equal(ageOn(born, dayOf('2026-03-01')), 22);
  assert.equal(ageOn(born, born), 0);
});

test('working days leave out Saturday and Sunday', () => {
  const days = workingDays(dayOf('2026-09-25'), dayOf('2026-09-30')).map(isoDate);
  assert.deepEqual(days, ['2026-09-25', '2026-09-28', '2026-09-29', '2026-09-30']);
});

test('dates are written as Americans write them', () => {
  assert.equal(usDate(dayOf('2024-05-07')), '05/07/2024');
});
