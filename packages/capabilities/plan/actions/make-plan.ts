import type pg from 'pg';
import { formatTableName, tableName } from '@safekeep/core';
import { fingerprint, readUserCatalog, type Catalog } from '@safekeep/postgres';
import type { Contributor, Desired, Note, Plan, Problem, ReadMap, Step } from '../model.ts';
import { driftOf, driftOfObjects } from '../rules/drift.ts';
import { planHash, stepsOut, stepsToward } from '../rules/steps.ts';
import { readLive } from '../store/probe.ts';
import { readApplied } from '../store/records.ts';
import { readAllowed } from '../store/session.ts';

/** What a plan is made from, apart from the database. */
export type Intent = { readonly tenant: string; readonly read: ReadMap; readonly contributors: readonly Contributor[] };

/** What must be done for the database to be as the map wants it. Changes nothing. Runs inside the caller's transaction. */
export async function makePlan(client: pg.ClientBase, { tenant, read, contributors }: Intent): Promise<Plan> {
  const catalog = await readUserCatalog(client);
  const applied = await readApplied(client, tenant);
  const live = await readLive(client, applied.objects);
  const surroundings = {
    map: read.map,
    catalog,
    tenant,
    allowed: await readAllowed(client),
    applied: new Map(applied.objects.map(({ id, state }) => [id, state])),
  };
  const { objects, problems, notes } = joined(contributors.map((contribute) => contribute(surroundings)));
  const steps = stepsToward(objects, { applied: applied.objects, live });
  const structure = structureOf(catalog, steps);
  return {
    hash: planHash({ tenant, map: read.sha256, structure, steps }),
    structure,
    steps,
    problems,
    notes,
    drift: driftOf(applied, live, { map: read.map, catalog }),
    desired: new Map(objects.map((object) => [object.id, object])),
    catalog,
    applied,
  };
}

/** What must be done for nothing of Safekeep to be left. */
export async function makePlanOut(client: pg.ClientBase, tenant: string): Promise<Plan> {
  const catalog = await readUserCatalog(client);
  const applied = await readApplied(client, tenant);
  const live = await readLive(client, applied.objects);
  const steps = stepsOut({ applied: applied.objects, live });
  const structure = structureOf(catalog, steps);
  const hash = planHash({ tenant, map: '', structure, steps });
  return {
    hash,
    structure,
    steps,
    problems: [],
    notes: [],
    drift: driftOfObjects(applied.objects, live),
    desired: new Map(),
    catalog,
    applied,
  };
}

function joined(all: readonly Desired[]): Desired {
  return {
    objects: all.flatMap(({ objects }) => objects),
    problems: distinct<Problem>(all.flatMap(({ problems }) => problems)),
    notes: distinct<Note>(all.flatMap(({ notes }) => notes)),
  };
}

/** Several contributors meet the same missing table. */
function distinct<Told extends object>(all: readonly Told[]): readonly Told[] {
  return [...new Map(all.map((each) => [JSON.stringify(each), each])).values()];
}

/** Fingerprint of the tables that the steps touch. */
function structureOf(catalog: Catalog, steps: readonly Step[]): string {
  const touched = new Set(steps.flatMap(({ locks }) => locks.map(formatTableName)));
  const tables = catalog.tables.filter((table) => touched.has(tableName(table)));
  return fingerprint({ ...catalog, schemas: [], tables, types: [], functions: [], sequences: [] });
}
