import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, newId } from '@safekeep/core';
import type { LogLine } from '@safekeep/log';
import { matches, parseSince, type Filter } from './rules.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const [request, job, run] = [newId<'request'>(), newId<'job'>(), newId<'run'>()];
const line: LogLine = {
  time: '2026-03-01T11:00:00.000Z',
  level: 'warn',
  event: 'job-failed',
  component: 'worker',
  pid: 1,
  request,
  job,
  run,
};

test('a line is shown when it passes every filter', () => {
  const passing: readonly Filter[] = [
    {},
    { id: request },
    { id: job.toUpperCase() },
    { id: run },
    { kind: 'job-failed' },
    { level: 'warn' },
    { level: 'trace' },
    { component: 'worker' },
    { since: new Date(line.time) },
    { id: job, kind: 'job-failed', level: 'info', component: 'worker', since: new Date(0) },
  ];
  for (const filter of passing) assert.ok(matches(line, filter), JSON.stringify(filter));
  const failing: readonly Filter[] = [
    { id: newId() },
    { id: '' },
    { kind: 'job' },
    { level: 'error' },
    { component: 'api' },
    { since: NOW },
    { id: job, kind: 'job-done' },
  ];
  for (const filter of failing) assert.ok(!matches(line, filter), JSON.stringify(filter));
});

test('a line whose time cannot be read is of no known time', () => {
  assert.ok(!matches({ ...line, time: 'yesterday' }, { since: new Date(0) }));
  assert.ok(matches({ ...line, time: 'yesterday' }, {}));
});

test('--since takes a time with its zone, a date in UTC, or a duration', () => {
  const read: Readonly<Record<string, string>> = {
    '2026-03-01T10:00:00Z': '2026-03-01T10:00:00.000Z',
    '2026-03-01T10:00Z': '2026-03-01T10:00:00.000Z',
    '2026-03-01T10:00:00.5+02:00': '2026-03-01T08:00:00.500Z',
    '2026-03-01': '2026-03-01T00:00:00.000Z',
    '90s': '2026-03-01T11:58:30.000Z',
    '15m': '2026-03-01T11:45:00.000Z',
    '2h': '2026-03-01T10:00:00.000Z',
    '7d': '2026-02-22T12:00:00.000Z',
  };
  for (const [text, expected] of Object.entries(read)) assert.equal(parseSince(text, NOW).toISOString(), expected);
});

test('--since refuses what could mean several times', () => {
  for (const text of [
    '',
    'yesterday',
    '2026-03-01T10:00:00',
    '01/03/2026',
    '15',
    '15 m',
    '-5m',
    '1w',
    '2026-13-40',
    '9999999999d',
    '12:00',
  ]) {
    assert.throws(
      () => parseSince(text, NOW),
      (error) => isSafekeepError(error, 'usage'),
      text,
    );
  }
});
