import type { Bench, Contender, Measure } from './bench.ts';
import { readCommit, readMachine } from './machine.ts';
import type { TreeUsage } from './process-tree.ts';
import type { BenchFile } from './registry.ts';
import type { BenchResult, ContenderResult } from './result.ts';
import { runRounds, type Played, type Rounds, type RoundsOptions, type Run } from './rounds.ts';
import { median } from './statistics.ts';
import { judge } from './verdict.ts';

export type MeasureOptions = Pick<RoundsOptions, 'scale' | 'seed' | 'clock' | 'signal' | 'say'> & {
  /** Overrides what the bench says. */
  readonly runs?: number;
};

const DEFAULT_RUNS = 7;
const DEFAULT_WARMUPS = 1;
const DEFAULT_SPREAD_LIMIT = 0.15;

/** Runs the contenders that are there, and judges every promise of the bench; one that cannot be judged says why. */
export async function measure({ name, file }: BenchFile, bench: Bench, options: MeasureOptions): Promise<BenchResult> {
  const { scale, seed, clock } = options;
  const machine = readMachine();
  const plan = { runs: options.runs ?? bench.runs ?? DEFAULT_RUNS, warmups: bench.warmups ?? DEFAULT_WARMUPS };
  const absent = await absentContenders(bench.contenders);
  const present = bench.contenders.filter((contender) => !absent.has(contender));
  const { rounds, stageVersion }: Played =
    present.length === 0 ? { rounds: new Map() } : await runRounds(bench, { ...options, ...plan, file, contenders: present });
  refuseUnequalWork(bench, rounds);
  const contenders = await Promise.all(
    bench.contenders.map((contender) => resultOf(contender, rounds.get(contender) ?? [], absent.get(contender))),
  );
  const evidence = { contenders, scale, spreadLimit: bench.spreadLimit ?? DEFAULT_SPREAD_LIMIT, seed };
  return {
    bench: name,
    question: bench.question,
    scale,
    size: bench.sizes[scale],
    unit: bench.unit,
    ...plan,
    seed,
    at: clock.now().toISOString(),
    commit: await readCommit(import.meta.dirname),
    node: process.version,
    ...(stageVersion === undefined ? {} : { stageVersion }),
    machine,
    contenders,
    limits: bench.limits.map((limit) => judge(limit, evidence)),
  };
}

async function absentContenders(contenders: readonly Contender[]): Promise<ReadonlyMap<Contender, string>> {
  const absent = new Map<Contender, string>();
  for (const contender of contenders) {
    const available = (await contender.available?.()) ?? true;
    if (available !== true) absent.set(contender, available);
  }
  return absent;
}

/** A ratio of times, CPU or memory says something only where both sides did the same; rates may differ in length. */
function refuseUnequalWork(bench: Bench, rounds: Rounds): void {
  const unitsOf = (name: string): number | undefined => {
    const runs = [...rounds].find(([contender]) => contender.name === name)?.[1];
    return runs && median(runs.map((run) => run.work.units));
  };
  for (const { contender, against, measure: figure } of bench.limits) {
    if (against === undefined || figure === 'unitsPerSecond' || figure.startsWith('extra.')) continue;
    const [ours, theirs] = [unitsOf(contender), unitsOf(against)];
    if (ours === undefined || theirs === undefined || ours === theirs) continue;
    throw new Error(`"${contender}" did ${ours} ${bench.unit} and "${against}" ${theirs}: their ${figure} cannot be compared.`);
  }
}

async function resultOf(contender: Contender, runs: readonly Run[], missing: string | undefined): Promise<ContenderResult> {
  const version = missing === undefined ? await contender.version?.() : undefined;
  return {
    name: contender.name,
    kind: contender.kind,
    isolated: contender.isolate === true,
    ...(version === undefined ? {} : { version }),
    ...(missing === undefined ? {} : { missing }),
    samples: samplesOf(runs),
  };
}

function samplesOf(runs: readonly Run[]): ContenderResult['samples'] {
  const figures = Map.groupBy(runs.flatMap(figuresOf), ([figure]) => figure);
  // A figure that not every run gave would put rounds side by side that do not belong together.
  const whole = [...figures].filter(([, values]) => values.length === runs.length);
  return Object.fromEntries(whole.map(([figure, values]) => [figure, values.map(([, value]) => rounded(value))]));
}

function figuresOf({ seconds, work, usage }: Run): readonly (readonly [Measure, number])[] {
  return [
    ['seconds', seconds],
    ['unitsPerSecond', work.units / seconds],
    ...(usage === undefined ? [] : usageFigures(usage)),
    ...Object.entries(work.extra ?? {}).map(([figure, value]) => [`extra.${figure}`, value] as const),
  ];
}

function usageFigures({ cpuSeconds, peakRssBytes, peakPssBytes }: TreeUsage): readonly (readonly [Measure, number])[] {
  return [
    ['cpuSeconds', cpuSeconds],
    ['peakRssBytes', peakRssBytes],
    ...(peakPssBytes === undefined ? [] : [['peakPssBytes', peakPssBytes] as const]),
  ];
}

/** Six digits: more than any of these clocks knows, few enough to read a difference of two result files. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
