import type { Limit, Measure, Scale } from './bench.ts';
import type { ContenderResult, LimitResult } from './result.ts';
import { median, medianInterval, ratioInterval, relativeSpread, seededRandom, type Interval } from './statistics.ts';

export type Evidence = {
  readonly contenders: readonly ContenderResult[];
  readonly scale: Scale;
  /** Relative spread of the runs above which nothing is concluded. */
  readonly spreadLimit: number;
  /** Of the resampling: the same runs give the same verdict again. */
  readonly seed: number;
};

type Finding = { readonly measured: number; readonly interval: Interval; readonly spread: number };

/** Whether a promise was kept in these runs: only said where the whole interval lies on one side of the bound. */
export function judge(limit: Limit, evidence: Evidence): LimitResult {
  const finding =
    limit.scales?.includes(evidence.scale) === false ? `promised for scale ${limit.scales.join(', ')}` : find(limit, evidence);
  if (typeof finding === 'string') return { ...limit, state: 'not-measured', detail: finding };
  const { measured, interval, spread } = finding;
  const [best, worst] = limit.relation === 'at-most' ? [interval.low, interval.high] : [interval.high, interval.low];
  if (spread > evidence.spreadLimit) {
    const detail = `the runs spread by ${percent(spread)}, more than the ${percent(evidence.spreadLimit)} allowed here`;
    return { ...limit, state: 'too-wide', measured, interval, detail };
  }
  if (keeps(limit, worst)) return { ...limit, state: 'met', measured, interval, detail: '' };
  if (keeps(limit, best)) return { ...limit, state: 'too-wide', measured, interval, detail: 'the bound lies inside the interval' };
  const detail = `by ${percent(Math.abs(measured / limit.bound - 1))}`;
  return { ...limit, state: 'missed', measured, interval, detail };
}

function keeps(limit: Limit, value: number): boolean {
  return limit.relation === 'at-most' ? value <= limit.bound : value >= limit.bound;
}

/** The figure of a limit, or why there is none. */
function find(limit: Limit, { contenders, seed }: Evidence): Finding | string {
  const random = seededRandom(seed);
  const ours = samplesOf(limit.contender, limit.measure, contenders);
  if (typeof ours === 'string') return ours;
  if (limit.against === undefined) {
    return { measured: median(ours), interval: medianInterval(ours, random), spread: relativeSpread(ours) };
  }
  const theirs = samplesOf(limit.against, limit.measure, contenders);
  if (typeof theirs === 'string') return theirs;
  if (median(theirs) === 0) return `${limit.measure} of ${limit.against} is 0: too small for the clock that measures it`;
  return {
    measured: median(ours) / median(theirs),
    interval: ratioInterval(ours, theirs, random),
    spread: Math.max(relativeSpread(ours), relativeSpread(theirs)),
  };
}

function samplesOf(name: string, measure: Measure, contenders: readonly ContenderResult[]): readonly number[] | string {
  const contender = contenders.find((candidate) => candidate.name === name);
  if (contender === undefined) throw new Error(`A limit names "${name}", which was no contender.`);
  if (contender.missing !== undefined) return contender.missing;
  return contender.samples[measure] ?? `${measure} of ${name} cannot be read on this machine`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
