import type { DatabaseSync } from 'node:sqlite';
import { SafekeepError } from '@safekeep/core';
import { operationFailure, type Database } from '@safekeep/postgres';
import type { CommandContext } from '../../capability.ts';
import type { ColumnForm } from '../prove/digest-form.ts';
import { someOf } from '../rules.ts';
import { dependentsOutside } from '../store/build-schema.ts';
import { findRun, requireDone } from '../store/find-run.ts';
import { inTenant, readTables, type ProvenTable, type RunRow } from '../store/runs.ts';
import { digestOf } from './source/changed-rows.ts';
import { installChangelog, removeChangelog, type InstalledChangelog } from './install.ts';
import type { FollowPair, FollowPlan, FollowResult } from './model.ts';
import { spellingOf } from './source/spelling.ts';
import { insertFollow, readFollow } from './store/follows.ts';
import { takeForeignKeys } from './store/target-tables.ts';
import { withSourceConnection } from './source/connection.ts';

export type FollowContext = Pick<CommandContext, 'tenant' | 'clock' | 'signal' | 'progress'> & { readonly database: Database };

/**
 * Follows the source of a finished import from now on. Refuses when the file is not any more what was imported: the changes
 * in between are in no log. (An import with --follow has the log from before its first row.)
 */
export async function followRun(context: FollowContext, runId: string): Promise<FollowResult> {
  const { run, tables } = await readFinishedRun(context, runId);
  refuseQuarantine(run, tables);
  const changelog = installChangelog(run.source, (sqlite) => refuseDifferent(sqlite, run, tables));
  try {
    return await registerFollow(context, runId, changelog);
  } catch (error) {
    changelog.close();
    removeChangelog(run.source);
    throw error;
  } finally {
    changelog.close();
  }
}

/**
 * Binds a changelog to the import that has read the file since it was installed: from here on `catchUp` brings over what
 * changes. Takes the foreign keys off the target until the cut-over.
 */
export async function registerFollow(context: FollowContext, runId: string, changelog: InstalledChangelog): Promise<FollowResult> {
  const { run, tables } = await readFinishedRun(context, runId);
  refuseQuarantine(run, tables);
  const plan = await withSourceConnection(run.source, async (sqlite) => followPlan(sqlite, changelog, tables));
  try {
    await context.database.withClient((client) =>
      inTenant(client, context.tenant, async () => {
        const target = { schema: run.target_schema, tables: plan.pairs.map((pair) => pair.target) };
        const [outside] = await dependentsOutside(client, target.schema, target.tables);
        if (outside?.dependent.startsWith('foreign key') === true) throw new SafekeepError('import-follow-referenced', outside);
        const { changelogId, position } = changelog;
        const foreignKeys = await takeForeignKeys(client, target);
        await insertFollow(client, context.tenant, {
          runId: run.run_id,
          changelogId,
          position,
          plan,
          foreignKeys,
          startedAt: context.clock.now(),
        });
      }),
    );
  } catch (error) {
    throw operationFailure(error, 'beginning to follow the source');
  }
  return { runId: run.run_id, state: 'following', file: run.source, tables: plan.pairs.length, notCaught: [...plan.notCaught] };
}

async function readFinishedRun(
  { database, tenant }: FollowContext,
  runId: string,
): Promise<{ readonly run: RunRow; readonly tables: readonly ProvenTable[] }> {
  return await database.withClient((client) =>
    inTenant(client, tenant, async () => {
      const run = await findRun(client, tenant, runId);
      requireDone(run, 'following its source');
      if ((await readFollow(client, tenant, run.run_id)) !== undefined)
        throw new SafekeepError('import-follow-exists', { file: run.source });
      return { run, tables: await readTables(client, tenant, run.run_id) };
    }),
  );
}

/** Rows in quarantine are known by their place in the table, which moves as soon as rows before them come and go. */
function refuseQuarantine(run: RunRow, tables: readonly ProvenTable[]): void {
  const quarantined = tables.reduce((sum, table) => sum + table.quarantined, 0);
  if (quarantined > 0) throw new SafekeepError('import-follow-quarantine', { run: run.run_id, count: quarantined });
}

function refuseDifferent(sqlite: DatabaseSync, run: RunRow, tables: readonly ProvenTable[]): void {
  const changed = tables.filter(({ source, form, sourceDigest: recorded }) => {
    return recorded === null || digestOf(sqlite, source, readBySelect(form)).sha256 !== recorded;
  });
  if (changed.length > 0)
    throw new SafekeepError('import-follow-differs', {
      file: run.source,
      run: run.run_id,
      tables: someOf(changed.map(({ source }) => source)),
    });
}

function followPlan(sqlite: DatabaseSync, changelog: InstalledChangelog, tables: readonly ProvenTable[]): FollowPlan {
  const followed = new Map(changelog.tables.map((table) => [table.source, table]));
  const pairs = tables.map(({ source, target, form }): FollowPair => {
    const table = followed.get(source);
    if (table === undefined)
      throw new SafekeepError('import-follow-broken', { file: 'The source', problem: `${source} was made after its changelog` });
    return {
      ...table,
      target,
      form: readBySelect(form),
      spellings: form.columns.map((column) => spellingOf(sqlite, source, column)),
    };
  });
  return { pairs: inOrderOf(changelog, pairs), notCaught: changelog.notCaught };
}

/** The names of triggers count the tables of the changelog. */
function inOrderOf(changelog: InstalledChangelog, pairs: readonly FollowPair[]): FollowPair[] {
  return changelog.tables.map(({ source }) => {
    const pair = pairs.find((one) => one.source === source);
    if (pair === undefined)
      throw new SafekeepError('import-follow-broken', {
        file: 'The import',
        problem: `${source} is in the file and not in the run`,
      });
    return pair;
  });
}

/** For rows that nobody has scanned, in no order: larger integers and numbers among texts may stand in them. */
function readBySelect(form: ProvenTable['form']): ProvenTable['form'] {
  const columns = form.columns.map((column): ColumnForm => {
    const isNumber = column.type === 'bigint' || column.type.startsWith('numeric') || column.epoch !== null;
    return {
      ...column,
      wide: column.wide || isNumber,
      numbersAsText: column.numbersAsText || column.type === 'text' || column.type === 'json',
    };
  });
  return { ...form, columns, hasRowid: false, ordered: false };
}
