import { createHash } from 'node:crypto';
import { readMap, systemClock } from '@safekeep/core';
import { applyPlan, type Intent } from '@safekeep/capabilities/plan';
import type { Database } from '@safekeep/postgres';

/** Brings what these contributors want of a map, as a file has it, onto the database. */
export async function applyMap(database: Database, file: object, contributors: Intent['contributors']): Promise<void> {
  const reading = readMap(file);
  if (!('map' in reading)) throw new Error(`The map is none: ${JSON.stringify(reading.faults.slice(0, 3))}`);
  const text = JSON.stringify(file);
  const read = { map: reading.map, text, sha256: createHash('sha256').update(text).digest('hex') };
  await applyPlan(
    { database, tenant: 'default', clock: systemClock, signal: new AbortController().signal, observe: () => undefined },
    { intent: { tenant: 'default', read, contributors }, author: 'bench', agree: async () => undefined },
  );
}
