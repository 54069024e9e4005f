import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type pg from 'pg';
import { testServers } from '@safekeep/postgres/testing';
import { columnComments } from '../contributors/column-comments.ts';
import { concurrentIndexes, tableComments } from '../testing/contributors.ts';
import { workbench } from '../testing/workbench.ts';

const PROGRAM = join(import.meta.dirname, '..', 'testing', 'apply.test-process.ts');
const TABLES = { 'public.patients': { columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' } } } };
const SET_UP = `create table patients (id integer primary key, name text); comment on column patients.name is 'own'; insert into patients values (1, 'x')`;

/** Runs apply in a process of its own; tells the moments it came through and how it ended. */
async function runApply(
  ...args: readonly string[]
): Promise<{ readonly moments: readonly string[]; readonly signal: string | null; readonly errors: string }> {
  return await new Promise((done, failed) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.once('error', failed);
    child.once('close', (_code, signal) => done({ moments: output.trim().split('\n'), signal, errors }));
  });
}

/** The server notices at its next look at the socket, or when the statement of the dead ends. */
async function untilGone(pool: pg.Pool): Promise<void> {
  for (let left = 1; left > 0;) {
    const { rows } = await pool.query<{ left: number }>(
      `select count(*)::integer as left from pg_stat_activity where application_name = 'doomed' and datname = current_database()`,
    );
    left = rows[0]?.left ?? 0;
  }
}

test('kill -9 at every step of an apply: what was committed is recorded, the rest is gone on with, and all can be taken out', async (t) => {
  const bench = await workbench(t, { setUp: SET_UP, server: testServers()[0] });
  const intent = bench.intent(TABLES, [columnComments, concurrentIndexes, tableComments]);
  const before = await bench.userState();
  const { hash } = await bench.plan(intent);
  const args = [bench.url.reveal(), JSON.stringify({ tables: TABLES }), hash];

  const whole = await runApply(...args);
  assert.equal(whole.signal, null, whole.errors);
  assert.deepEqual(whole.moments, [
    'recorded 0',
    'begun 0',
    'ran 1',
    'begun 1',
    'ran 2',
    'committing 2',
    'committed 2',
    'begun 2',
    'ran 3',
    'committed 3',
    'begun 3',
    'ran 4',
    'committing 4',
    'committed 4',
  ]);
  const applied = await bench.userState();
  await bench.unapply();

  for (const moment of whole.moments) {
    const { signal, errors } = await runApply(...args, moment);
    assert.equal(signal, 'SIGKILL', `${moment}: ${errors}`);
    await untilGone(bench.pool);
    assert.deepEqual((await bench.status(intent)).drift, [], `${moment}: the record is true`);
    if (moment.startsWith('ran')) {
      // This time without going on: what there is goes out.
      await bench.unapply();
      assert.deepEqual(await bench.userState(), before, `${moment}, then unapply`);
      continue;
    }
    await bench.apply(intent, { hash });
    assert.deepEqual(await bench.userState(), applied, `${moment}, then apply`);
    const { drift, pending } = await bench.status(intent);
    assert.deepEqual({ drift, pending }, { drift: [], pending: [] }, moment);
    await bench.unapply();
    assert.deepEqual(await bench.userState(), before, `${moment}, then apply and unapply`);
  }
  const { rows } = await bench.pool.query<{ state: string; runs: number }>(
    `select state, count(*)::integer as runs from safekeep.apply_runs where direction = 'apply' group by state order by state`,
  );
  const finished = whole.moments.length + 1 - whole.moments.filter((moment) => moment.startsWith('ran')).length;
  // Killed after its last commit a run is done, and the second apply found nothing to do.
  assert.deepEqual(rows, [
    { state: 'done', runs: finished },
    { state: 'interrupted', runs: whole.moments.length - 1 },
  ]);
});
