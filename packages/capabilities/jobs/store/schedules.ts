import type pg from 'pg';
import type { PgBoss } from 'pg-boss';
import type { Database } from '@safekeep/postgres';
import type { JobId, Json } from '../model.ts';
import { openQueue } from './schema.ts';
import { ofKnownTenant } from './tenant.ts';
import { sessionOf } from './transaction.ts';

/**
 * pg-boss's schedules drop a tick into this queue, which names a tenant and a kind; the worker that takes it enqueues the
 * job. So the payload stays behind row security, and a scheduled job is a job like any other.
 */
export const TICKS = 'schedule-ticks';

export type Schedule = {
  readonly kind: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly version: number;
  readonly payload: Json;
};

type Row = {
  readonly kind: string;
  readonly cron: string;
  readonly time_zone: string;
  readonly payload_version: number;
  readonly payload: Json;
};

const COLUMNS = 'kind, cron, time_zone, payload_version, payload';

export async function readSchedules(client: pg.ClientBase, tenant: string): Promise<readonly Schedule[]> {
  const { rows } = await client.query<Row>(`select ${COLUMNS} from safekeep.job_schedules where tenant_id = $1 order by kind`, [
    tenant,
  ]);
  return rows.map(scheduleOf);
}

export async function readSchedule(client: pg.ClientBase, tenant: string, kind: string): Promise<Schedule | undefined> {
  const { rows } = await client.query<Row>(`select ${COLUMNS} from safekeep.job_schedules where tenant_id = $1 and kind = $2`, [
    tenant,
    kind,
  ]);
  return rows.map(scheduleOf)[0];
}

/** In the caller's transaction: our row and pg-boss's schedule stand together or not at all. */
export async function putSchedule(database: Database, client: pg.ClientBase, tenant: string, schedule: Schedule): Promise<void> {
  const { kind, cron, timeZone, version, payload } = schedule;
  await ofKnownTenant(tenant, () =>
    client.query(
      `insert into safekeep.job_schedules (tenant_id, kind, cron, time_zone, payload_version, payload) values ($1, $2, $3, $4, $5, $6)
       on conflict (tenant_id, kind) do update set cron = excluded.cron, time_zone = excluded.time_zone,
         payload_version = excluded.payload_version, payload = excluded.payload, updated_at = now()`,
      [tenant, kind, cron, timeZone, version, JSON.stringify(payload)],
    ),
  );
  // A run that fell into a time without workers is made up for once, however many were missed.
  const queue = await within(database, client);
  await queue.schedule(TICKS, cron, { tenant, kind }, { tz: timeZone, key: keyOf(tenant, kind), missed: 'once' });
}

/** False when there was none. */
export async function deleteSchedule(database: Database, client: pg.ClientBase, tenant: string, kind: string): Promise<boolean> {
  const { rowCount } = await client.query('delete from safekeep.job_schedules where tenant_id = $1 and kind = $2', [tenant, kind]);
  const queue = await within(database, client);
  await queue.unschedule(TICKS, keyOf(tenant, kind));
  return rowCount === 1;
}

export type Tick = { readonly id: JobId; readonly tenant: string; readonly kind: string };

export async function pullTicks(queue: PgBoss, client: pg.ClientBase, limit: number): Promise<readonly Tick[]> {
  const ticks = await queue.fetch<{ tenant: string; kind: string }>(TICKS, { batchSize: limit, db: sessionOf(client) });
  // Only putSchedule writes there; the id is a job id of pg-boss's own making.
  return ticks.map(({ id, data }) => ({ id: id as JobId, tenant: data.tenant, kind: data.kind }));
}

export async function popTicks(queue: PgBoss, client: pg.ClientBase, ticks: readonly Tick[]): Promise<void> {
  await queue.complete(
    TICKS,
    ticks.map(({ id }) => id),
    null,
    { db: sessionOf(client) },
  );
}

/** pg-boss takes a transaction with most calls; for its schedules it has to be the handle's own connection. */
async function within(database: Database, client: pg.ClientBase): Promise<PgBoss> {
  return await openQueue(database, sessionOf(client));
}

/** pg-boss allows letters, digits, `_`, `-`, `.` and `/` in a key; a tenant and a kind have no slash. */
function keyOf(tenant: string, kind: string): string {
  return `${tenant}/${kind}`;
}

function scheduleOf(row: Row): Schedule {
  return { kind: row.kind, cron: row.cron, timeZone: row.time_zone, version: row.payload_version, payload: row.payload };
}
