import type { Static, TObject } from 'typebox';
import { SafekeepError } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type { JobKind, Json, ScheduleView, TypedJobKind } from '../model.ts';
import { validPayload } from '../rules.ts';
import { openQueue } from '../store/schema.ts';
import { deleteSchedule, putSchedule, readSchedules, TICKS, type Schedule } from '../store/schedules.ts';
import { queueFor } from './open-jobs.ts';

export type ScheduleOptions<Payload extends TObject> = {
  readonly tenant: string;
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** IANA name; the hours of the schedule are this zone's, summer time included. */
  readonly timeZone: string;
  readonly payload: Static<Payload>;
};

/**
 * Runs a kind of job again and again; one schedule a kind and tenant. A run that fell into a time without workers is made up
 * for once.
 *
 * @throws `job-schedule-invalid`, `job-payload-invalid`, `job-tenant-unknown`.
 */
export async function setSchedule<Payload extends TObject>(
  database: Database,
  kind: TypedJobKind<Payload>,
  { tenant, cron, timeZone, payload }: ScheduleOptions<Payload>,
): Promise<ScheduleView> {
  // The schema decides in the next line whether it is what it says.
  const plain = validPayload(kind, payload as Json);
  const schedule: Schedule = { kind: kind.kind, cron, timeZone, version: kind.version, payload: plain };
  const view = await viewOf(database, schedule);
  await queueFor(database, TICKS, kind.kind);
  await inTenant(database, tenant, (client) => putSchedule(database, client, tenant, schedule));
  return view;
}

/**
 * Puts the kinds that run by themselves on schedule for a tenant. What it has scheduled already, at whatever time, stays as it is.
 * Answers what was added.
 */
export async function installSchedules(
  database: Database,
  kinds: readonly JobKind[],
  tenant: string,
): Promise<readonly ScheduleView[]> {
  const known = new Set((await listSchedules(database, tenant)).map(({ kind }) => kind));
  const added: ScheduleView[] = [];
  for (const kind of kinds) {
    const { schedule: cron } = kind;
    if (cron === undefined || known.has(kind.kind)) continue;
    added.push(await setSchedule(database, kind, { tenant, cron, timeZone: 'UTC', payload: {} }));
  }
  return added;
}

export async function listSchedules(database: Database, tenant: string): Promise<readonly ScheduleView[]> {
  const schedules = await inTenant(database, tenant, (client) => readSchedules(client, tenant));
  return await Promise.all(schedules.map((schedule) => viewOf(database, schedule)));
}

/** @throws `job-schedule-unknown`. */
export async function removeSchedule(database: Database, tenant: string, kind: string): Promise<void> {
  await queueFor(database);
  const removed = await inTenant(database, tenant, (client) => deleteSchedule(database, client, tenant, kind));
  if (!removed) throw new SafekeepError('job-schedule-unknown', { kind });
}

// pg-boss also reads recurrence rules and seconds; the promise is five fields, so that every cron tool can explain it.
const FIELDS = 5;

async function viewOf(database: Database, { kind, cron, timeZone }: Schedule): Promise<ScheduleView> {
  const refuse = (reason: string, cause?: unknown): SafekeepError =>
    new SafekeepError('job-schedule-invalid', { cron, timeZone, reason }, cause === undefined ? {} : { cause });
  if (cron.trim().split(/\s+/).length !== FIELDS) throw refuse('it has not five fields.');
  try {
    const queue = await openQueue(database);
    const [next] = queue.previewSchedule(cron, { tz: timeZone, count: 1 });
    if (next === undefined) throw refuse('it never comes.');
    return { kind, cron, timeZone, nextRunAt: next.toISOString() };
  } catch (error) {
    throw error instanceof SafekeepError ? error : refuse(error instanceof Error ? error.message : String(error), error);
  }
}
