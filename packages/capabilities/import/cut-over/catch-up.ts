import type { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { operationFailure } from '@safekeep/postgres';
import { findRun } from '../store/find-run.ts';
import { inTenant, type RunRow } from '../store/runs.ts';
import { brokenTables, newestEntry, readChangelogId } from './source/changelog.ts';
import { columnsOf } from './source/changed-rows.ts';
import type { FollowContext } from './follow.ts';
import type { CatchUpResult } from './model.ts';
import { applyRound, type RoundCounts } from './round.ts';
import { beginRead, withSourceConnection } from './source/connection.ts';
import { movePosition, readFollow, type FollowRow } from './store/follows.ts';

// A round takes in everything up to the newest entry; while it runs, new ones come. After so many it is for the cut-over,
// which makes writers wait, or for the next call.
const MAX_ROUNDS = 50;
// Few enough that the round under the lock takes a fraction of a second.
const LEVEL_ENTRIES = 500;

/** Brings over what changed in the source since the last time. May be stopped, and called again, at any moment. */
export async function catchUp(context: FollowContext, runId: string): Promise<CatchUpResult> {
  const startedMs = context.clock.elapsedMs();
  const { run } = await readFollowed(context, runId);
  const total: Totals = { rounds: 0, changes: 0, written: 0, deleted: 0 };
  const progress = context.progress('catch-up', { unit: 'rows' });
  let position = 0;
  try {
    for (let round = 1; round <= MAX_ROUNDS; round += 1) {
      context.signal.throwIfAborted();
      const done = await catchUpOnce(context, run, (rows) => progress.update(total.written + rows));
      position = done.position;
      add(total, done);
      if (done.changes <= LEVEL_ENTRIES) break;
    }
  } finally {
    progress.end();
  }
  return { runId: run.run_id, position, ...total, seconds: (context.clock.elapsedMs() - startedMs) / 1_000 };
}

export type Round = RoundCounts & { readonly position: number; readonly changes: number };
export type Totals = { rounds: number; changes: number; written: number; deleted: number };

export function add(total: Totals, round: Round): void {
  if (round.changes > 0) total.rounds += 1;
  total.changes += round.changes;
  total.written += round.written;
  total.deleted += round.deleted;
}

/** One reading of the source, one transaction of the target. */
async function catchUpOnce(context: FollowContext, run: RunRow, onProgress: (rows: number) => void): Promise<Round> {
  return await withSourceConnection(run.source, async (sqlite) => {
    beginRead(sqlite);
    return await inFollow(context, run, (client, follow) => advance({ context, run, client, sqlite, follow, onProgress }));
  });
}

export type Advance = {
  readonly context: Pick<FollowContext, 'tenant' | 'clock' | 'signal'>;
  readonly run: RunRow;
  readonly client: pg.ClientBase;
  /** Within a transaction: what it sees is what the target becomes. */
  readonly sqlite: DatabaseSync;
  readonly follow: FollowRow;
  readonly onProgress: (rows: number) => void;
};

/** Applies everything between the stored position and the newest entry, and moves the position in the same transaction. */
export async function advance({ context, run, client, sqlite, follow, onProgress }: Advance): Promise<Round> {
  refuseBroken(sqlite, run.source, follow);
  const interval = { after: follow.position, upTo: newestEntry(sqlite) };
  const changes = interval.upTo - interval.after;
  if (changes === 0) return { position: interval.upTo, changes, written: 0, deleted: 0 };
  const counts = await applyRound(client, sqlite, interval, {
    schema: run.target_schema,
    pairs: follow.plan.pairs,
    signal: context.signal,
    onProgress,
  });
  await movePosition(client, context.tenant, {
    runId: run.run_id,
    position: interval.upTo,
    rows: counts.written,
    at: context.clock.now(),
  });
  return { ...counts, position: interval.upTo, changes };
}

/** A transaction of the target in which nobody else works on this follow. */
export async function inFollow<Result>(
  context: Pick<FollowContext, 'database' | 'tenant'>,
  run: Pick<RunRow, 'run_id'>,
  work: (client: pg.ClientBase, follow: FollowRow) => Promise<Result>,
): Promise<Result> {
  try {
    return await context.database.withClient((client) =>
      inTenant(client, context.tenant, async () => {
        const follow = await readFollow(client, context.tenant, run.run_id);
        if (follow === undefined) throw new SafekeepError('import-follow-missing', { run: run.run_id });
        return await work(client, follow);
      }),
    );
  } catch (error) {
    throw operationFailure(error, 'following the source');
  }
}

/** A run that is followed and has not been cut over. */
export async function readFollowed(
  context: Pick<FollowContext, 'database' | 'tenant'>,
  runId: string,
): Promise<{ readonly run: RunRow; readonly follow: FollowRow }> {
  const found = await readFollowing(context, runId);
  if (found.follow.state !== 'following')
    throw new SafekeepError('import-follow-state', { run: found.run.run_id, state: found.follow.state, needed: 'following' });
  return found;
}

export async function readFollowing(
  context: Pick<FollowContext, 'database' | 'tenant'>,
  runId: string,
): Promise<{ readonly run: RunRow; readonly follow: FollowRow }> {
  return await context.database.withClient((client) =>
    inTenant(client, context.tenant, async () => {
      const run = await findRun(client, context.tenant, runId);
      const follow = await readFollow(client, context.tenant, run.run_id);
      if (follow === undefined) throw new SafekeepError('import-follow-missing', { run: run.run_id });
      return { run, follow };
    }),
  );
}

/** Throws `import-follow-broken` where the log may be missing something: nothing may be claimed then. */
export function refuseBroken(sqlite: DatabaseSync, file: string, { changelogId, position, plan }: FollowRow): void {
  const broken = (problem: string): SafekeepError => new SafekeepError('import-follow-broken', { file, problem });
  if (readChangelogId(sqlite) !== changelogId) throw broken('its changelog is gone, or that of another import');
  if (newestEntry(sqlite) < position) throw broken('its changelog is shorter than it was: an older copy of the file was put back');
  const [lost] = brokenTables(sqlite, plan.pairs);
  if (lost !== undefined) throw broken(`the triggers of ${lost} are gone or changed: the table was dropped and made anew, mostly`);
  for (const { source, form } of plan.pairs) {
    const columns = columnsOf(sqlite, source);
    const same = columns.length === form.columns.length && form.columns.every((column, at) => column.source === columns[at]);
    if (!same) throw broken(`${source} has other columns than at the import`);
  }
}
