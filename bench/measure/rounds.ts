import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '@safekeep/core';
import type { Bench, Contender, Scale, Stage, StageContext } from './bench.ts';
import type { TreeUsage } from './process-tree.ts';
import { runHere, runIsolated, type Runner, type Timed } from './runner.ts';
import { Sampler } from './sampler.ts';
import { seededRandom, shuffled } from './statistics.ts';

export type RoundsOptions = {
  /** Of the bench: isolated contenders are loaded from it anew. */
  readonly file: string;
  readonly contenders: readonly Contender[];
  readonly scale: Scale;
  readonly runs: number;
  readonly warmups: number;
  readonly seed: number;
  readonly clock: Clock;
  /** Checked between runs. */
  readonly signal: AbortSignal;
  /** One line for each round. */
  readonly say: (line: string) => void;
};

/** `usage` is missing where there is no /proc. */
export type Run = Timed & { readonly usage?: TreeUsage };

/** The runs of each contender: the n-th of all come from the same round. */
export type Rounds = ReadonlyMap<Contender, readonly Run[]>;

export type Played = { readonly rounds: Rounds; readonly stageVersion?: string };

const DEFAULT_RUN_LIMIT_SECONDS = 600;

/**
 * Sets the stage, runs the contenders in rounds, and takes everything down again whatever happened. Each round runs
 * each of them once, in random order, so that what changes on the machine meanwhile strikes all alike.
 *
 * @throws whatever a contender throws: a bench that does not run through gives no figures.
 */
export async function runRounds(bench: Bench, options: RoundsOptions): Promise<Played> {
  const context: StageContext = { scale: options.scale, size: bench.sizes[options.scale], seed: options.seed };
  await using down = new AsyncDisposableStack();
  const sampler = Sampler.open();
  down.defer(async () => sampler?.close());
  const stage: Stage<unknown> = (await bench.stage?.(context)) ?? emptyStage;
  down.defer(stage.close);
  const runners: Runner[] = [];
  for (const contender of options.contenders) {
    const runner = await openRunner({ ...options, contender, context: { ...context, fixture: stage.fixture } }, sampler);
    down.defer(runner.close);
    runners.push(runner);
  }
  const limitSeconds = bench.runLimitSeconds ?? DEFAULT_RUN_LIMIT_SECONDS;
  const rounds = await interleave(runners, { ...options, sampler, limitSeconds });
  return { rounds, ...(stage.version === undefined ? {} : { stageVersion: stage.version }) };
}

const emptyStage: Stage<null> = { fixture: null, close: async () => {} };

type RunnerOptions = Pick<RoundsOptions, 'file' | 'clock'> & {
  readonly contender: Contender;
  readonly context: StageContext & { readonly fixture: unknown };
};

async function openRunner(options: RunnerOptions, sampler: Sampler | undefined): Promise<Runner> {
  const onWatch = (pid: number): void => {
    // Should the sampler be gone, the end of this run says so.
    sampler?.watch(pid).catch(() => undefined);
  };
  return options.contender.isolate === true
    ? await runIsolated(options.file, { ...options, onWatch })
    : await runHere({ ...options, onWatch });
}

type Interleaving = RoundsOptions & { readonly sampler: Sampler | undefined; readonly limitSeconds: number };

async function interleave(runners: readonly Runner[], options: Interleaving): Promise<Rounds> {
  const { runs, warmups, signal, say } = options;
  const random = seededRandom(options.seed);
  const rounds = new Map(runners.map((runner) => [runner.contender, new Array<Run>()]));
  for (let round = 1 - warmups; round <= runs; round += 1) {
    const seen: string[] = [];
    for (const runner of shuffled(runners, random)) {
      signal.throwIfAborted();
      const run = await runOnce(runner, runners, options);
      if (round > 0) rounds.get(runner.contender)?.push(run);
      seen.push(`${runner.contender.name} ${run.seconds.toPrecision(3)} s`);
    }
    say(`${round > 0 ? `round ${round}/${runs}` : 'warm-up'}: ${seen.join(', ')}`);
  }
  return rounds;
}

async function runOnce(runner: Runner, all: readonly Runner[], options: Interleaving): Promise<Run> {
  const { sampler, limitSeconds } = options;
  await runner.ready();
  const ofOthers = all.flatMap((other) => [...other.roots]).filter((pid) => !runner.roots.has(pid));
  await sampler?.start([...runner.roots], ofOthers);
  const timed = await withinLimit(runner, limitSeconds);
  const usage = await sampler?.finish();
  await runner.afterRun();
  if (!(Number.isFinite(timed.work.units) && timed.work.units > 0)) {
    throw new Error(`A run of "${runner.contender.name}" did no work (${timed.work.units} units).`);
  }
  if (usage === undefined) return timed;
  // A server that this run started and stopped is gone; its number may come back as another process.
  for (const pid of runner.roots) if (!usage.alive.includes(pid)) runner.roots.delete(pid);
  return { ...timed, usage };
}

async function withinLimit(runner: Runner, limitSeconds: number): Promise<Timed> {
  const stop = new AbortController();
  const tooLong = wait(limitSeconds * 1000, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`A run of "${runner.contender.name}" took more than ${limitSeconds} s.`);
  });
  try {
    return await Promise.race([runner.run(), tooLong]);
  } finally {
    stop.abort();
  }
}
