import type { Clock } from '@safekeep/core';

/** How long each part of a run took, by name, in seconds. */
export class Phases {
  readonly seconds: Record<string, number> = {};
  readonly #clock: Clock;
  readonly #startedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.elapsedMs();
  }

  async measure<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const startedMs = this.#clock.elapsedMs();
    try {
      return await work();
    } finally {
      this.seconds[name] = rounded((this.#clock.elapsedMs() - startedMs) / 1_000);
    }
  }

  total(): number {
    return rounded((this.#clock.elapsedMs() - this.#startedMs) / 1_000);
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
