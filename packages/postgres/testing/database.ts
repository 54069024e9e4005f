import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Secret } from '@safekeep/core';
import { openDatabase, type OpenOptions } from '../connect/open.ts';
import type { Database } from '../database.ts';
import { TEMPLATE, testServers, type TestServer } from './servers.ts';

/** A database of a test's own, dropped at its end. */
export type TestDatabase = {
  readonly url: Secret;
  readonly database: Database;
  readonly pool: pg.Pool;
  /** A further connection pool to the same database, closed with it. */
  readonly open: (options?: OpenOptions) => Promise<Database>;
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
  const opened: Database[] = [database];
  const open = async (openOptions?: OpenOptions): Promise<Database> => {
    const another = await openDatabase(secret, openOptions);
    opened.push(another);
    return another;
  };
  const dispose = async (): Promise<void> => {
    await Promise.all([...opened.map((each) => each.close()), pool.end()]);
    await dropDatabase(server, name);
  };
  test?.after(dispose);
  return { url: secret, database, pool, open, [Symbol.asyncDispose]: dispose };
}

/** DROP DATABASE itself waits up to five seconds for sessions that are on their way out. */
async function dropDatabase(server: TestServer, name: string): Promise<void> {
  try {
    await onServer(server, `drop database ${name}`);
  } catch (cause) {
    await onServer(server, `drop database ${name} with (force)`);
    throw new Error(`The test left a connection to ${name} open`, { cause });
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
