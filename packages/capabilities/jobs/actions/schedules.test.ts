import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@safekeep/core/schema';
import { isSafekeepError } from '@safekeep/core';
import { job } from '../model.ts';
import { openWorkshop, TENANT, until } from '../testing/workshop.ts';
import { listJobs } from './list-jobs.ts';
import { installSchedules, listSchedules, removeSchedule, setSchedule } from './schedules.ts';

const kind = job({
  kind: 'nightly',
  payload: Type.Object({ depth: Type.Integer() }),
  version: 1,
  retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } },
  timeoutMs: 10_000,
  concurrency: { perWorker: 1 },
  run: async (_context, { depth }) => depth,
});

test('a schedule that is due becomes one job, however many workers there are, with the payload of the schedule', async (t) => {
  const shop = await openWorkshop(t);
  await setSchedule(shop.database, kind, { tenant: TENANT, cron: '* * * * *', timeZone: 'Europe/Berlin', payload: { depth: 7 } });
  await Promise.all([shop.worker([kind]), shop.worker([kind])]);
  const done = await until(async () => {
    const { jobs } = await listJobs(shop.database, { tenant: TENANT, state: 'done', limit: 10 });
    return jobs.length > 0 && jobs;
  });
  const [first] = done;
  assert.ok(first);
  assert.deepEqual([first.kind, (await shop.show(first.id as never)).result], ['nightly', 7]);
  // One a minute: two only if a minute began meanwhile.
  assert.ok(done.length <= 2);
});

test('a kind that runs by itself is put on schedule once, and what somebody set for it stays', async (t) => {
  const shop = await openWorkshop(t);
  const hourly = job({ ...kind, kind: 'hourly', payload: Type.Object({}), schedule: '11 * * * *', run: async () => null });
  const installed = await installSchedules(shop.database, [kind, hourly], TENANT);
  assert.deepEqual(
    installed.map(({ kind: name, cron, timeZone }) => [name, cron, timeZone]),
    [['hourly', '11 * * * *', 'UTC']],
  );
  await setSchedule(shop.database, hourly, { tenant: TENANT, cron: '0 4 * * *', timeZone: 'Asia/Tokyo', payload: {} });
  assert.deepEqual(await installSchedules(shop.database, [kind, hourly], TENANT), []);
  assert.deepEqual(
    (await listSchedules(shop.database, TENANT)).map(({ cron, timeZone }) => [cron, timeZone]),
    [['0 4 * * *', 'Asia/Tokyo']],
  );
  await assert.rejects(installSchedules(shop.database, [hourly], 'nobody'), (error) =>
    isSafekeepError(error, 'job-tenant-unknown'),
  );
});

test("the hours of a schedule are those of its time zone, summer and winter; setting it again replaces it; another tenant's stays", async (t) => {
  const shop = await openWorkshop(t);
  await shop.pool.query("insert into safekeep.tenants (tenant_id, name) values ('other', 'Other')");
  const set = (tenant: string, cron: string, timeZone: string) =>
    setSchedule(shop.database, kind, { tenant, cron, timeZone, payload: { depth: 1 } });
  const berlin = await set(TENANT, '30 3 * * *', 'Europe/Berlin');
  const hours = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit' });
  assert.equal(hours.format(new Date(berlin.nextRunAt)), '03:30');
  const utc = await set(TENANT, '15 4 * * *', 'UTC');
  assert.match(utc.nextRunAt, /T04:15:00/);
  await set('other', '0 0 * * *', 'UTC');
  assert.deepEqual(
    (await listSchedules(shop.database, TENANT)).map(({ cron }) => cron),
    ['15 4 * * *'],
  );
  await removeSchedule(shop.database, TENANT, 'nightly');
  assert.deepEqual(await listSchedules(shop.database, TENANT), []);
  assert.equal((await listSchedules(shop.database, 'other')).length, 1);
  assert.equal((await shop.pool.query('select from safekeep_jobs.schedule')).rowCount, 1);
  await assert.rejects(removeSchedule(shop.database, TENANT, 'nightly'), (error) => isSafekeepError(error, 'job-schedule-unknown'));
});

test('a schedule or a time zone that cannot be is refused and nothing is changed', async (t) => {
  const shop = await openWorkshop(t);
  for (const [cron, timeZone] of [
    ['61 * * * *', 'UTC'],
    ['* * * * *', 'Mars/Olympus'],
    ['whenever', 'UTC'],
    ['* * * * * *', 'UTC'],
    ['0 0 30 2 *', 'UTC'],
  ] as const) {
    await assert.rejects(
      setSchedule(shop.database, kind, { tenant: TENANT, cron, timeZone, payload: { depth: 1 } }),
      (error) => isSafekeepError(error, 'job-schedule-invalid'),
      `${cron} ${timeZone}`,
    );
  }
  assert.equal((await shop.pool.query('select from safekeep.job_schedules')).rowCount, 0);
});

test('a schedule for a tenant that is not there is refused, and pg-boss has none either', async (t) => {
  const shop = await openWorkshop(t);
  await assert.rejects(
    setSchedule(shop.database, kind, { tenant: 'nobody', cron: '* * * * *', timeZone: 'UTC', payload: { depth: 1 } }),
    (error) => isSafekeepError(error, 'job-tenant-unknown'),
  );
  assert.equal((await shop.pool.query('select from safekeep_jobs.schedule')).rowCount, 0);
});
