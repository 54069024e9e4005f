import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failuresText, progressLine, skipsText, totalsLine, totalsOf } from './report.ts';
import type { FileReport } from './run-file.ts';

const REPORT: FileReport = {
  file: 'packages/core/x.test.ts',
  durationMs: 1_234,
  faults: ['left a process running: sleep (1)'],
  results: [
    { kind: 'result', path: ['suite', 'works'], outcome: 'passed', detail: '' },
    { kind: 'result', path: ['suite', 'fails'], outcome: 'failed', detail: 'Error: broken\n    at x' },
    { kind: 'result', path: ['a'], outcome: 'skipped', detail: 'no Redis here' },
    { kind: 'result', path: ['b'], outcome: 'skipped', detail: 'no Redis here' },
  ],
};

test('faults of a file count as failures', () => {
  assert.deepEqual(totalsOf([REPORT, REPORT]), { passed: 2, failed: 4, skipped: 4 });
});

test('the last line names skipped tests only when there are some', () => {
  assert.equal(totalsLine({ passed: 12, failed: 0, skipped: 0 }), '12 passed, 0 failed');
  assert.equal(totalsLine({ passed: 1, failed: 2, skipped: 3 }), '1 passed, 2 failed, 3 skipped');
});

test('each file has one line, failures are told in full and reasons for skips once', () => {
  assert.equal(progressLine(REPORT), 'FAIL packages/core/x.test.ts (1 passed, 2 failed, 2 skipped, 1.2 s)');
  assert.equal(progressLine({ ...REPORT, faults: [], results: [] }), ' ok  packages/core/x.test.ts (0 passed, 1.2 s)');
  assert.match(failuresText([REPORT]), /FAIL packages\/core\/x\.test\.ts > suite > fails\n {4}Error: broken\n {8}at x/);
  assert.match(failuresText([REPORT]), /FAIL packages\/core\/x\.test\.ts\n {4}left a process running/);
  assert.equal(skipsText([REPORT]), 'skipped 2: no Redis here\n');
});
