import { existsSync } from 'node:fs';
import { inTenant, type RunRow } from '../store/runs.ts';
import { findRun } from '../store/find-run.ts';
import { inFollow } from './catch-up.ts';
import { readChangelogId } from './source/changelog.ts';
import { validateForeignKeys } from './cut-over.ts';
import type { FollowContext } from './follow.ts';
import { removeChangelog } from './install.ts';
import type { FollowResult } from './model.ts';
import { openSource } from './source/connection.ts';
import { deleteFollow, isFollowed, readFollow, type FollowRow } from './store/follows.ts';
import { dropWayBack, putBackForeignKeys } from './store/target-tables.ts';

type StopContext = Pick<FollowContext, 'database' | 'tenant'>;

/**
 * Ends following, before or after a cut-over: takes every trigger and table of ours out of the source (it can be written to
 * again) and out of the target, which keeps its rows and gets its foreign keys back. Undefined where nothing was followed.
 * The source goes first; broken off in between, the same call ends it.
 */
export async function stopFollowing(context: StopContext, runId: string): Promise<FollowResult | undefined> {
  const { run, follow } = await findFollow(context, runId);
  if (follow === undefined) return (await removeOrphan(context, run.source)) ? stopped(run, 0) : undefined;
  if (run.state !== 'done') {
    await forgetFollow(context, run);
    return stopped(run, 0);
  }
  removeOwnChangelog(run.source, follow.changelogId);
  const taken = follow.state === 'following' ? follow.foreignKeys : [];
  await inFollow(context, run, async (client) => {
    const tables = follow.plan.pairs.map(({ target }) => target);
    await dropWayBack(client, { schema: run.target_schema, tables }, run.run_id);
    await putBackForeignKeys(client, run.target_schema, taken);
    await deleteFollow(client, context.tenant, run.run_id);
  });
  await validateForeignKeys(context, run.target_schema, taken);
  return stopped(run, follow.plan.pairs.length);
}

/** Ends what is left of following when the imported tables are gone. Does nothing where nothing was followed. */
export async function forgetFollow(context: StopContext, run: RunRow): Promise<void> {
  const { follow } = await findFollow(context, run.run_id);
  if (follow === undefined) return;
  removeOwnChangelog(run.source, follow.changelogId);
  await context.database.withClient((client) =>
    inTenant(client, context.tenant, () => deleteFollow(client, context.tenant, run.run_id)),
  );
}

async function findFollow(
  { database, tenant }: StopContext,
  runId: string,
): Promise<{ readonly run: RunRow; readonly follow: FollowRow | undefined }> {
  return await database.withClient((client) =>
    inTenant(client, tenant, async () => {
      const run = await findRun(client, tenant, runId);
      return { run, follow: await readFollow(client, tenant, run.run_id) };
    }),
  );
}

function stopped(run: RunRow, tables: number): FollowResult {
  return { runId: run.run_id, state: 'stopped', file: run.source, tables, notCaught: [] };
}

/** An import with --follow that was killed leaves a changelog in its source that no run knows of. */
async function removeOrphan({ database, tenant }: StopContext, file: string): Promise<boolean> {
  const found = changelogIn(file);
  if (found === undefined) return false;
  const isKnown = await database.withClient((client) => inTenant(client, tenant, () => isFollowed(client, tenant, found)));
  if (!isKnown) removeChangelog(file);
  return !isKnown;
}

/** A file that is gone, or that logs for another import by now, is none of our business. */
function removeOwnChangelog(file: string, changelogId: string): void {
  if (changelogIn(file) === changelogId) removeChangelog(file);
}

function changelogIn(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const sqlite = openSource(file);
  try {
    return readChangelogId(sqlite);
  } finally {
    sqlite.close();
  }
}
