import type { Contender, Limit, Measure, Scale } from './bench.ts';
import type { Machine } from './machine.ts';
import type { Interval } from './statistics.ts';

/** What stands in bench/results/NAME.SCALE.json and is printed by `--json`. */
export type BenchResult = {
  readonly bench: string;
  readonly question: string;
  readonly scale: Scale;
  readonly size: number;
  readonly unit: string;
  readonly runs: number;
  readonly warmups: number;
  readonly seed: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly commit: string;
  readonly node: string;
  /** Of what all contenders stand on. */
  readonly stageVersion?: string;
  readonly machine: Machine;
  readonly contenders: readonly ContenderResult[];
  readonly limits: readonly LimitResult[];
};

export type ContenderResult = {
  readonly name: string;
  readonly kind: Contender['kind'];
  readonly isolated: boolean;
  readonly version?: string;
  /** Why it was not measured. Then `samples` is empty. */
  readonly missing?: string;
  /** One value per run, in the order of the rounds. */
  readonly samples: Readonly<Partial<Record<Measure, readonly number[]>>>;
};

export type LimitResult = Limit & {
  readonly state: 'met' | 'missed' | 'too-wide' | 'not-measured';
  /** The median, or the ratio of the medians. */
  readonly measured?: number;
  /** Where it lies with 95 % confidence. */
  readonly interval?: Interval;
  /** By how much it was missed, or why it could not be judged. */
  readonly detail: string;
};
