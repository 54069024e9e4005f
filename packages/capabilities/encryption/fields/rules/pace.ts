import type { PageRange } from '../model.ts';

/** Rows of one transaction: long enough to be quick, short enough that locks and a lost batch cost little. */
export const BATCH_ROWS = 5_000;
/** Where several columns are worked on at once a batch has fewer rows, as many values, and no fewer than this. */
const FEWEST_ROWS = 1_000;
/** Of values, plain and sealed, that are in memory at once: several times as much for each of two workers. */
export const BATCH_BYTES = 16 * 1_048_576;
/** Where nothing is known of the table yet. */
const PAGES_UNKNOWN = 64;
const PAGES_AT_MOST = 4_096;

/** Pages that hold about one batch. */
export function batchPages({ pages, rows }: { readonly pages: number; readonly rows: number }, columns = 1): number {
  if (pages === 0 || rows === 0) return PAGES_UNKNOWN;
  const batchRows = Math.max(FEWEST_ROWS, Math.floor(BATCH_ROWS / columns));
  return Math.max(1, Math.min(PAGES_AT_MOST, Math.floor((batchRows * pages) / rows)));
}

/** Hands out ranges of pages in order, to several who work at once, and knows below which page all is done. */
export class PageWalk {
  readonly #end: number;
  readonly #step: number;
  readonly #open = new Set<number>();
  #next: number;

  constructor({ from, to }: PageRange, step: number) {
    this.#next = from;
    this.#end = to;
    this.#step = step;
  }

  take(): PageRange | undefined {
    if (this.#next >= this.#end) return undefined;
    const range = { from: this.#next, to: Math.min(this.#next + this.#step, this.#end) };
    this.#next = range.to;
    this.#open.add(range.from);
    return range;
  }

  /** Answers the page below which everything is done. */
  finish({ from }: PageRange): number {
    this.#open.delete(from);
    return Math.min(this.#next, ...this.#open);
  }
}

/** How far the slowest replica is behind; null where there is none, or where this login may not see it. */
export type ReplicaLag = { readonly seconds: number | null; readonly bytes: number } | null;

/**
 * Replicas further behind than this are given time: a batch a second, so that one that is behind by intent (delayed replay) slows
 * the work and does not stop it. Time is what the server measured last; of a replica that has stopped replaying it hears nothing
 * new, and only the bytes tell.
 */
const LAG_SECONDS = 10;
const LAG_BYTES = 128 * 1_048_576;
const LAG_PAUSE_MS = 1_000;

export function isBehind(lag: ReplicaLag): boolean {
  return lag !== null && ((lag.seconds ?? 0) > LAG_SECONDS || lag.bytes > LAG_BYTES);
}
/** Rows that take so many times as long as in the quickest batch show that others need the server. */
const STRAINED = 4;
const STRAIN_PAUSE_MS = 1_000;

/** Transactions of others in the database, a second, from which on it counts as in use. Our own are about ten. */
const BUSY_COMMITS = 50;
/** So many times as long as a batch took each of our two workers leaves the server alone while others use it: they keep most of it. */
const BUSY_PAUSES = 2;

/** What the server's counters said at a moment; each session adds its own about once a second. */
export type Commits = { readonly count: number; readonly atMs: number };
export const COMMITS_EVERY_MS = 1_000;

export function isBusy(before: Commits, now: Commits): boolean {
  const seconds = (now.atMs - before.atMs) / 1_000;
  return seconds > 0 && (now.count - before.count) / seconds > BUSY_COMMITS;
}

export type BatchPace = {
  readonly tookMs: number;
  readonly rows: number;
  /** Of the quickest batch, for one row: batches differ in how many they have. */
  readonly quickestRowMs: number;
  readonly lag: ReplicaLag;
  /** Others use the database. */
  readonly busy: boolean;
};

/** How long to leave the server alone after a batch. */
export function pauseMs({ tookMs, rows, quickestRowMs, lag, busy }: BatchPace): number {
  if (isBehind(lag)) return LAG_PAUSE_MS;
  if (busy) return Math.min(tookMs * BUSY_PAUSES, STRAIN_PAUSE_MS);
  return tookMs > rows * quickestRowMs * STRAINED ? Math.min(tookMs, STRAIN_PAUSE_MS) : 0;
}
