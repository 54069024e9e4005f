import type { CommandContext } from '@safekeep/capabilities/capability';
import { keepSequencing, openSequencer } from '@safekeep/capabilities/audit';
import { installSchedules, prepareJobs, startWorker, type JobKind } from '@safekeep/capabilities/jobs';
import { SafekeepError, type Secret } from '@safekeep/core';
import { makeRuntimeLogin, openDatabase, readServerHealth, runtimePassword, type Database } from '@safekeep/postgres';

// Heartbeats and what became of jobs never stand in line behind the jobs' own transactions.
const CONTROL_CONNECTIONS = 4;

/** Runs a worker until the context's signal is aborted, then drains it: running jobs reach their end or next checkpoint. */
export async function serveJobs(context: CommandContext, kinds: readonly JobKind[]): Promise<void> {
  const admin = await context.database();
  await prepareJobs(admin);
  const url = await runtimeUrl(context, admin);
  const { poolMax, connectTimeoutMs } = context.configuration;
  const database = await openDatabase(url, { poolMax, connectTimeoutMs, applicationName: 'safekeep worker' });
  const control = await openDatabase(url, {
    poolMax: CONTROL_CONNECTIONS,
    connectTimeoutMs,
    applicationName: 'safekeep worker control',
  });
  try {
    await refuseStrongLogin(database);
    for (const { kind, cron } of await installSchedules(admin, kinds, context.tenant))
      context.say(
        `${kind} is on schedule now (${cron}, UTC): \`safekeep jobs schedule\` shows it, \`jobs schedule set\` changes it.`,
      );
    const worker = await startWorker({ database, control, kinds, clock: context.clock, log: context.log, host: context });
    context.say(`The worker takes jobs (${kinds.map(({ kind }) => kind).join(', ')}). Ctrl-C ends it when its jobs are safe.`);
    // Beside the jobs, by the login that owns the log: the worker's own may not write into it. Many may run, one is at work.
    const sequencer = await openSequencer(context);
    try {
      const sequencing = keepSequencing(sequencer, context.signal);
      await aborted(context.signal);
      await Promise.all([worker.drain(), sequencing]);
    } finally {
      await sequencer.keys.close();
    }
  } finally {
    await Promise.all([database.close(), control.close()]);
  }
}

/** The embedded server gets a login for its worker; a user's server has to bring one. */
async function runtimeUrl({ configuration, databaseUrl, home }: CommandContext, admin: Database): Promise<Secret> {
  if (configuration.runtimeUrl !== undefined) return configuration.runtimeUrl;
  const url = await databaseUrl();
  return admin.server.embedded ? await makeRuntimeLogin(admin, url, await runtimePassword(home)) : url;
}

async function refuseStrongLogin(database: Database): Promise<void> {
  const { user, strength } = await readServerHealth(database);
  if (strength !== undefined) throw new SafekeepError('runtime-role-too-strong', { user, reason: strength });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
