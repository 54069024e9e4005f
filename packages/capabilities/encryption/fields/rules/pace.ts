import type { PageRange } from '../model.ts';

/** Rows of one transaction: long enough to be quick, short enough that locks and a lost batch cost little. */
export const BATCH_ROWS = 5_000;
/** Where nothing is known of the table yet. */
const PAGES_UNKNOWN = 64;
const PAGES_AT_MOST = 4_096;

/** Pages that hold about one batch. */
export function batchPages({ pages, rows }: { readonly pages: number; readonly rows: number }): number {
  if (pages === 0 || rows === 0) return PAGES_UNKNOWN;
  return Math.max(1, Math.min(PAGES_AT_MOST, Math.floor((BATCH_ROWS * pages) / rows)));
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

/** Replicas further behind than this are waited for. */
const LAG_SECONDS = 10;
const LAG_PAUSE_MS = 1_000;
/** A batch that takes so many times the quickest one shows that others need the server. */
const STRAINED = 4;
const STRAIN_PAUSE_MS = 1_000;

/** How long to leave the server alone after a batch. */
export function pauseMs(batch: {
  readonly tookMs: number;
  readonly quickestMs: number;
  readonly lagSeconds: number | null;
}): number {
  if (batch.lagSeconds !== null && batch.lagSeconds > LAG_SECONDS) return LAG_PAUSE_MS;
  return batch.tookMs > batch.quickestMs * STRAINED ? Math.min(batch.tookMs, STRAIN_PAUSE_MS) : 0;
}
