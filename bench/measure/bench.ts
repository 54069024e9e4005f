/**
 * The shape of a bench: one file bench/NAME.ts that exports `bench`. bench/README.md shows how to write one.
 */
export type Bench<Fixture = unknown> = {
  /** What a reader learns from the figures, in one sentence. */
  readonly question: string;
  /** What is counted, in the plural: `tables`, `jobs`. Every contender of a run must do the same number of them. */
  readonly unit: string;
  /** How many units a run works on; contenders find it as `context.size`. */
  readonly sizes: Readonly<Record<Scale, number>>;
  /** Rounds run first and thrown away: caches, JIT and the server's plans settle in them. Default 1. */
  readonly warmups?: number;
  /** Default 7. */
  readonly runs?: number;
  /** Relative spread (see statistics.ts) above which no limit is judged. Default 0.15. */
  readonly spreadLimit?: number;
  /** A single run that takes longer is a broken bench. Default 600. */
  readonly runLimitSeconds?: number;
  /** Makes what the contenders share, before any of them is prepared: a server, a filled database, a file. */
  stage?(context: StageContext): Promise<Stage<Fixture>>;
  readonly contenders: readonly Contender<Fixture>[];
  readonly limits: readonly Limit[];
};

export const scales = ['small', 'medium', 'large'] as const;
export type Scale = (typeof scales)[number];

export type StageContext = { readonly scale: Scale; readonly size: number; readonly seed: number };

export type Stage<Fixture> = {
  /** Plain JSON: it crosses into the child processes of isolated contenders. */
  readonly fixture: Fixture;
  /** What the figures stand on, e.g. `PostgreSQL 18.4`. */
  readonly version?: string;
  readonly close: () => Promise<void>;
};

export type Contender<Fixture = unknown> = {
  readonly name: string;
  /** `limit` is the least that could do the work at all, e.g. the bare driver: how near we come to it is the question. */
  readonly kind: 'ours' | 'rival' | 'limit';
  /** A child process of its own, alive for the whole bench, so that memory and JIT do not mix. Needed to judge memory. */
  readonly isolate?: boolean;
  /** `true`, or why it cannot run here and how to install it. Default: always there. */
  readonly available?: () => Promise<true | string>;
  /** What was measured, e.g. `PostgreSQL 15.19 (Debian)`. Asked only when available. */
  readonly version?: () => Promise<string>;
  // A method, not a property: only methods let a bench with a typed fixture stand in the list of all benches.
  /** Once per bench, in the process that will run it. Not timed. */
  prepare(context: ContenderContext<Fixture>): Promise<Prepared>;
};

export type ContenderContext<Fixture> = StageContext & {
  readonly fixture: Fixture;
  /**
   * Counts the process and its children into CPU and memory of this contender until it ends. Needed only for what is
   * not a child of this process: a server that was running before, or one that made itself a daemon.
   */
  readonly watch: (pid: number) => void;
};

export type Prepared = {
  /** Before and after every run, not timed. `afterRun` is left out when the run failed: `close` must cope with that. */
  readonly beforeRun?: () => Promise<void>;
  readonly run: () => Promise<Work>;
  readonly afterRun?: () => Promise<void>;
  readonly close?: () => Promise<void>;
};

export type Work = {
  readonly units: number;
  /** Figures only the contender knows, e.g. `{ p99Ms: 4.2 }`; a limit names one as `extra.p99Ms`. */
  readonly extra?: Readonly<Record<string, number>>;
};

export type Measure = 'seconds' | 'unitsPerSecond' | 'cpuSeconds' | 'peakRssBytes' | 'peakPssBytes' | `extra.${string}`;

/** A figure promised by the design: `contender measure relation bound [x the same of against]`. */
export type Limit = {
  readonly contender: string;
  readonly measure: Measure;
  readonly relation: 'at-most' | 'at-least';
  /** In the unit of the measure, or a ratio when `against` is given. */
  readonly bound: number;
  /** Another contender of the same run. */
  readonly against?: string;
  /** The scales the promise was made for. Default: all. */
  readonly scales?: readonly Scale[];
  /** Where the promise stands: an issue or a design page. */
  readonly source: string;
};

/** Ties the fixture's type of `stage` to that of every contender. */
export function defineBench<Fixture>(bench: Bench<Fixture>): Bench {
  return bench;
}

/** Mistakes in a definition that would make figures or verdicts wrong, as sentences; none when it is sound. */
export function faultsOf(bench: Bench): readonly string[] {
  const names = bench.contenders.map((contender) => contender.name);
  const doubled = names.filter((name, place) => names.indexOf(name) !== place);
  return [
    ...doubled.map((name) => `Two contenders are named "${name}".`),
    ...bench.limits.flatMap((limit) => faultsOfLimit(limit, bench.contenders)),
  ];
}

const MEMORY: readonly Measure[] = ['peakRssBytes', 'peakPssBytes'];

function faultsOfLimit(limit: Limit, contenders: readonly Contender[]): readonly string[] {
  const involved = [limit.contender, ...(limit.against === undefined ? [] : [limit.against])];
  return involved.flatMap((name) => {
    const contender = contenders.find((candidate) => candidate.name === name);
    if (contender === undefined) return [`A limit names "${name}", which is no contender.`];
    if (MEMORY.includes(limit.measure) && contender.isolate !== true) {
      return [`A limit on the memory of "${name}" needs \`isolate: true\`: in one process the memory of all is mixed.`];
    }
    return [];
  });
}
