import { readdirSync, readFileSync } from 'node:fs';

/** What a tree of processes used between `start` and `finish` of a meter. */
export type TreeUsage = {
  /** User and system time, of ended children too. Linux counts in steps of 10 ms. */
  readonly cpuSeconds: number;
  /** Largest sum of resident memory seen. Pages that processes share are counted in each. Peaks between samples are not seen. */
  readonly peakRssBytes: number;
  /** The same with shared pages split among their users: the true figure. Absent where /proc/PID/smaps_rollup is closed to us. */
  readonly peakPssBytes?: number;
  readonly samples: number;
  /** Those of the roots that live on. */
  readonly alive: readonly number[];
};

type ProcessRow = {
  readonly pid: number;
  readonly parent: number;
  /** Its own time and that of its ended and awaited children. */
  readonly cpuTicks: number;
  /** Since boot. */
  readonly startTicks: number;
};

// USER_HZ: the unit of times in /proc, 100 in the ABI of every architecture Node runs on (proc_pid_stat(5)).
const TICKS_PER_SECOND = 100;

/** Reads CPU and memory of the processes below some roots out of Linux's /proc. */
export class TreeMeter {
  readonly #roots: Set<number>;
  readonly #excluded: ReadonlySet<number>;
  readonly #startTicks: number;
  /** Last sight of each root: what a daemon used that ended before `finish`. */
  readonly #lastSeen = new Map<number, ProcessRow>();
  #ticksBefore: number;
  #samples = 0;
  #peakRssBytes = 0;
  #peakPssBytes: number | undefined = 0;

  /** `excluded` processes and all below them do not count. */
  constructor(roots: readonly number[], excluded: readonly number[]) {
    this.#roots = new Set(roots);
    this.#excluded = new Set(excluded);
    this.#startTicks = uptimeTicks();
    this.#ticksBefore = ticksOf(this.sample({ pss: true }));
  }

  /** Another root. What it used before the meter started does not count. */
  watch(pid: number): void {
    if (this.#roots.has(pid)) return;
    const older = treeBelow([pid], this.#excluded).filter((row) => row.startTicks < this.#startTicks);
    this.#ticksBefore += ticksOf(older);
    this.#roots.add(pid);
  }

  /** PSS makes the kernel walk every page table, so it is not asked for at every sample. Returns the tree as it stands. */
  sample(options: { readonly pss: boolean }): readonly ProcessRow[] {
    const tree = treeBelow([...this.#roots], this.#excluded);
    for (const row of tree) if (this.#roots.has(row.pid)) this.#lastSeen.set(row.pid, row);
    this.#samples += 1;
    this.#peakRssBytes = Math.max(this.#peakRssBytes, sum(tree.map((row) => rssBytes(row.pid))));
    if (options.pss && this.#peakPssBytes !== undefined) this.#peakPssBytes = larger(this.#peakPssBytes, pssOf(tree));
    return tree;
  }

  finish(): TreeUsage {
    const tree = this.sample({ pss: true });
    const alive = new Set(tree.map((row) => row.pid));
    // Of a root that ended the time is known from its last sight, unless its parent is in the tree and has inherited it.
    const lost = [...this.#lastSeen.values()].filter((row) => !alive.has(row.pid) && !alive.has(row.parent));
    const ticks = ticksOf(tree) + ticksOf(lost) - this.#ticksBefore;
    return {
      cpuSeconds: ticks / TICKS_PER_SECOND,
      peakRssBytes: this.#peakRssBytes,
      ...(this.#peakPssBytes === undefined ? {} : { peakPssBytes: this.#peakPssBytes }),
      samples: this.#samples,
      alive: [...this.#roots].filter((pid) => alive.has(pid)),
    };
  }
}

/** The parent of a process, e.g. the postmaster of a backend. `undefined` when there is no such process. */
export function parentOf(pid: number): number | undefined {
  return readProcess(pid)?.parent;
}

/** Processes that live below the roots, the roots first. Not there on systems without /proc. */
function treeBelow(roots: readonly number[], excluded: ReadonlySet<number>): readonly ProcessRow[] {
  const rows = new Map(allProcesses().map((row) => [row.pid, row]));
  const children = Map.groupBy(rows.values(), (row) => row.parent);
  const tree = new Map<number, ProcessRow>();
  const waiting = roots.flatMap((pid) => rows.get(pid) ?? []);
  for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
    if (tree.has(row.pid) || excluded.has(row.pid)) continue;
    tree.set(row.pid, row);
    waiting.push(...(children.get(row.pid) ?? []));
  }
  return [...tree.values()];
}

function allProcesses(): readonly ProcessRow[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => readProcess(Number(pid)) ?? []);
}

function readProcess(pid: number): ProcessRow | undefined {
  const text = readOrGone(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The program's name stands in brackets and may hold spaces and brackets itself; the fields after it are numbers.
  // Field 3 of proc_pid_stat(5) is the first of them.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid,
    parent: field(4),
    cpuTicks: field(14) + field(15) + field(16) + field(17),
    startTicks: field(22),
  };
}

function rssBytes(pid: number): number {
  return kilobytes(readOrGone(`/proc/${pid}/status`) ?? '', 'VmRSS') ?? 0;
}

/** `undefined` when this user may not know. A process that ended in the meantime has none. */
function pssBytes(pid: number): number | undefined {
  try {
    return kilobytes(readOrGone(`/proc/${pid}/smaps_rollup`) ?? '', 'Pss') ?? 0;
  } catch (error) {
    if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') return undefined;
    throw error;
  }
}

/** Of the whole tree; `undefined` when that of one member may not be known. */
function pssOf(tree: readonly ProcessRow[]): number | undefined {
  const each = tree.map((row) => pssBytes(row.pid));
  return each.includes(undefined) ? undefined : sum(each.map((bytes) => bytes ?? 0));
}

function larger(peak: number, now: number | undefined): number | undefined {
  return now === undefined ? undefined : Math.max(peak, now);
}

function kilobytes(text: string, key: string): number | undefined {
  const found = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

/** A process can end between the look at the list and the look at it; that is no error. */
function readOrGone(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** Rounded down: who was born in the tick in which the meter started belongs to the run. */
function uptimeTicks(): number {
  return Math.floor(Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * TICKS_PER_SECOND);
}

function ticksOf(rows: readonly ProcessRow[]): number {
  return sum(rows.map((row) => row.cpuTicks));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
