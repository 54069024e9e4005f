import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { targetDigest } from '../prove/target-digest.ts';
import { SqlCursor } from '../source/sql-cursor.ts';
import { lockAgainstWrites } from '../store/build-schema.ts';
import { changedTables, digestOf } from './source/changed-rows.ts';
import { inFollow, readFollowing, refuseBroken } from './catch-up.ts';
import { newestEntry } from './source/changelog.ts';
import { countConflicts } from './source/conflicts.ts';
import type { FollowContext } from './follow.ts';
import { removeChangelog } from './install.ts';
import type { CutOverResult } from './model.ts';
import { isOurs } from './names.ts';
import { columnOf, keyForms } from './columns.ts';
import { allColumns, copyRowsInto } from './round.ts';
import { beginImmediate, withSourceConnection } from './source/connection.ts';
import {
  addAllKeys,
  copyEditor,
  copyRows,
  createKeys,
  deleteRows,
  insertRows,
  keyAdder,
  withoutTriggers,
  type CopyEditor,
  type SourceRows,
} from './source/source-rows.ts';
import { markHandedBack, type FollowRow } from './store/follows.ts';
import {
  addKeysOfSource,
  createRowsView,
  deleteChanges,
  eachChangedRow,
  eachKey,
  setPlainTexts,
  targetChanges,
  type TargetChange,
  type TargetRow,
} from './store/target-changes.ts';
import { dropView } from './store/changed-keys.ts';
import { dropWayBack } from './store/target-tables.ts';
import { typedBack } from './typed-back.ts';

export type HandBackOptions = {
  /** Rows that changed on both sides become what they are in PostgreSQL; without it they are a reason to refuse. */
  readonly overwrite: boolean;
};

type Change = { readonly target: TargetChange; readonly source: SourceRows };

/**
 * The way back: writes what changed in PostgreSQL since the cut-over into the SQLite file, and lets the application write
 * there again. A value that did not change is not touched; one that did is spelled as the column was at the import. The rows are
 * compared on both sides before either is committed.
 */
export async function handBack(context: FollowContext, runId: string, { overwrite }: HandBackOptions): Promise<CutOverResult> {
  const startedMs = context.clock.elapsedMs();
  const { run, follow } = await readFollowing(context, runId);
  refuseClosedWay(context, run.run_id, follow);
  const { pairs } = follow.plan;
  const done = await withSourceConnection(run.source, async (sqlite) => {
    beginImmediate(sqlite);
    refuseBroken(sqlite, run.source, follow);
    return await inFollow(context, run, async (client, current) => {
      await lockAgainstWrites(
        client,
        run.target_schema,
        pairs.map(({ target }) => target),
      );
      await setPlainTexts(client);
      const place = { tenant: context.tenant, runId: run.run_id, schema: run.target_schema };
      const changes: Change[] = [];
      for (const target of await targetChanges(client, place, pairs)) {
        changes.push({ target, source: await readSource(client, sqlite, target, pairs.indexOf(target.pair)) });
      }
      const later = changedTables(sqlite, pairs, { after: current.position, upTo: newestEntry(sqlite) });
      const conflicts = countConflicts(
        sqlite,
        later,
        changes.map(({ source }) => source),
      );
      if (conflicts.length > 0 && !overwrite)
        throw new SafekeepError('import-back-conflict', {
          tables: conflicts.map(({ table, rows }) => `${table} (${rows})`).join(', '),
        });
      for (const change of changes) await editCopy(client, sqlite, run.target_schema, change);
      const counts = { written: 0, deleted: 0 };
      const kept = withoutTriggers(sqlite, pairs, () => {
        for (const { source } of changes) deleteRows(sqlite, source);
        for (const { source } of changes) counts.written += insertRows(sqlite, source);
      });
      for (const change of changes) await compare(client, sqlite, run.target_schema, change);
      await dropWayBack(client, { schema: run.target_schema, tables: pairs.map(({ target }) => target) }, run.run_id);
      await deleteChanges(client, place);
      await markHandedBack(client, context.tenant, run.run_id);
      // The source first: broken off behind it, the same command finds every row as it should be and only ends.
      sqlite.exec('COMMIT');
      return { conflicts, ...counts, position: current.position, silent: kept.filter((name) => !isOurs(name)) };
    });
  });
  removeChangelog(run.source);
  const notes =
    done.silent.length > 0
      ? [`these triggers of the source did not run: ${done.silent.join(', ')}; rebuild what they keep (full-text indexes, for one)`]
      : [];
  const seconds = (context.clock.elapsedMs() - startedMs) / 1_000;
  return {
    runId: run.run_id,
    state: 'handed-back',
    position: done.position,
    rounds: 1,
    changes: done.written,
    written: done.written,
    deleted: done.deleted,
    seconds,
    stoppedSeconds: seconds,
    sourceClosed: false,
    tables: [],
    foreignKeys: [],
    wayBackUntil: null,
    conflicts: done.conflicts,
    notes,
  };
}

