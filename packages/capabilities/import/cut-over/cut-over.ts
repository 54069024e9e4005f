import type { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { operationFailure } from '@safekeep/postgres';
import { targetDigest } from '../prove/target-digest.ts';
import { qualifiedForPeople } from '../rules.ts';
import { countRows } from '../store/build-schema.ts';
import { runStatement } from '../store/statements.ts';
import type { RunRow } from '../store/runs.ts';
import { add, advance, catchUp, inFollow, readFollowed, type Round } from './catch-up.ts';
import { countSourceRows, digestOf } from './source/changed-rows.ts';
import { closeTables } from './source/changelog.ts';
import type { FollowContext } from './follow.ts';
import type { CutOverResult, FollowPair, TakenForeignKey } from './model.ts';
import { keyForms } from './columns.ts';
import { beginImmediate, withSourceConnection } from './source/connection.ts';
import { markCutOver } from './store/follows.ts';
import { createWayBack, putBackForeignKeys, validateForeignKeySql } from './store/target-tables.ts';

export type CutOverOptions = {
  /** Lets every later write to the source fail. */
  readonly closeSource: boolean;
  /** `full` compares every row of both sides while writers wait; `changed` compares counts, and each changed row as it is written. */
  readonly verify: 'changed' | 'full';
  /** How long changes of the target are logged for the way back; 0: not at all. */
  readonly wayBackDays: number;
};

const DAY_MS = 86_400_000;

/**
 * Makes the target the database in use: catches up, makes writers of the source wait, brings over the rest, compares, and lets
 * go. Whatever fails on the way leaves the source as it was and the target at its last whole state.
 */
export async function cutOver(context: FollowContext, runId: string, options: CutOverOptions): Promise<CutOverResult> {
  const startedMs = context.clock.elapsedMs();
  const { run, follow } = await readFollowed(context, runId);
  const before = await catchUp(context, run.run_id);
  const wayBackUntil = options.wayBackDays === 0 ? null : new Date(context.clock.now().getTime() + options.wayBackDays * DAY_MS);
  const stop = await withSourceConnection(run.source, (sqlite) => stopAndSwitch(context, { run, sqlite, options, wayBackUntil }));
  const foreignKeys = await validateForeignKeys(context, run.target_schema, follow.foreignKeys);
  const { rounds, changes, written, deleted } = before;
  const total = { rounds, changes, written, deleted };
  add(total, stop.round);
  return {
    runId: run.run_id,
    state: 'cut-over',
    position: stop.round.position,
    ...total,
    seconds: (context.clock.elapsedMs() - startedMs) / 1_000,
    stoppedSeconds: stop.seconds,
    sourceClosed: options.closeSource,
    tables: stop.tables,
    foreignKeys,
    wayBackUntil: wayBackUntil?.toISOString() ?? null,
    conflicts: [],
    notes: follow.plan.notCaught.map((what) => `not logged: ${what}`),
  };
}

type Switch = {
  readonly run: RunRow;
  readonly sqlite: DatabaseSync;
  readonly options: CutOverOptions;
  readonly wayBackUntil: Date | null;
};
type Stop = { readonly round: Round; readonly seconds: number; readonly tables: CutOverResult['tables'] };

/** Between BEGIN IMMEDIATE and the end of this no connection can write to the source. */
async function stopAndSwitch(context: FollowContext, { run, sqlite, options, wayBackUntil }: Switch): Promise<Stop> {
  beginImmediate(sqlite);
  const stoppedMs = context.clock.elapsedMs();
  const stop = await inFollow(context, run, async (client, follow) => {
    const { pairs } = follow.plan;
    const round = await advance({ context, run, client, sqlite, follow, onProgress: () => undefined });
    const tables = await compareCounts(client, sqlite, run.target_schema, pairs);
    if (options.verify === 'full') await compareAll(client, sqlite, run.target_schema, pairs);
    await putBackForeignKeys(client, run.target_schema, follow.foreignKeys);
    if (wayBackUntil !== null) {
      for (const pair of pairs) {
        const key = keyForms(pair).map(({ target }) => target);
        await createWayBack(
          client,
          { schema: run.target_schema, table: pair.target, key },
          { tenant: context.tenant, runId: run.run_id, until: wayBackUntil },
        );
      }
    }
    await markCutOver(client, context.tenant, { runId: run.run_id, at: context.clock.now(), wayBackUntil });
    if (options.closeSource) {
      closeTables(sqlite, pairs, `This database was moved to PostgreSQL (safekeep import run ${run.run_id})`);
      // First the source, then the target: should the second commit fail, the source is closed and nothing is lost; the
      // same command brings the rest over again, and `import follow --stop` opens it again.
      sqlite.exec('COMMIT');
    }
    return { round, tables };
  });
  return { ...stop, seconds: (context.clock.elapsedMs() - stoppedMs) / 1_000 };
}

async function compareCounts(
  client: pg.ClientBase,
  sqlite: DatabaseSync,
  schema: string,
  pairs: readonly FollowPair[],
): Promise<CutOverResult['tables']> {
  const tables: CutOverResult['tables'] = [];
  for (const { source, target } of pairs) {
    const [here, there] = [countSourceRows(sqlite, source), await countRows(client, schema, target)];
    if (here !== there)
      throw new SafekeepError('import-follow-mismatch', {
        table: source,
        finding: `${here} rows in the source, ${there} in the target`,
      });
    tables.push({ source, target: qualifiedForPeople(schema, target), rows: there });
  }
  return tables;
}

async function compareAll(
  client: pg.ClientBase,
  sqlite: DatabaseSync,
  schema: string,
  pairs: readonly FollowPair[],
): Promise<void> {
  for (const { source, target, form } of pairs) {
    const found = await targetDigest(client, { schema, table: target, form });
    if (digestOf(sqlite, source, form).sha256 !== found.sha256)
      throw new SafekeepError('import-follow-mismatch', { table: source, finding: 'values differ' });
  }
}

/** Looks at the rows that were there already, now that nobody waits. Each key binds new rows whatever comes out. */
export async function validateForeignKeys(
  context: Pick<FollowContext, 'database'>,
  schema: string,
  keys: readonly TakenForeignKey[],
): Promise<CutOverResult['foreignKeys']> {
  const results: CutOverResult['foreignKeys'] = [];
  for (const key of keys) {
    const name = `${key.table}.${key.name}`;
    if (!key.validated) {
      results.push({ name, state: 'not-valid', reason: 'rows of the source violated it at the import already' });
      continue;
    }
    const outcome = await context.database
      .withClient((client) => runStatement(client, validateForeignKeySql(schema, key)))
      .catch((error: unknown) => {
        throw operationFailure(error, `validating ${name}`);
      });
    results.push(outcome.done ? { name, state: 'valid', reason: '' } : { name, state: 'not-valid', reason: outcome.reason });
  }
  return results;
}
