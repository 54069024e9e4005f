import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Secret } from '@safekeep/core';
import { openDatabase } from '../connect/open.ts';
import type { Database } from '../database.ts';
import { TEMPLATE, testServers, type TestServer } from './servers.ts';

/** A database of a test's own, dropped at its end. */
export type TestDatabase = {
  readonly url: Secret;
  readonly database: Database;
  readonly pool: pg.Pool;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

type Options = {
  /** Where to make it; the embedded PostgreSQL 18 unless said otherwise. */
  readonly server?: TestServer;
  /** With Safekeep's schema at its newest version. */
  readonly migrated?: boolean;
};

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

/**
 * Makes a database, empty or with Safekeep's schema. Given the test's context it is dropped when the test ends; else bind it with `await using`.
 * Dropping fails if the test left a connection open, and names it: a pool that is not ended is a bug of the code under test.
 */
export async function testDatabase(test?: Ending, options: Options = {}): Promise<TestDatabase> {
  const server = options.server ?? testServers()[0];
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(server, `create database ${name} strategy file_copy ${options.migrated === true ? `template ${TEMPLATE}` : ''}`);
  const url = new URL(server.url.reveal());
  url.pathname = `/${name}`;
  const secret = new Secret(url.href);
  const database = await openDatabase(secret, { applicationName: `test ${name}` });
  const pool = new pg.Pool({ connectionString: url.href, application_name: `test ${name}`, max: 20 });
  pool.on('error', () => undefined);
  const dispose = async (): Promise<void> => {
    await Promise.all([database.close(), pool.end()]);
    await dropDatabase(server, name);
  };
  test?.after(dispose);
  return { url: secret, database, pool, [Symbol.asyncDispose]: dispose };
}

async function dropDatabase(server: TestServer, name: string): Promise<void> {
  // A backend needs a moment to leave after its client has gone.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await onServer(server, `drop database ${name}`);
    } catch (error) {
      if (attempt < 40) {
        await new Promise((done) => setTimeout(done, 25));
        continue;
      }
      await onServer(server, `drop database ${name} with (force)`);
      throw new Error(`The test left a connection to ${name} open`, { cause: error });
    }
  }
}

async function onServer(server: TestServer, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url.reveal(), application_name: 'test harness' });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
