import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfiguration, readMap, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { openLog, type OpenLog } from '@safekeep/log';
import { fingerprint, readCatalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '@safekeep/postgres/testing';
import { auditCapture, auditKeys, baselineHeads, lastCheckpoint, sequence } from '../../audit/index.ts';
import { keysOfHome } from '../../encryption/index.ts';
import {
  applyPlan,
  planDatabase,
  readStatus,
  unapply,
  type ApplyText,
  type Ground,
  type Intent,
  type Plan,
  type ReadMap,
  type StatusText,
} from '../../plan/index.ts';
import { structureWatch } from '../contributors/structure-watch.ts';

type Ending = { readonly after: (run: () => Promise<void>) => void };

/** A database with Safekeep's schema, and maps that are brought onto it, with the capture of changes and the watch over the structure. */
export type Planned = TestDatabase & {
  readonly plan: (map: object, tenant?: string) => Promise<Plan>;
  readonly apply: (map: object, tenant?: string) => Promise<ApplyText>;
  readonly status: (map: object) => Promise<StatusText>;
  readonly unapply: () => Promise<void>;
  /** Of the user's own schema. */
  readonly fingerprint: () => Promise<string>;
};

export async function planned(
  t: Ending,
  { setUp = '', server = testServers()[0] }: { readonly setUp?: string; readonly server?: TestServer } = {},
): Promise<Planned> {
  const made = await testDatabase(t, { migrated: true, server });
  if (setUp !== '') await made.pool.query(setUp);
  const { database, pool } = made;
  const ground = (tenant: string): Ground => ({
    database,
    tenant,
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
  });
  return {
    ...made,
    plan: (map, tenant = 'default') => planDatabase(database, intentOf(map, tenant)),
    apply: (map, tenant = 'default') => applyPlan(ground(tenant), { intent: intentOf(map, tenant), author: 'Ada', agree }),
    status: (map) => readStatus(database, intentOf(map, 'default')),
    unapply: async () => {
      await unapply(ground('default'), { guards: [], agree });
    },
    fingerprint: async () => fingerprint(await readCatalog(pool, { schemas: ['public'] })),
  };
}

/** What was captured on this database comes into the log with each call. */
export async function sequencerOf(t: Ending, { database }: TestDatabase): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), 'safekeep-discovery-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const clock = systemClock;
  const configuration = readConfiguration({ flags: {}, environment: {}, file: {}, readFile: () => '' });
  const ring = keysOfHome({ home, configuration, clock, say: () => undefined }, database);
  t.after(async () => ring.forget());
  const ground = {
    database,
    keys: await auditKeys(home, ring),
    signer: signingKeyFromPem(createSigningKey(), 'safekeep-test'),
    last: lastCheckpoint(home),
    heads: baselineHeads(home),
    clock,
    log: logIn(t, join(home, 'log')),
  };
  return async () => {
    await sequence(ground);
  };
}

export function logIn(t: Ending, directory: string): OpenLog {
  const log = openLog({ directory, level: 'info', clock: systemClock, component: 'test', environment: {} });
  t.after(async () => log.close());
  return log;
}

export function mapOf(parts: object): ReadMap {
  const file = { version: 1, tenant: 'fixed', ...parts };
  const reading = readMap(file);
  const text = JSON.stringify(file);
  if (!('map' in reading)) throw new Error(`The test's map is none: ${JSON.stringify(reading.faults)}`);
  return { map: reading.map, text, sha256: createHash('sha256').update(text).digest('hex') };
}

function intentOf(map: object, tenant: string): Intent {
  return { tenant, contributors: [auditCapture, structureWatch], read: mapOf(map) };
}

async function agree(): Promise<void> {}
