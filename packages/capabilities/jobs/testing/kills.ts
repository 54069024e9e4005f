import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { seeded } from '@safekeep/postgres/testing';
import { enqueueBatch } from '../actions/enqueue.ts';
import { EFFECTS, STEPS, stepped } from './kinds.ts';
import { TENANT, until, type Workshop } from './workshop.ts';

export type KillPlan = {
  readonly kills: number;
  readonly workers: number;
  /** Jobs that are kept waiting, so that every kill strikes in the middle. */
  readonly backlog: number;
  readonly seed: number;
};

// A kill comes this long after a new process has begun to work, at most.
const LONGEST_MS = 400;

/** Kills worker processes with -9 at random moments, and proves that every effect of every job is there exactly once. */
export async function survivesKills(
  shop: Workshop,
  { kills, workers, backlog, seed }: KillPlan,
): Promise<{ readonly jobs: number; readonly struck: number }> {
  await shop.pool.query(EFFECTS);
  const crew = await openCrew(shop, workers);
  const random = seeded(seed);
  let jobs = 0;
  let struck = 0;
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      jobs += await topUp(shop, backlog);
      await wait(random() * LONGEST_MS);
      const victim = Math.floor(random() * workers);
      struck += await crew.kill(victim);
    }
    await until(async () => (await shop.pool.query("select from safekeep.jobs where state <> 'done'")).rowCount === 0, 60_000);
  } finally {
    await crew.dismiss();
  }
  const { rows } = await shop.pool.query<{ doubled: number; lost: number }>(
    `select count(*) filter (where n > 1)::int as doubled, count(*) filter (where n = 0)::int as lost from (
       select count(e.job_id) as n from safekeep.jobs j cross join generate_series(1, $1) as s (step)
         left join public.effects e on e.job_id = j.job_id and e.step = s.step group by j.job_id, s.step) as counted`,
    [STEPS],
  );
  assert.deepEqual(rows, [{ doubled: 0, lost: 0 }]);
  const { rows: totals } = await shop.pool.query<{ jobs: number; effects: number }>(
    'select (select count(*)::int from safekeep.jobs) as jobs, (select count(*)::int from public.effects) as effects',
  );
  assert.deepEqual(totals, [{ jobs, effects: jobs * STEPS }]);
  return { jobs, struck };
}

async function topUp(shop: Workshop, backlog: number): Promise<number> {
  const { rows } = await shop.pool.query<{ waiting: number }>(
    "select count(*)::int as waiting from safekeep.jobs where state <> 'done'",
  );
  const missing = Math.max(0, backlog - (rows[0]?.waiting ?? 0));
  await enqueueBatch(
    shop.database,
    stepped,
    Array.from({ length: missing }, () => ({ payload: {} })),
    { tenant: TENANT },
  );
  return missing;
}

type Crew = {
  /** Kills one and puts another in its place. Returns how many jobs were held at that moment. */
  readonly kill: (index: number) => Promise<number>;
  /** Tells all to drain, and waits until they have gone. */
  readonly dismiss: () => Promise<void>;
};

/** Worker processes on the workshop's database. */
export async function openCrew(shop: Workshop, size: number): Promise<Crew> {
  const directory = await mkdtemp(join(tmpdir(), 'safekeep-crew-'));
  const members = Array.from({ length: size }, () => hire(shop, directory));
  return {
    kill: async (index) => {
      const victim = await members[index];
      assert.ok(victim);
      await ended(victim, 'SIGKILL');
      const { rowCount } = await shop.pool.query("select from safekeep_jobs.job where state = 'active'");
      // Not waited for: the others work on while this one starts.
      members[index] = hire(shop, directory);
      return rowCount ?? 0;
    },
    dismiss: async () => {
      await Promise.all(members.map(async (member) => await ended(await member, 'SIGTERM')));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function hire(shop: Workshop, directory: string): Promise<ChildProcess> {
  const program = join(import.meta.dirname, 'worker.test-process.ts');
  const child = fork(program, [shop.url.reveal(), directory], { stdio: 'inherit' });
  await Promise.race([once(child, 'message'), once(child, 'exit')]);
  return child;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}
