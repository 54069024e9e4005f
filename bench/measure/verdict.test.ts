import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limit } from './bench.ts';
import type { ContenderResult } from './result.ts';
import { judge, type Evidence } from './verdict.ts';

function contender(name: string, seconds: readonly number[]): ContenderResult {
  return { name, kind: 'ours', isolated: false, samples: { seconds } };
}

const around = (centre: number): number[] => [0.99, 1, 1.01, 1, 0.98, 1.02, 1].map((factor) => factor * centre);

function evidence(...contenders: ContenderResult[]): Evidence {
  return { contenders, scale: 'medium', spreadLimit: 0.15, seed: 1 };
}

const atMost: Limit = {
  contender: 'ours',
  measure: 'seconds',
  relation: 'at-most',
  bound: 1.35,
  against: 'limit',
  source: 'design',
};

test('a promise is met when the whole interval keeps it, and missed by so much when none of it does', () => {
  const met = judge(atMost, evidence(contender('ours', around(1.2)), contender('limit', around(1))));
  assert.equal(met.state, 'met');
  assert.ok(Math.abs((met.measured ?? 0) - 1.2) < 0.001);
  const missed = judge(atMost, evidence(contender('ours', around(1.5)), contender('limit', around(1))));
  assert.equal(missed.state, 'missed');
  assert.equal(missed.detail, 'by 11 %');
});

test('a promise of at least so much is judged from the other side', () => {
  const atLeast: Limit = { contender: 'ours', measure: 'seconds', relation: 'at-least', bound: 2, source: 'design' };
  assert.equal(judge(atLeast, evidence(contender('ours', around(2.2)))).state, 'met');
  const missed = judge(atLeast, evidence(contender('ours', around(1.5))));
  assert.equal(missed.state, 'missed');
  assert.equal(missed.detail, 'by 25 %');
});

test('nothing is concluded when the bound lies inside the interval', () => {
  const unrelated = [1.02, 0.98, 1, 1, 0.99, 1, 1.01];
  const result = judge(atMost, evidence(contender('ours', around(1.35)), contender('limit', unrelated)));
  assert.equal(result.state, 'too-wide');
  assert.equal(result.detail, 'the bound lies inside the interval');
});

test('nothing is concluded from runs that spread more than the bench allows, however far the bound is', () => {
  const unsteady = [0.1, 0.3, 0.1, 0.3, 0.1, 0.3, 0.2];
  const result = judge(atMost, evidence(contender('ours', unsteady), contender('limit', around(1))));
  assert.equal(result.state, 'too-wide');
  assert.match(result.detail, /spread by 74 %, more than the 15 % allowed/);
});

test('a promise about a rival that is missing is not measured, and says how to get the rival', () => {
  const missing = 'pgloader is not installed (Debian: apt-get install pgloader)';
  const rival: ContenderResult = { name: 'limit', kind: 'rival', isolated: false, missing, samples: {} };
  const result = judge(atMost, evidence(contender('ours', around(1)), rival));
  assert.equal(result.state, 'not-measured');
  assert.equal(result.detail, missing);
  assert.equal(result.measured, undefined);
});

test('a promise for another scale, a figure that cannot be read, and a ratio to zero are not measured', () => {
  const sides = evidence(contender('ours', around(1)), contender('limit', [0, 0, 0, 0, 0, 0, 0]));
  assert.equal(judge({ ...atMost, scales: ['large'] }, sides).detail, 'promised for scale large');
  assert.equal(judge({ ...atMost, measure: 'peakRssBytes' }, sides).detail, 'peakRssBytes of ours cannot be read on this machine');
  assert.equal(judge(atMost, sides).detail, 'seconds of limit is 0: too small for the clock that measures it');
});

test('a promise about nobody is a mistake in the bench', () => {
  assert.throws(() => judge(atMost, evidence(contender('ours', around(1)))), /"limit", which was no contender/);
});
