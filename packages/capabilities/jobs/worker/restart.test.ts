import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '@safekeep/core';
import { openLog } from '@safekeep/log';
import { embeddedDirectory, migrateUp, openDatabase, openEmbedded } from '@safekeep/postgres';
import { enqueue } from '../actions/enqueue.ts';
import { EFFECTS, STEPS, stepped } from '../testing/kinds.ts';
import { fastTiming, TENANT, until } from '../testing/workshop.ts';
import { startWorker } from './worker.ts';

const JOBS = 150;

test('a database that is restarted, and killed, under load loses nothing and doubles nothing; workers find back by themselves', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'safekeep-restart-'));
  await chmod(home, 0o711);
  t.after(() => rm(home, { recursive: true, force: true }));
  const log = openLog({ directory: join(home, 'log'), level: 'warn', clock: systemClock, component: 'worker' });
  let lease = await openEmbedded(home, { purpose: 'restart test', runtimeDirectory: join(home, 'runtime') });
  const database = await openDatabase(lease.url);
  await migrateUp(database);
  await database.withClient((client) => client.query(EFFECTS));
  const crew = await Promise.all(
    [1, 2].map(() => startWorker({ database, kinds: [stepped], clock: systemClock, log, timing: fastTiming })),
  );
  const remaining = async (): Promise<number> =>
    await database.withClient(
      async (client) => (await client.query("select from safekeep.jobs where state <> 'done'")).rowCount ?? 0,
    );
  // As an application does it: ask again with the same key until there is an answer.
  const ending = new AbortController();
  const feeding = (async () => {
    for (let number = 0; number < JOBS && !ending.signal.aborted; number += 1) {
      await until(() => enqueue(database, stepped, {}, { tenant: TENANT, key: String(number) }).catch(() => ending.signal.aborted));
    }
  })();
  try {
    await until(async () => (await remaining()) > 5);
    await lease.release();
    lease = await openEmbedded(home, { purpose: 'restart test', runtimeDirectory: join(home, 'runtime') });
    await until(() =>
      remaining().then(
        (count) => count > 0,
        () => false,
      ),
    );
    const directory = (await embeddedDirectory(home)) ?? '';
    process.kill(Number((await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]), 'SIGKILL');
    await lease.release();
    lease = await openEmbedded(home, { purpose: 'restart test', runtimeDirectory: join(home, 'runtime') });
    await feeding;
    await until(() =>
      remaining().then(
        (count) => count === 0,
        () => false,
      ),
    );
    const { rows } = await database.withClient((client) =>
      client.query('select count(*)::int as effects, count(distinct (job_id, step))::int as different from public.effects'),
    );
    assert.deepEqual(rows, [{ effects: JOBS * STEPS, different: JOBS * STEPS }]);
  } finally {
    ending.abort();
    await feeding;
    await Promise.all(crew.map((worker) => worker.drain()));
    await database.close();
    await lease.release();
    log.close();
  }
});
