import { chmod, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Secret } from '@safekeep/core';
import { quietServerLog } from '@safekeep/log';
import { openDatabase } from '../connect/open.ts';
import { findBinaries, type Binaries } from '../embedded/binaries.ts';
import { CLUSTER_USER, initialise, newPassword, start, stop, type Cluster } from '../embedded/cluster.ts';
import { serverUser } from '../embedded/server-user.ts';
import { migrateUp } from '../migrations/run.ts';

/** A running server that tests may make databases on. */
export type TestServer = { readonly name: '18' | '15'; readonly url: Secret; readonly logDirectory: string };

/** Cloned by `testDatabase(t, { migrated: true })`. */
export const TEMPLATE = 'safekeep_template';

const ENVIRONMENT = 'SAFEKEEP_TEST_SERVERS';
const DEBIAN_15 = '/usr/lib/postgresql/15/bin';
// A tmpfs on every Linux: shm_overview(7).
const MEMORY = '/dev/shm';
// The databases of all test files that run at once and the WAL take about 1 GB; the tests themselves need as much again and more.
const MEMORY_NEEDED_BYTES = 6 * 2 ** 30;

// Durability is of no use to a server that is thrown away. Its log is as quiet as that of the product's own server.
const SETTINGS = {
  'fsync': 'off',
  'synchronous_commit': 'off',
  'full_page_writes': 'off',
  'max_connections': '300',
  'max_prepared_transactions': '20',
  'shared_buffers': '256MB',
  // As most servers of users have it: whatever it keeps of a statement must hold no key.
  'shared_preload_libraries': 'pg_stat_statements',
  'pg_stat_statements.track': 'all',
  ...quietServerLog,
};

/** Starts the embedded 18 and, where Debian's is installed, a 15; `env` hands them to the test files. */
export async function startTestServers(): Promise<{
  readonly env: Record<string, string>;
  readonly describe: string[];
  /** Where the servers write their own logs, until they stop. */
  readonly logDirectories: string[];
  readonly stop: () => Promise<void>;
}> {
  const user = await serverUser();
  const programs = await makeRoot(tmpdir());
  const data = await makeRoot(await placeForData());
  const running: { readonly cluster: Cluster; readonly server: TestServer }[] = [];
  const stopAll = async (): Promise<void> => {
    const leftovers = await Promise.all(running.map(({ server }) => leftoversOf(server)));
    await Promise.all(running.map(({ cluster }) => stop(cluster)));
    await Promise.all([programs, data].map((folder) => rm(folder, { recursive: true, force: true })));
    const named = leftovers.flat();
    if (named.length > 0) throw new Error(`Tests left behind: ${named.join(', ')}`);
  };
  try {
    const kinds: { readonly name: TestServer['name']; readonly binaries: Binaries }[] = [
      { name: '18', binaries: await findBinaries(user, programs) },
    ];
    if (existsSync(join(DEBIAN_15, 'postgres'))) {
      kinds.push({ name: '15', binaries: { initdb: join(DEBIAN_15, 'initdb'), pgCtl: join(DEBIAN_15, 'pg_ctl'), version: '15' } });
    }
    running.push(
      ...(await Promise.all(
        kinds.map(async ({ name, binaries }) => {
          const cluster: Cluster = { binaries, user, directory: join(data, name), password: newPassword(), settings: SETTINGS };
          await mkdir(cluster.directory, { mode: 0o711 });
          await initialise(cluster);
          const port = await start(cluster);
          await makeTemplate(cluster, port);
          const url = new Secret(`postgres://${CLUSTER_USER}:${cluster.password.reveal()}@127.0.0.1:${port}/postgres`);
          return { cluster, server: { name, url, logDirectory: join(cluster.directory, 'log') } };
        }),
      )),
    );
  } catch (error) {
    await stopAll();
    throw error;
  }
  const servers = running.map(({ server }) => ({ ...server, url: server.url.reveal() }));
  return {
    env: { [ENVIRONMENT]: JSON.stringify(servers) },
    describe: running.map(({ server }) => `PostgreSQL ${server.name}`),
    logDirectories: running.map(({ server }) => server.logDirectory),
    stop: stopAll,
  };
}

/** The servers' own user passes through it. */
async function makeRoot(place: string): Promise<string> {
  const root = await mkdtemp(join(place, 'safekeep-servers-'));
  await chmod(root, 0o711);
  return root;
}

/**
 * Where the databases lie: in memory where the system has a file system there and room in it, else in the temporary folder.
 *
 * A run makes and drops some thousand databases of 350 to 1,100 files each. ext4 does not take the number of a file that was deleted in
 * the last minutes for a new one (`recently_deleted` in fs/ext4/ialloc.c) and looks for another one by one: that search alone was a
 * quarter of the whole run's CPU time.
 */
async function placeForData(): Promise<string> {
  if (!existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = await statfs(MEMORY);
  return Math.min(bavail * bsize, process.availableMemory()) < MEMORY_NEEDED_BYTES ? tmpdir() : MEMORY;
}

/** A database with Safekeep's schema, cloned for the tests that want one. */
async function makeTemplate(cluster: Cluster, port: number): Promise<void> {
  const url = (database: string): Secret =>
    new Secret(`postgres://${CLUSTER_USER}:${cluster.password.reveal()}@127.0.0.1:${port}/${database}`);
  const admin = await openDatabase(url('postgres'), { poolMax: 1 });
  await admin.withClient((client) => client.query(`create database ${TEMPLATE}`));
  await admin.close();
  const template = await openDatabase(url(TEMPLATE), { poolMax: 1 });
  await migrateUp(template);
  await template.close();
}

/** The servers of this test run: the embedded 18 first, Debian's 15 where it is present. */
export function testServers(): readonly [TestServer, ...TestServer[]] {
  const text = process.env[ENVIRONMENT];
  if (text === undefined) throw new Error('No test server runs. Run tests with `npm test -- PATH`.');
  // Written by startTestServers above.
  const [first, ...rest] = (JSON.parse(text) as (Omit<TestServer, 'url'> & { url: string })[]).map((server) => ({
    ...server,
    url: new Secret(server.url),
  }));
  if (first === undefined) throw new Error('The list of test servers is empty.');
  return [first, ...rest];
}

async function leftoversOf(server: TestServer): Promise<string[]> {
  const client = new pg.Client({ connectionString: server.url.reveal() });
  await client.connect();
  try {
    const { rows } = await client.query<{ found: string }>(
      `select 'database ' || datname as found from pg_database where datname like 'test\\_%'
       union all
       select 'connection ' || coalesce(nullif(application_name, ''), 'without a name') || ' to ' || datname
         from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    return rows.map((row) => `${row.found} (PostgreSQL ${server.name})`);
  } finally {
    await client.end();
  }
}
