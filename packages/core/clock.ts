/**
 * The only way product code asks what time it is, so that a test can say what it is.
 *
 * `now` is wall time (it may step back when the machine's clock is set); `elapsedMs` never steps back and is
 * what durations are measured with.
 */
export type Clock = {
  readonly now: () => Date;
  readonly elapsedMs: () => number;
};

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  elapsedMs: () => performance.now(),
};

/** A clock that stands still until it is moved. For tests and for replaying history. */
export function fixedClock(startIso: string): Clock & { advanceMs: (ms: number) => void; set: (iso: string) => void } {
  let wallMs = Date.parse(startIso);
  let elapsedMs = 0;
  return {
    now: () => new Date(wallMs),
    elapsedMs: () => elapsedMs,
    advanceMs: (ms) => {
      wallMs += ms;
      elapsedMs += ms;
    },
    set: (iso) => {
      wallMs = Date.parse(iso);
    },
  };
}
