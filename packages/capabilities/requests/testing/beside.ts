import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import type { ErasureGround } from '../actions/ground.ts';
import type { CertificateBody, ErasureDone, ErasureParticipant } from '../model.ts';
import type { Workbench } from './workbench.ts';

/** What a map says before its tables where everything is about the rows of `people`. */
export const OF_PEOPLE = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'name' } },
} as const;

/** Runs something at the end of each erasing transaction, before its commit: the rows are locked then. */
function atTheEnd(run: () => Promise<unknown>): ErasureParticipant {
  return {
    name: 'beside',
    plan: async () => ({ will: [], keeps: [], externalCopies: [], blocked: [] }),
    within: async (_client, moment) => {
      if (moment !== 'before-rows') await run();
      return { counts: {}, keysDestroyed: [], horizon: null };
    },
    after: async () => undefined,
    recheck: async () => [],
  };
}

async function untilWaiting(made: Workbench, writer: pg.PoolClient): Promise<void> {
  const { processID } = writer as unknown as { readonly processID: number }; // The driver's own, and not in its types.
  for (;;) {
    const { rows } = await made.pool.query<{ waits: boolean }>('select cardinality(pg_blocking_pids($1)) > 0 as waits', [
      processID,
    ]);
    if (rows[0]?.waits === true) return;
  }
}

type Attack = {
  readonly ground?: ErasureGround;
  /** Before the statement that has to wait for the erasure. */
  readonly first?: string;
  readonly waiting: string;
  /** When it goes on: outside of its transaction, and then within. */
  readonly between?: () => Promise<unknown>;
  readonly then?: string;
  /** In how many of the erasure's transactions. */
  readonly times?: number;
  readonly onCommitted?: () => void;
};

/** Erases person 1 while somebody else waits for one of their rows. */
export async function eraseBeside(
  made: Workbench,
  { ground = made.ground, first = 'begin', waiting, between, then = 'commit', times = 1, onCommitted = () => undefined }: Attack,
): Promise<ErasureDone> {
  const writer = await made.pool.connect();
  let written: Promise<unknown> = Promise.resolve();
  let begun = 0;
  const goOn = async (): Promise<void> => {
    await writer.query(waiting);
    try {
      await between?.();
      await writer.query(then);
    } finally {
      // Of a transaction that has ended there is nothing to take back.
      await writer.query('rollback');
    }
  };
  const participant = atTheEnd(async () => {
    if (begun === times) return;
    begun += 1;
    await written;
    await writer.query(first);
    written = goOn();
    await untilWaiting(made, writer);
  });
  const on = { ...ground, ports: { participants: [participant] } };
  try {
    const { hash } = await made.plan('person:1', 'anonymise', on);
    return await made.approve('person:1', hash, { ground: on, onCommitted });
  } finally {
    await written;
    writer.release();
  }
}

export async function certificateOf(done: ErasureDone): Promise<CertificateBody> {
  const { document } = JSON.parse(await readFile(done.certificate ?? '', 'utf8')) as { readonly document: CertificateBody };
  return document;
}
