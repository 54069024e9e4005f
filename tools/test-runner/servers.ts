/** The shared PostgreSQL servers of a run, as `@safekeep/postgres/testing` starts them. */
export type TestServers = {
  /** For the test processes: how to reach the servers. */
  readonly env: Readonly<Record<string, string>>;
  /** One line a server, for the head of the report. */
  readonly describe: readonly string[];
  /** Where the servers write their own logs, until they stop. */
  readonly logDirectories: readonly string[];
  /** Rejects, naming them, when tests left databases or connections behind. */
  readonly stop: () => Promise<void>;
};

/** Floors below the database: by the direction of the packages nothing in them can reach one. */
const WITHOUT_DATABASE = [
  'packages/core/',
  'packages/crypto/',
  'packages/tlog/',
  'packages/log/',
  'packages/files/',
  'packages/sample/',
  'tools/',
];

const NO_SERVERS: TestServers = { env: {}, describe: [], logDirectories: [], stop: () => Promise.resolve() };

export async function serversFor(files: readonly string[]): Promise<TestServers> {
  const needed = files.some((file) => !WITHOUT_DATABASE.some((folder) => file.startsWith(folder)));
  if (!needed) return NO_SERVERS;
  const { startTestServers } = await import('@safekeep/postgres/testing');
  return startTestServers();
}
