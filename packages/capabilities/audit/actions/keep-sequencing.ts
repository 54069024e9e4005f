import { setTimeout as wait } from 'node:timers/promises';
import { takeBaselines } from './take-baselines.ts';
import { BATCH_AT_MOST, sequence, type SequencerGround } from './sequence.ts';

/** From a commit to its signed checkpoint: at most this, what is left of it, and the batch itself. */
const PAUSE_MS = 200;
/** Another process works: it is looked after less often whether it still does. */
const STANDBY_MS = 1000;
/** After a failure; doubles up to the longest. */
const FAILED_MS = 500;
const FAILED_AT_MOST_MS = 30_000;
/** How often the use of keys is written down. */
const FLUSH_MS = 60_000;
/** An inbox that is large to look through is looked through less often: so much longer than that takes. */
const REST_FACTOR = 2;

/** After more than fits into a batch there is no time to rest: as many will have come meanwhile. */
function restAfter(events: number, tookMs: number): number {
  return events >= BATCH_AT_MOST ? 0 : Math.max(PAUSE_MS, REST_FACTOR * tookMs);
}

/**
 * Sequences until `signal` is aborted, at the latest after the batch that is being moved; any number of processes may do so, one of them works at a time. A failure is told in the log and
 * tried again: events wait in the inbox, where nothing is lost.
 */
export async function keepSequencing(ground: SequencerGround, signal: AbortSignal): Promise<void> {
  let failures = 0;
  let flushedMs = ground.clock.elapsedMs();
  const baselines = takingBeside(ground, signal);
  while (!signal.aborted) {
    const startMs = ground.clock.elapsedMs();
    let pauseMs: number;
    try {
      const { state, events } = await sequence(ground, { signal, baselines: 'later' });
      if (state !== 'busy') baselines.look();
      if (startMs - flushedMs >= FLUSH_MS) {
        await ground.keys.flushUsage();
        flushedMs = startMs;
      }
      failures = 0;
      pauseMs = state === 'busy' ? STANDBY_MS : restAfter(events, ground.clock.elapsedMs() - startMs);
    } catch (error) {
      failures += 1;
      ground.log.error('sequencing-failed', { error });
      pauseMs = Math.min(FAILED_MS * 2 ** failures, FAILED_AT_MOST_MS);
    }
    // Where the signal ends the pause it ends the loop.
    await wait(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  await baselines.end();
}

/** How often it is looked whether a baseline is wanted. */
const BASELINES_MS = 5_000;

/** Takes baselines while events go on being moved: reading a large table takes minutes. */
function takingBeside(
  ground: SequencerGround,
  signal: AbortSignal,
): { readonly look: () => void; readonly end: () => Promise<void> } {
  let taking: Promise<void> | undefined;
  let lookedMs = Number.NEGATIVE_INFINITY;
  const take = async (): Promise<void> => {
    try {
      await takeBaselines({ ...ground, signal });
    } catch (error) {
      if (!signal.aborted) ground.log.error('audit-baseline-failed', { error });
    }
    taking = undefined;
  };
  return {
    look: () => {
      if (taking !== undefined || ground.clock.elapsedMs() - lookedMs < BASELINES_MS) return;
      lookedMs = ground.clock.elapsedMs();
      taking = take();
    },
    end: async () => await taking,
  };
}
