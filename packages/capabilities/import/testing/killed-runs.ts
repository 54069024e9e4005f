import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { sqliteFile, workbench, type Ending, type Workbench } from './workbench.ts';

const ROWS = 30_000;
// About as long as an undisturbed run of this file takes on a slow machine; the kills are spread over it.
const RUN_MS = 1_000;
const CHILD = fileURLToPath(new URL('./import.test-process.ts', import.meta.url));

/**
 * Kills an import at random moments and looks each time at what is left: either nothing of it under the final names or all of
 * it, and what stood there before is there or kept aside. At the end an undisturbed import goes through and clears away.
 */
export async function killAndLook(
  t: Ending & { readonly after: (run: () => Promise<void>) => void },
  kills: number,
  random: () => number,
): Promise<void> {
  const bench = await workbench(t);
  const { pool } = bench;
  const file = practice(t);
  const before = readFileSync(file);
  await pool.query(`CREATE TABLE people (old text); INSERT INTO people VALUES ('kept')`);
  for (let kill = 0; kill < kills; kill += 1) {
    await startAndKill(bench, file, random() * RUN_MS);
    await assertWhole(pool);
    assert.ok(readFileSync(file).equals(before), 'the source is as it was');
  }
  const result = await bench.run(file, { replace: true });
  assert.equal(result.state, 'done');
  assert.equal(await assertWhole(pool), 'imported');
  const { rows: left } = await pool.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'safekeep\\_import\\_%'`);
  assert.deepEqual(left, [], 'what killed runs had built is cleared away');
  const { rows: states } = await pool.query<{ state: string }>('SELECT DISTINCT state FROM safekeep.import_runs');
  assert.ok(states.every(({ state }) => state === 'done' || state === 'failed'));
}

function practice(t: Ending): string {
  return sqliteFile(t, (database) => {
    database.exec(
      'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE); CREATE TABLE visits (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people(id), note TEXT); CREATE INDEX by_person ON visits (person)',
    );
    const person = database.prepare('INSERT INTO people VALUES (?, ?)');
    const visit = database.prepare('INSERT INTO visits VALUES (?, ?, ?)');
    database.exec('BEGIN');
    for (let id = 1; id <= ROWS; id += 1) {
      person.run(id, `person ${id}`);
      visit.run(id, ((id * 7_919) % ROWS) + 1, 'note '.repeat(id % 20));
    }
    database.exec('COMMIT');
  });
}

async function startAndKill({ url, context }: Workbench, file: string, afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, file, context.home], {
    env: { ...process.env, SAFEKEEP_TEST_URL: url.reveal() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  // It says "ready" when it begins; starting the process itself is not what is tested.
  await Promise.race([once(child.stdout, 'data'), ended]);
  await Promise.race([wait(afterMs), ended]);
  child.kill('SIGKILL');
  await ended;
}

/** The final names show either what stood there before or the whole import; which of them is returned. */
async function assertWhole(pool: pg.Pool): Promise<'before' | 'imported'> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`,
  );
  const columns = rows.map(({ name }) => name).join(' ');
  if (columns === 'old') {
    assert.deepEqual((await pool.query('SELECT old FROM people')).rows, [{ old: 'kept' }]);
    return 'before';
  }
  assert.equal(columns, 'id name id person note');
  const counts =
    await pool.query(`SELECT (SELECT count(*)::int FROM people) AS people, (SELECT count(*)::int FROM visits) AS visits,
    (SELECT count(*)::int FROM pg_indexes WHERE schemaname = 'public') AS indexes, (SELECT count(*)::int FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'public'::regnamespace) AS keys`);
  assert.deepEqual(counts.rows, [{ people: ROWS, visits: ROWS, indexes: 4, keys: 1 }]);
  return 'imported';
}
