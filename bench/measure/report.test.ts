import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPromises, report, summary } from './report.ts';
import type { BenchResult } from './result.ts';

const result: BenchResult = {
  bench: 'import',
  question: 'How fast?',
  scale: 'large',
  size: 1_500_000,
  unit: 'rows',
  runs: 3,
  warmups: 1,
  seed: 1,
  at: '2026-11-21T10:00:00.000Z',
  commit: 'abc+',
  node: 'v24.21.0',
  machine: { cpu: 'CPU', cores: 2, memoryBytes: 16e9, kernel: 'Linux 6', loadBefore: 0.123 },
  contenders: [
    {
      name: 'ours',
      kind: 'ours',
      isolated: true,
      samples: {
        seconds: [2, 2, 2],
        unitsPerSecond: [750_000, 750_000, 750_000],
        cpuSeconds: [0.05, 0.05, 0.05],
        peakRssBytes: [1e8, 3e8, 2e8],
      },
    },
    {
      name: 'pgloader',
      kind: 'rival',
      isolated: false,
      version: '3.6|x',
      samples: { 'seconds': [5, 5, 5], 'peakRssBytes': [1, 1, 1], 'extra.p99Ms': [4.25, 4.25, 4.25] },
    },
    { name: 'absent', kind: 'rival', isolated: false, missing: 'not installed', samples: {} },
  ],
  limits: [
    {
      contender: 'ours',
      measure: 'seconds',
      relation: 'at-most',
      bound: 0.5,
      against: 'pgloader',
      source: 'design',
      state: 'met',
      measured: 0.4,
      interval: { low: 0.4, high: 0.41 },
      detail: '',
    },
    {
      contender: 'ours',
      measure: 'peakRssBytes',
      relation: 'at-most',
      bound: 250e6,
      source: 'design',
      state: 'missed',
      measured: 3e8,
      interval: { low: 2e8, high: 3e8 },
      detail: 'by 20 %',
    },
  ],
};

test('a report is a page section that reads as plain text too', () => {
  assert.equal(
    report(result),
    `## import (large: 1,500,000 rows)

How fast?

| contender        | version       | median | min | max | spread | rows/s    | time / ours       | CPU   | peak RSS | peak PSS |
| ---------------- | ------------- | ------ | --- | --- | ------ | --------- | ----------------- | ----- | -------- | -------- |
| **ours**         |               | 2 s    | 2 s | 2 s | ±0.0 % | 750,000/s | 1.00              | 50 ms | 300 MB   |          |
| pgloader (rival) | 3.6\\|x        | 5 s    | 5 s | 5 s | ±0.0 % |           | 2.50 [2.50, 2.50] |       | shared   | shared   |
| absent (rival)   | not installed |        |     |     |        |           |                   |       |          |          |

| contender | p99Ms |
| --------- | ----- |
| ours      |       |
| pgloader  | 4.25  |
| absent    |       |

| promise                     | measured                | verdict            | source |
| --------------------------- | ----------------------- | ------------------ | ------ |
| ours: time ≤ 0.5 x pgloader | 0.40 [0.40, 0.41]       | met                | design |
| ours: peak RSS ≤ 250 MB     | 300 MB [200 MB, 300 MB] | **missed** by 20 % | design |

2026-11-21, commit abc+, Node 24.21.0; CPU, 2 cores, 16,000 MB, Linux 6, load before 0.12. 3 runs after 1 warm-up, interleaved in random order (seed 1). In brackets: 95 % intervals. Spread: scaled median deviation. CPU and memory: of the process tree. Memory "shared": the contender has no process of its own.`,
  );
});

test('open promises are those not met, in one line each', () => {
  assert.deepEqual(openPromises(result), ['import (large): ours: peak RSS ≤ 250 MB: **missed** by 20 %']);
});

test('the summary names what is missed first, over all benches, and counts all of it', () => {
  const [limit] = result.limits;
  assert.ok(limit !== undefined);
  const met = { ...result, bench: 'audit', limits: [{ ...limit, state: 'met' as const, detail: '' }] };
  const missed = { ...result, limits: [{ ...limit, state: 'missed' as const, detail: 'by 3 %' }] };
  const text = summary([met, missed], ['flat']);
  assert.match(text, /Never run, so that nothing is known of what they promise: flat\./);
  assert.doesNotMatch(summary([met, missed]), /Never run/);
  assert.match(text, /Of 2 promises: 1 met, 0 not measured, 0 too wide to conclude, 1 missed\./);
  const rows = text.split('\n').filter((line) => /^\| (audit|import) /.test(line));
  assert.deepEqual(
    rows.map((row) => row.split('|')[1]?.trim()),
    ['import (large)', 'audit (large)'],
  );
  assert.match(rows[0] ?? '', /\*\*missed\*\* by 3 %/);
});