function refuseClosedWay({ clock }: FollowContext, runId: string, { state, wayBackUntil }: FollowRow): void {
  if (state !== 'cut-over') throw new SafekeepError('import-follow-state', { run: runId, state, needed: 'cut-over' });
  if (wayBackUntil === null)
    throw new SafekeepError('import-back-expired', { run: runId, reason: 'the cut-over was told to keep none' });
  if (wayBackUntil < clock.now())
    throw new SafekeepError('import-back-expired', { run: runId, reason: `it was kept until ${wayBackUntil.toISOString()}` });
}

/** Finds the rows that the source has under the changed keys, and shows them to the target to compare with. */
async function readSource(client: pg.ClientBase, sqlite: DatabaseSync, target: TargetChange, number: number): Promise<SourceRows> {
  const { pair, truncated } = target;
  const source = createKeys(sqlite, pair, number);
  const addKey = keyAdder(sqlite, source);
  await eachKey(client, target, (key) => addKey(keyBack(pair, key)));
  if (truncated) addAllKeys(sqlite, source);
  copyRows(sqlite, source);
  await copyRowsInto(
    client,
    new SqlCursor(
      sqlite,
      source.rowsView,
      pair.form.columns.map((form) => form.source),
    ),
    { pair, table: `pg_temp.${target.oldTable}`, columns: allColumns(pair) },
  );
  if (truncated) await addKeysOfSource(client, target);
  return source;
}

function keyBack(pair: TargetChange['pair'], key: readonly string[]): SQLInputValue[] {
  return keyForms(pair).map((form, at) => typedBack(key[at] ?? '', form, pair.spellings[pair.form.columns.indexOf(form)] ?? null));
}

/** Makes the copy of the source's rows what the target says. */
async function editCopy(client: pg.ClientBase, sqlite: DatabaseSync, schema: string, { target, source }: Change): Promise<void> {
  const editor = copyEditor(sqlite, source);
  await eachChangedRow(client, schema, target, (row) => editRow(editor, source, row));
}

function editRow(editor: CopyEditor, { pair, columns }: SourceRows, row: TargetRow): void {
  const key = keyBack(pair, row.key);
  if (!row.isThere) {
    editor.remove(key);
    return;
  }
  const valueOf = (name: string): { readonly value: SQLInputValue; readonly same: boolean } => {
    const form = columnOf(pair, name);
    const at = pair.form.columns.indexOf(form);
    const text = row.texts[at] ?? null;
    return { value: text === null ? null : typedBack(text, form, pair.spellings[at] ?? null), same: row.same[at] === true };
  };
  if (!row.wasThere) {
    editor.add(columns.map((name) => valueOf(name).value));
    return;
  }
  for (const name of columns) {
    const { value, same } = valueOf(name);
    if (!same) editor.change(key, name, value);
  }
}

/** What has no equal in SQLite, or is equal to another key there, shows here: both sides then stay as they were. */
async function compare(client: pg.ClientBase, sqlite: DatabaseSync, schema: string, { target, source }: Change): Promise<void> {
  const view = await createRowsView(client, schema, target);
  const found = await targetDigest(client, { schema: 'pg_temp', table: view, form: target.pair.form });
  await dropView(client, view);
  if (digestOf(sqlite, source.rowsView, target.pair.form).sha256 === found.sha256) return;
  throw new SafekeepError('import-follow-mismatch', {
    table: target.pair.source,
    finding: 'rows written back would not be what they are in PostgreSQL',
  });
}
