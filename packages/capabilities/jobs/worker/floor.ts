import { setImmediate } from 'node:timers/promises';
import type { JobKind, StartedJob } from '../model.ts';
import { runAttempt } from './attempt.ts';
import type { Desk, Office } from './office.ts';
import { openSettler, type Ending } from './settle.ts';
import { takeJobs } from './take.ts';

// Jobs held, running and being written down, at most this often the number that may run: a slow disk holds the handlers back.
const UNSETTLED_SHARE = 2;

export type Floor = {
  /** Takes as many jobs of the kind as there are seats for, and waits for one if there is none. True when there may be more. */
  readonly fill: (kind: JobKind) => Promise<boolean>;
};

/** Where jobs run: as many at a time as the process and their kinds allow. */
export function openFloor(office: Office, concurrency: number): Floor {
  const { desks, closing } = office;
  const settler = openSettler(office);
  let seatsTaken = 0;
  let freed = Promise.withResolvers<void>();
  const free = (): void => {
    freed.resolve();
    freed = Promise.withResolvers();
  };
  closing.addEventListener('abort', free, { once: true });
  const run = async (job: StartedJob, kind: JobKind): Promise<void> => {
    const desk = deskFor(job);
    desks.add(desk);
    try {
      const ending = await attend(office, desk, kind);
      // The next may begin while the end of this one is being written.
      desk.settling = true;
      free();
      await settler.settle(desk, ending);
    } finally {
      desks.delete(desk);
      free();
    }
  };
  const seatsFor = ({ kind, concurrency: { perWorker } }: JobKind): number => {
    const running = [...desks].filter(({ settling }) => !settling);
    const ofKind = running.filter(({ job }) => job.kind === kind).length;
    const held = Math.max(running.length, desks.size - concurrency * (UNSETTLED_SHARE - 1));
    return Math.min(perWorker - ofKind, concurrency - held - seatsTaken);
  };
  return {
    fill: async (kind) => {
      const seats = seatsFor(kind);
      if (seats < 1) {
        await freed.promise;
        // Seats that become free in the same turn of the event loop are filled with one question.
        await setImmediate();
        return true;
      }
      // Held while the question is on its way, so that the kinds together do not take more than the process may run.
      seatsTaken += seats;
      try {
        const jobs = await takeJobs(office, kind, seats);
        for (const job of jobs) void run(job, kind);
        return jobs.length > 0;
      } finally {
        seatsTaken -= seats;
        free();
      }
    },
  };
}

function deskFor(job: StartedJob): Desk {
  return {
    job,
    abort: new AbortController(),
    checkpoint: job.checkpoint,
    settling: false,
    ended: false,
    progress: undefined,
    progressDirty: false,
    sample: undefined,
    reachedCheckpoint: false,
  };
}

async function attend(office: Office, desk: Desk, kind: JobKind): Promise<Ending> {
  const { job } = desk;
  const startedMs = office.clock.elapsedMs();
  const ending = await runAttempt(office, desk, kind);
  const durationMs = Math.round(office.clock.elapsedMs() - startedMs);
  office.log.debug('job-attempt-ended', { job: job.id, attempt: job.attempt, how: ending.how, durationMs });
  return ending;
}
