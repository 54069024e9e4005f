import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixedClock } from '@safekeep/core';
import type { Bench, Contender } from './bench.ts';
import { measure } from './measure.ts';
import { seededRandom } from './statistics.ts';

type Story = {
  /** Mean duration of a run, by contender. */
  readonly durations: Readonly<Record<string, number>>;
  /** Share by which a run may be longer or shorter. */
  readonly noise: number;
  readonly seed: number;
  readonly bench?: Partial<Bench>;
};

/** Measures contenders that take the time they are told to, on a clock that they move: the statistics without the weather. */
async function measureStory({ durations, noise, seed, bench: overrides }: Story) {
  const clock = fixedClock('2026-11-21T00:00:00Z');
  const random = seededRandom(seed + 1000);
  const order: string[] = [];
  const contenders = Object.entries(durations).map(([name, seconds]): Contender => ({
    name,
    kind: name === 'ours' ? 'ours' : 'rival',
    prepare: async () => ({
      run: async () => {
        order.push(name);
        clock.advanceMs(seconds * 1000 * (1 + noise * (2 * random() - 1)));
        return { units: 10 };
      },
    }),
  }));
  const bench: Bench = {
    question: 'Told by a story.',
    unit: 'steps',
    sizes: { small: 1, medium: 10, large: 100 },
    contenders,
    limits: [],
    ...overrides,
  };
  const signal = new AbortController().signal;
  const options = { scale: 'medium', seed, clock, signal, say: () => {} } as const;
  return { result: await measure({ name: 'story', file: '' }, bench, options), order };
}

const equal = { contender: 'ours', measure: 'seconds', relation: 'at-most', against: 'rival', source: 'story' } as const;

test('A against A: the interval of the ratio holds 1.00 and stays within the noise, so nothing is claimed', async () => {
  const limits = [{ ...equal, bound: 1 }];
  const { result } = await measureStory({ durations: { ours: 1, rival: 1 }, noise: 0.1, seed: 1, bench: { limits } });
  const [limit] = result.limits;
  assert.equal(limit?.state, 'too-wide');
  assert.ok(limit.interval && limit.interval.low > 0.8 && limit.interval.low <= 1);
  assert.ok(limit.interval.high >= 1 && limit.interval.high < 1.25);
});

test('a contender that is twice as slow is found, with 2.00 inside the interval', async () => {
  const limits = [{ ...equal, bound: 1.35 }];
  const { result } = await measureStory({ durations: { ours: 2, rival: 1 }, noise: 0.05, seed: 3, bench: { limits } });
  const [limit] = result.limits;
  assert.equal(limit?.state, 'missed');
  assert.ok(limit.interval && limit.interval.low <= 2 && limit.interval.high >= 2 && limit.interval.low > 1.8);
});

test('every round runs each contender once, in an order that the seed decides, and warm-up rounds are thrown away', async () => {
  const story = { durations: { ours: 1, first: 2, second: 3 }, noise: 0, seed: 5, bench: { runs: 3, warmups: 2 } };
  const { result, order } = await measureStory(story);
  const rounds = Array.from({ length: 5 }, (_, round) => order.slice(round * 3, round * 3 + 3));
  for (const round of rounds) assert.deepEqual([...round].sort(), ['first', 'ours', 'second']);
  assert.ok(new Set(rounds.map((round) => round.join())).size > 2);
  assert.deepEqual((await measureStory(story)).order, order);
  for (const { name, samples } of result.contenders) {
    assert.equal(samples.seconds?.length, 3, name);
    assert.equal(samples.unitsPerSecond?.length, 3, name);
  }
});

test('a missing rival is told, and ours is measured without it', async () => {
  const absent: Contender = {
    name: 'rival',
    kind: 'rival',
    available: async () => 'not installed',
    prepare: () => assert.fail('it is not there'),
  };
  const ours: Contender = { name: 'ours', kind: 'ours', prepare: async () => ({ run: async () => ({ units: 1 }) }) };
  const bench = { contenders: [ours, absent], limits: [{ ...equal, bound: 2 }] };
  const { result } = await measureStory({ durations: {}, noise: 0, seed: 1, bench });
  assert.equal(result.contenders.find(({ name }) => name === 'rival')?.missing, 'not installed');
  assert.deepEqual(
    result.limits.map(({ state, detail }) => ({ state, detail })),
    [{ state: 'not-measured', detail: 'not installed' }],
  );
});

test('a run that did no work, and a ratio of unequal work, break the bench', async () => {
  const doing = (name: string, units: number): Contender => ({
    name,
    kind: 'ours',
    prepare: async () => ({ run: async () => ({ units }) }),
  });
  const story = { durations: {}, noise: 0, seed: 1 };
  await assert.rejects(measureStory({ ...story, bench: { contenders: [doing('ours', 0)] } }), /"ours" did no work/);
  await assert.rejects(
    measureStory({ ...story, bench: { contenders: [doing('ours', 10), doing('rival', 9)], limits: [{ ...equal, bound: 1 }] } }),
    /"ours" did 10 steps and "rival" 9: their seconds cannot be compared/,
  );
});

test('a run beyond its time limit breaks the bench, and everything is closed, the stage last', async () => {
  const closed: string[] = [];
  const hung: Contender = {
    name: 'ours',
    kind: 'ours',
    prepare: async () => ({ run: () => new Promise(() => {}), close: async () => void closed.push('contender') }),
  };
  const stage = async () => ({ fixture: null, close: async () => void closed.push('stage') });
  const bench = { contenders: [hung], stage, runLimitSeconds: 0.01 };
  await assert.rejects(measureStory({ durations: {}, noise: 0, seed: 1, bench }), /took more than 0.01 s/);
  assert.deepEqual(closed, ['contender', 'stage']);
});
