import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isSafekeepError, type ErrorCode } from '@safekeep/core';
import { sqliteFile, workbench } from '../testing/workbench.ts';
import { showRun } from './list-runs.ts';
import { rollbackRun } from './rollback-run.ts';
import { verifyRun } from './verify-run.ts';

const PRACTICE = `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')`;

function hasCode(code: ErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isSafekeepError(error, code), String(error));
    return true;
  };
}

test('a run is not proven against a file that is another one by now; with that out of the way it is, by what the run recorded', async (t) => {
  const { context, run, pool } = await workbench(t);
  const file = sqliteFile(t, PRACTICE);
  const { runId } = await run(file);
  const changed = new DatabaseSync(file);
  changed.exec(`UPDATE t SET v = 'c' WHERE id = 2`);
  changed.close();
  await assert.rejects(verifyRun(context, runId), hasCode('import-source-differs'));
  renameSync(file, `${file}.aside`);
  assert.equal((await verifyRun(context, runId)).ok, true);
  await pool.query(`UPDATE t SET v = 'edited' WHERE id = 1`);
  assert.equal((await verifyRun(context, runId)).ok, false);
});

test('without the file a run that recorded no digests cannot be proven; put back, it can', async (t) => {
  const { context, run } = await workbench(t);
  const file = sqliteFile(t, PRACTICE);
  for (const verify of ['counts', 'off'] as const) {
    const { runId } = await run(file, { verify, replace: true });
    renameSync(file, `${file}.aside`);
    await assert.rejects(verifyRun(context, runId), hasCode('import-source-missing'), verify);
    renameSync(`${file}.aside`, file);
    assert.equal((await verifyRun(context, runId)).ok, true, verify);
  }
});

test('a run that is not there is not verified, shown or rolled back, by no id and by no beginning of one', async (t) => {
  const { context, run, pool } = await workbench(t);
  const { runId } = await run(sqliteFile(t, PRACTICE));
  for (const unknown of ['0197a3b4-0000-7000-8000-000000000000', 'ffffffff', runId.slice(0, 4), 'the last one', `${runId}0`]) {
    await assert.rejects(verifyRun(context, unknown), hasCode('import-run-unknown'), unknown);
    await assert.rejects(showRun(context, unknown), hasCode('import-run-unknown'), unknown);
    await assert.rejects(rollbackRun(context, { runId: unknown, discardChanges: true }), hasCode('import-run-unknown'), unknown);
  }
  assert.equal((await pool.query('SELECT FROM t')).rowCount, 2);
  assert.equal((await verifyRun(context, runId.slice(0, 13))).ok, true);
});
