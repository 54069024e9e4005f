import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { openLog } from '@safekeep/log';
import type { Database } from '@safekeep/postgres';
import type { CommandContext } from '../capability.ts';
import type { JobContext } from '../jobs/index.ts';
import { listRing } from './actions/list-keys.ts';
import { keyJobs } from './jobs.ts';
import { CONTEXT, opening, PLAIN, sealed, workbench, type Workbench } from './testing/workbench.ts';

/** Every connection as the login of a worker has it. */
function asApplication(database: Database): Database {
  return {
    ...database,
    withClient: (run) =>
      database.withClient(async (client) => {
        await client.query('set role safekeep_app');
        try {
          return await run(client);
        } finally {
          await client.query('reset role');
        }
      }),
  };
}

function jobOf({ database, home, clock }: Workbench, isHosted = true) {
  const log = openLog({ directory: join(home, 'log'), level: 'info', clock, component: 'test', environment: {} });
  // What the job asks of the command that serves, of which a test makes no whole one.
  const host = {
    home,
    clock,
    configuration: { rootKind: 'file', rootTimeoutMs: 1_000 },
    say: () => undefined,
  } as unknown as CommandContext;
  const context = {
    database: asApplication(database),
    tenant: 'default',
    clock,
    signal: new AbortController().signal,
    progress: () => undefined,
    log,
    ...(isHosted ? { host } : {}),
  } as unknown as JobContext; // As above: the parts that the job uses.
  const [kind] = keyJobs(undefined);
  assert.ok(kind !== undefined);
  return { run: () => kind.run(context, {} as never), end: () => log.close() }; // Its payload is empty.
}

test('the weekly job rolls the epoch under the login of a worker, and the alert of an old one goes', async (t) => {
  const bench = await workbench(t);
  const job = jobOf(bench);
  t.after(async () => job.end());
  assert.deepEqual(await job.run(), { rewrapped: 0 }, 'before anything was sealed there is nothing to do');
  const { id, bytes } = await sealed(bench, 1);
  const alerts = async () => (await listRing(bench.ring(), 'default', { limit: 1, places: undefined })).alerts;
  bench.clock.advanceMs(7 * 86_400_000);
  assert.ok(!(await alerts()).includes('epoch-overdue'), 'a job that comes at its hour is not late');
  bench.clock.advanceMs(86_400_000);
  assert.ok((await alerts()).includes('epoch-overdue'));
  assert.deepEqual(await job.run(), { from: 1, to: 2, rewrapped: 2 });
  assert.ok(!(await alerts()).includes('epoch-overdue'));
  const key = await opening(bench, id);
  assert.ok(key !== undefined && key !== 'erased');
  assert.deepEqual(key.open(bytes, CONTEXT), PLAIN);
});

test('a worker without a home does not touch keys', async (t) => {
  const bench = await workbench(t);
  const job = jobOf(bench, false);
  t.after(async () => job.end());
  await assert.rejects(job.run(), (error) => isSafekeepError(error, 'job-needs-home'));
});
