import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { catchUp } from '../catch-up.ts';
import { assertSame, changeShop, fillShop, seededChance } from './shop.ts';
import { followedShop, type TestContext } from './followed-shop.ts';

const CHANGES = 400;
// About as long as catching up with them takes on a slow machine; the kills are spread over it.
const ROUND_MS = 250;
const CHILD = join(import.meta.dirname, 'catch-up.test-process.ts');

/**
 * Kills a catching up at random moments. Money moves between accounts in each transaction of the source, so a state that never
 * was shows in the sum. After each kill the target is at a whole state, and at the end a quiet run makes both sides equal.
 */
export async function killAndCatchUp(t: TestContext, kills: number, random: () => number): Promise<void> {
  const shop = await followedShop(t, {
    fill: (database) => {
      fillShop(database);
      database.exec(
        `CREATE TABLE accounts (id INTEGER PRIMARY KEY, cents INTEGER); WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 100) INSERT INTO accounts SELECT id, 1000 FROM n`,
      );
    },
  });
  const { sqlite, pool, context, url, runId } = shop;
  const chance = seededChance(kills);
  let moved = 0;
  let before = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    sqlite.exec('BEGIN');
    for (let change = 0; change < CHANGES; change += 1) changeShop(sqlite, chance);
    sqlite.exec('COMMIT');
    for (let transfer = 0; transfer < 200; transfer += 1) {
      const [from, to] = [chance(100) + 1, chance(100) + 1];
      sqlite.exec(
        `BEGIN; UPDATE accounts SET cents = cents - 7 WHERE id = ${from}; UPDATE accounts SET cents = cents + 7 WHERE id = ${to}; COMMIT`,
      );
    }
    const child = spawn(process.execPath, [CHILD, runId], {
      env: { ...process.env, SAFEKEEP_TEST_URL: url.reveal() },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    // It says "ready" when it begins; starting the process itself is not what is tested.
    await Promise.race([once(child.stdout, 'data'), ended]);
    await Promise.race([wait(random() * ROUND_MS), ended]);
    child.kill('SIGKILL');
    await ended;
    const { rows } = await pool.query<{ sum: string; position: string }>(
      `SELECT (SELECT sum(cents) FROM accounts) AS sum, position FROM safekeep.import_follows WHERE run_id = $1`,
      [runId],
    );
    assert.equal(rows[0]?.sum, '100000', 'the target is at a state that the source once had');
    const position = Number(rows[0]?.position);
    assert.ok(position >= before, 'the position never goes back');
    if (position > before) moved += 1;
    before = position;
  }
  await catchUp(context, runId);
  await assertSame(sqlite, pool);
  assert.ok(kills < 10 || moved < kills, `of ${kills} kills ${kills - moved} came before the end of the round`);
}
