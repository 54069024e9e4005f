import { createHash } from 'node:crypto';
import type pg from 'pg';
import { readMap, systemClock } from '@safekeep/core';
import { fingerprint, readUserCatalog, type Catalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '@safekeep/postgres/testing';
import { applyPlan, type ApplyOptions } from '../actions/apply-plan.ts';
import type { Ground, Observer } from '../actions/execute.ts';
import type { Intent } from '../actions/make-plan.ts';
import { planDatabase, readStatus } from '../actions/plan-database.ts';
import { unapply, type Guard, type Unapplied } from '../actions/unapply.ts';
import { columnComments } from '../contributors/column-comments.ts';
import type { ApplyText, Contributor, Plan, ReadMap, StatusText } from '../model.ts';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

/** The tables of a map as a file has them: `{ 'public.patients': { columns: { ssn: { category: 'user.name' } } } }`. */
export type TableTexts = Readonly<Record<string, object>>;

export type Workbench = TestDatabase & {
  readonly ground: Ground;
  readonly intent: (tables: TableTexts, contributors?: readonly Contributor[]) => Intent;
  readonly plan: (intent: Intent) => Promise<Plan>;
  readonly apply: (intent: Intent, options?: Partial<ApplyOptions> & { readonly observe?: Observer }) => Promise<ApplyText>;
  readonly status: (intent: Intent) => Promise<StatusText>;
  readonly unapply: (...guards: readonly Guard[]) => Promise<Unapplied>;
  /** Everything about the user's schemas that could have changed: their fingerprint and every comment. */
  readonly userState: () => Promise<UserState>;
};

export type UserState = { readonly fingerprint: string; readonly comments: readonly string[] };

/** A database with Safekeep's schema and these tables of a user's. */
export async function workbench(
  t: Ending,
  { setUp = '', server = testServers()[0] }: { readonly setUp?: string; readonly server?: TestServer } = {},
): Promise<Workbench> {
  const made = await testDatabase(t, { migrated: true, server });
  if (setUp !== '') await made.pool.query(setUp);
  const { database, pool } = made;
  const ground: Ground = {
    patience: { tries: 2, lockTimeoutMs: 50, pauseMs: 1 },
    database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
  };
  return {
    ...made,
    ground,
    intent: (tables, contributors = [columnComments]) => ({ tenant: 'default', contributors, read: mapOf({ tables }) }),
    plan: (intent) => planDatabase(database, intent),
    apply: (intent, { observe = ground.observe, ...options } = {}) =>
      applyPlan({ ...ground, observe }, { intent, author: 'Ada', agree: agreed, ...options }),
    status: (intent) => readStatus(database, intent),
    unapply: (...guards) => unapply(ground, { guards, agree: agreed }),
    userState: () => userState(pool),
  };
}

/** A map of these parts, with the hash of its text. */
export function mapOf(parts: object): ReadMap {
  const file = { version: 1, tenant: 'fixed', ...parts };
  const reading = readMap(file);
  const text = JSON.stringify(file);
  if (!('map' in reading)) throw new Error(`The test's map is none: ${JSON.stringify(reading.faults)}`);
  return { map: reading.map, text, sha256: createHash('sha256').update(text).digest('hex') };
}

/** A category for each column of these tables. */
export function mapEverything(catalog: Catalog): TableTexts {
  return Object.fromEntries(
    catalog.tables
      .filter(({ kind, partition }) => kind !== 'view' && partition === null)
      .map(({ schema, name, columns }) => [
        `"${schema}"."${name.replaceAll('"', '""')}"`,
        { columns: Object.fromEntries(columns.map((column) => [column.name, { category: 'user.contact.email' }])) },
      ]),
  );
}

export async function userCatalog(pool: pg.Pool): Promise<Catalog> {
  const client = await pool.connect();
  try {
    return await readUserCatalog(client);
  } finally {
    client.release();
  }
}

async function userState(pool: pg.Pool): Promise<UserState> {
  const catalog = await userCatalog(pool);
  const comments = catalog.tables.flatMap(({ schema, name, columns, comment }) =>
    [{ name: '', comment }, ...columns].map((each) => JSON.stringify([schema, name, each.name, each.comment])),
  );
  return { fingerprint: fingerprint(catalog), comments };
}

async function agreed(): Promise<void> {}
