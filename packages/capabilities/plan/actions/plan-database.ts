import type { Database } from '@safekeep/postgres';
import type { Plan, StatusText } from '../model.ts';
import { stepText } from '../rules/text.ts';
import { beginReading, rollback } from '../store/session.ts';
import { makePlan, makePlanOut, type Intent } from './make-plan.ts';

/** The difference between map and database. Only reads, also where Safekeep's schema does not stand yet. */
export async function planDatabase(database: Database, intent: Intent): Promise<Plan> {
  return await database.withClient(async (client) => {
    await beginReading(client, intent.tenant);
    const plan = await makePlan(client, intent);
    await rollback(client);
    return plan;
  });
}

/** What `unapply` would do. Only reads. */
export async function planRemoval(database: Database, tenant: string): Promise<Plan> {
  return await database.withClient(async (client) => {
    await beginReading(client, tenant);
    const plan = await makePlanOut(client, tenant);
    await rollback(client);
    return plan;
  });
}

/** Whether what was applied still stands, and what the map asks for beyond it. Only reads. */
export async function readStatus(database: Database, intent: Intent): Promise<StatusText> {
  const { steps, drift, problems, notes, applied } = await planDatabase(database, intent);
  // What has drifted is told as that, not a second time as work to do.
  const drifted = new Set(drift.map(({ object }) => object));
  const pending = steps.filter(({ object }) => !drifted.has(object)).map(stepText);
  return {
    ok: drift.length === 0,
    drift: [...drift],
    pending,
    problems: [...problems],
    notes: [...notes],
    applied: applied.objects.length,
  };
}
