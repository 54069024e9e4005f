/** The rhythms of a worker. Tests make them faster; nothing in them is measured with a wall clock. */
export type Timing = {
  /** Between looks for new work when there was none. */
  readonly pollMs: number;
  /** Between heartbeats; also how soon a cancelled job hears of it and how often progress is written. */
  readonly beatMs: number;
  /**
   * Looks, one per heartbeat, at which a heartbeat may stand still before its worker counts as lost. They are counted, not
   * timed: while the database is down nobody looks, and after it is back every living worker has this many beats to show itself.
   */
  readonly lostAfterLooks: number;
  /** For jobs to reach their next checkpoint once the worker drains. */
  readonly drainMs: number;
  /** For a handler to obey its aborted signal; then its slot is given to another job, and what it still writes is refused. */
  readonly graceMs: number;
  /** Between looks at the schedules. A scheduled job starts at most this late, twice: once to notice, once to hand it on. */
  readonly cronSeconds: number;
};

/**
 * A job of a worker that was killed is taken up after 6 to 7 seconds. Shorter would take jobs from workers that merely
 * collect garbage or lose their network for a moment; a needless second start is harmless but repeats work.
 */
export const defaultTiming: Timing = {
  pollMs: 500,
  beatMs: 1_000,
  lostAfterLooks: 6,
  drainMs: 20_000,
  graceMs: 5_000,
  cronSeconds: 5,
};

/** After an error of the database: long enough not to storm a server that is starting, short enough to be back at once. */
export const PAUSE_AFTER_ERROR_MS = 500;
/** A job that cannot be started this moment is looked at again then. */
export const POSTPONE_MS = 1_000;
/** A payload newer than this worker: during a rolling upgrade a newer worker takes it. */
export const POSTPONE_NEWER_MS = 10_000;
