import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import fc from 'fast-check';
import { testServers } from '@safekeep/postgres/testing';
import { catchUp } from './catch-up.ts';
import { cutOver } from './cut-over.ts';
import { stopFollowing } from './stop.ts';
import { assertSame, changeShop, fillShop, seededChance } from './testing/shop.ts';
import { followedShop, openShop, type TestContext } from './testing/followed-shop.ts';
import { importAndFollow } from '../actions/import-and-follow.ts';
import { importOptions, workbench } from '../testing/workbench.ts';

const SWITCH = { closeSource: false, verify: 'changed', wayBackDays: 0 } as const;

for (const server of testServers()) {
  test(`changes of every kind come over, catching up twice changes nothing more, and the cut-over leaves both sides equal, on PostgreSQL ${server.name}`, async (t) => {
    const { context, pool, sqlite, runId } = await followedShop(t, { server });
    const chance = seededChance(7);
    for (let round = 0; round < 3; round += 1) {
      for (let change = 0; change < 150; change += 1) changeShop(sqlite, chance);
      const first = await catchUp(context, runId);
      assert.ok(first.changes > 0 && first.written > 0);
      await assertSame(sqlite, pool);
      const again = await catchUp(context, runId);
      assert.deepEqual([again.changes, again.written, again.deleted, again.position], [0, 0, 0, first.position]);
    }
    for (let change = 0; change < 50; change += 1) changeShop(sqlite, chance);
    const result = await cutOver(context, runId, { ...SWITCH, verify: 'full' });
    assert.equal(result.state, 'cut-over');
    assert.deepEqual(
      result.foreignKeys.map(({ state }) => state),
      ['valid'],
    );
    await assertSame(sqlite, pool);
    // The identity goes on behind the largest number the source ever gave out.
    const [given] = sqlite.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'people'`).all();
    const { rows } = await pool.query(`INSERT INTO people (name) VALUES ('new') RETURNING id`);
    assert.equal(rows[0].id, String(Number(given?.['seq']) + 1));
    await stopFollowing(context, runId);
    assert.deepEqual(sqlite.prepare(`SELECT name FROM sqlite_schema WHERE name LIKE 'safekeep%'`).all(), []);
  });
}

/** An application in a process of its own, which writes until it is told to stop or finds the file closed. */
function startWriter(
  t: TestContext,
  file: string,
): { readonly writing: Promise<void>; readonly stop: () => Promise<{ changes: number; closed: boolean }> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testing', 'writer.test-process.ts'), file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  const lines = createInterface(child.stdout);
  const writing = once(lines, 'line').then(() => undefined);
  const last = writing.then(async () => {
    const [line] = await once(lines, 'line');
    return JSON.parse(String(line));
  });
  return {
    writing,
    stop: async () => {
      if (child.exitCode === null) child.stdin.write('\n');
      const result = await last;
      await closed;
      return result;
    },
  };
}

test('an application writes through the import, the catching up and the cut-over; nothing of it is lost, and then the file is closed to it', async (t) => {
  const { context, pool } = await workbench(t);
  const { file, sqlite } = openShop(t);
  sqlite.close();
  const writer = startWriter(t, file);
  await writer.writing;
  const { runId, state } = await importAndFollow(context, importOptions(file));
  assert.equal(state, 'done');
  for (let round = 0; round < 4; round += 1) await catchUp(context, runId);
  const result = await cutOver(context, runId, { closeSource: true, verify: 'full', wayBackDays: 1 });
  const { changes, closed } = await writer.stop();
  assert.ok(closed, 'the application was shut out');
  assert.ok(changes > 100 && result.changes > 0, `${changes} changes were made meanwhile`);
  sqlite.open();
  await assertSame(sqlite, pool);
});

test('whatever the application does in whatever order, with recursive triggers or without, catching up makes both sides equal', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      fc.boolean(),
      async (seed, changes, recursive, references) => {
        sqlite.exec(`PRAGMA recursive_triggers = ${recursive ? 'ON' : 'OFF'}; PRAGMA foreign_keys = ${references ? 'ON' : 'OFF'}`);
        const chance = seededChance(seed);
        for (let change = 0; change < changes; change += 1) changeShop(sqlite, chance);
        await catchUp(context, runId);
        await assertSame(sqlite, pool);
      },
    ),
    { numRuns: 40 },
  );
});

test('a foreign key that rows of the source have come to violate binds new rows only, and is told', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t);
  sqlite.exec('PRAGMA foreign_keys = OFF; UPDATE notes SET person = 777 WHERE id = 1');
  const { foreignKeys } = await cutOver(context, runId, SWITCH);
  assert.deepEqual(
    foreignKeys.map(({ name, state }) => [name, state]),
    [['notes.notes_person_fkey', 'not-valid']],
  );
  await assert.rejects(pool.query('INSERT INTO notes VALUES (1000, 778)'), /violates foreign key/);
});

test('more changed rows than fit into one piece of the wire come over whole', async (t) => {
  const { context, pool, sqlite, runId } = await followedShop(t, { fill: (database) => fillShop(database, 10_000) });
  sqlite.exec(`UPDATE people SET name = 'changed ' || id`);
  const result = await cutOver(context, runId, SWITCH);
  assert.equal(result.written, 10_000);
  await assertSame(sqlite, pool);
});
