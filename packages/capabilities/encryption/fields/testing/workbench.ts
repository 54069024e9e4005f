import { parseColumnName, systemClock } from '@safekeep/core';
import { fingerprint, readCatalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '@safekeep/postgres/testing';
import { fieldKeys } from '../actions/field-keys.ts';
import type { Ground } from '../actions/ground.ts';
import type { FieldOrder } from '../actions/plan-field.ts';
import { memoryKeys, type MemoryKeys } from './keys.ts';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

export type Workbench = TestDatabase & {
  readonly ground: Ground;
  readonly keys: MemoryKeys;
  readonly order: (column: string, options?: Partial<Omit<FieldOrder, 'column'>>) => FieldOrder;
  /** Of the user's schemas. */
  readonly fingerprint: () => Promise<string>;
};

/** A database with Safekeep's schema, these tables of a user's, and keys in memory. */
export async function workbench(
  t: Ending,
  { setUp = '', server = testServers()[0] }: { readonly setUp?: string; readonly server?: TestServer } = {},
): Promise<Workbench> {
  const made = await testDatabase(t, { migrated: true, server });
  if (setUp !== '') await made.pool.query(setUp);
  const keys = memoryKeys();
  return {
    ...made,
    keys,
    ground: {
      database: made.database,
      tenant: 'default',
      clock: systemClock,
      signal: new AbortController().signal,
      observe: () => undefined,
      keys: fieldKeys(keys),
      leaseMs: 0,
      patience: { tries: 40, lockTimeoutMs: 200, pauseMs: 20 },
    },
    order: (column, options = {}) => ({
      column: parseColumnName(column),
      mode: 'client',
      search: [],
      card: null,
      acceptLeak: false,
      ...options,
    }),
    fingerprint: async () => fingerprint(await readCatalog(made.pool, { schemas: ['public'] })),
  };
}

export async function agreed(): Promise<void> {}
