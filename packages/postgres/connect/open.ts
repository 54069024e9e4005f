import { setTimeout as wait } from 'node:timers/promises';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { codeOf, SafekeepError, type Secret } from '@safekeep/core';
import type { Database, ServerFacts } from '../database.ts';
import { connectFailure, isPassing } from './failures.ts';
import { parseDatabaseUrl, printedHost, type ConnectionTarget } from './url.ts';

export type OpenOptions = {
  /** Connections at most. PostgreSQL's default limit is 100 for all programs together. */
  readonly poolMax?: number;
  /** For one attempt to connect. */
  readonly connectTimeoutMs?: number;
  /** How long to go on trying while the server starts up or is full. */
  readonly retryForMs?: number;
  readonly applicationName?: string;
  readonly embedded?: boolean;
};

const POOL_MAX = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const RETRY_FOR_MS = 5_000;
const IDLE_MS = 30_000;
// A server that restarts is back by then; where nobody listens at all a command should say so at once.
const FIRST_REFUSED_MS = 1_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const OLDEST = 150_000;
const NEWEST = 190_000;

/**
 * Opens a pool on the database of a URL and learns what server it is.
 *
 * Nothing rests on session state, so it works through pgBouncer in transaction mode: no startup parameters, no named
 * prepared statements, no session locks; settings are set with SET LOCAL inside transactions.
 *
 * @throws `database-url-invalid`, `database-unreachable`, `database-password-wrong`, `database-missing`, `database-tls`,
 *   `database-busy`, `database-closed`, `database-version`.
 */
export async function openDatabase(url: Secret, options: OpenOptions = {}): Promise<Database> {
  const target = parseDatabaseUrl(url);
  const retryForMs = options.retryForMs ?? RETRY_FOR_MS;
  const config = clientConfig(target, options);
  const { ssl, server } = await retrying({ target, retryForMs, refusedForMs: Math.min(retryForMs, FIRST_REFUSED_MS) }, () =>
    meet(target, config, options.embedded ?? false),
  );
  const pool = new pg.Pool({
    ...config,
    Client: PlainClient,
    ssl,
    max: options.poolMax ?? POOL_MAX,
    idleTimeoutMillis: IDLE_MS,
    allowExitOnIdle: true,
  });
  // An idle connection that dies is replaced at the next use; without a listener it would end the process.
  pool.on('error', () => undefined);
  // The same while one is checked out and between two statements: the next statement says it.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const connect = (): Promise<pg.PoolClient> => retrying({ target, retryForMs, refusedForMs: retryForMs }, () => pool.connect());
  return { server, withClient: (run) => withClient(connect, run), close: () => pool.end() };
}

async function withClient<Result>(
  connect: () => Promise<pg.PoolClient>,
  run: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await connect();
  try {
    const result = await run(client);
    client.release();
    return result;
  } catch (error) {
    // It may be in the middle of a COPY or a transaction: never given to the next one.
    client.release(true);
    throw error;
  }
}

function clientConfig(target: ConnectionTarget, options: OpenOptions): pg.ClientConfig {
  return {
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    // A function: the password is not kept as a property of the pool, and none is looked for in PGPASSWORD or ~/.pgpass.
    password: () => target.password?.reveal() ?? '',
    sslnegotiation: 'postgres',
    client_encoding: 'utf8',
    application_name: options.applicationName ?? target.applicationName,
    connectionTimeoutMillis: target.connectTimeoutMs ?? options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    keepAlive: true,
    enableChannelBinding: target.channelBinding,
  };
}

/** Says nothing at the start but who it is. pg would add what it finds in PGOPTIONS and PGREPLICATION of our environment. */
class PlainClient extends pg.Client {
  readonly #startup: Readonly<Record<string, string | undefined>>;

  constructor(config: pg.ClientConfig = {}) {
    super(config);
    this.#startup = { user: config.user, database: config.database, application_name: config.application_name };
  }

  // Called by pg for the startup message.
  getStartupConf(): Readonly<Record<string, string | undefined>> {
    return this.#startup;
  }
}

/** The first connection: settles TLS and reads the server's facts. */
async function meet(
  target: ConnectionTarget,
  config: pg.ClientConfig,
  embedded: boolean,
): Promise<{ readonly ssl: ConnectionOptions | false; readonly server: ServerFacts }> {
  const ssl = tlsOptions(target);
  try {
    return { ssl, server: await serverFacts({ ...config, ssl }, target, embedded) };
  } catch (error) {
    const plainAllowed = target.tlsMode === 'prefer' && error instanceof Error && error.message.includes('does not support SSL');
    if (!plainAllowed) throw error;
    return { ssl: false, server: await serverFacts({ ...config, ssl: false }, target, embedded) };
  }
}

async function serverFacts(config: pg.ClientConfig, target: ConnectionTarget, embedded: boolean): Promise<ServerFacts> {
  const client = new PlainClient(config);
  // A failure reaches us through connect() and query(); the event would only end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ number: number; version: string }>(
      // Outside of a transaction of our own: every name in full.
      `select pg_catalog.current_setting('server_version_num')::pg_catalog.int4 as number,
              pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) as version`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('The server did not tell its version');
    if (row.number < OLDEST || row.number >= NEWEST) throw new SafekeepError('database-version', { found: row.version });
    const { host, port, database, user } = target;
    return { host, port, database, user, versionNumber: row.number, version: row.version, embedded };
  } finally {
    await client.end().catch(() => undefined);
  }
}

function tlsOptions(target: ConnectionTarget): ConnectionOptions | false {
  if (target.tlsMode === 'disable' || target.host.startsWith('/')) return false;
  const verified = target.tlsMode === 'verify-ca' || target.tlsMode === 'verify-full';
  const options = {
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: verified,
    // verify-ca: the chain must be right, the name may differ (PostgreSQL manual, table 32.1).
    ...(target.tlsMode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
    ...(target.rootCertificate === undefined ? {} : { ca: target.rootCertificate }),
    ...(target.clientCertificate === undefined ? {} : { cert: target.clientCertificate }),
    ...(target.clientKey === undefined ? {} : { key: target.clientKey.reveal() }),
  };
  try {
    // Within pg's socket a key that does not belong to its certificate would end the process.
    createSecureContext(options);
  } catch (cause) {
    const { host, port, tlsMode: mode } = target;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SafekeepError('database-tls', { host: printedHost(host), port, mode, reason }, { cause });
  }
  return options;
}

type Patience = {
  readonly target: ConnectionTarget;
  readonly retryForMs: number;
  /** While nobody listens at the port. */
  readonly refusedForMs: number;
};

/** Tries again with growing pauses while the failure looks passing; then says what it means. */
async function retrying<Result>(patience: Patience, attempt: () => Promise<Result>): Promise<Result> {
  const startedMs = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      const forMs = codeOf(error) === 'ECONNREFUSED' ? patience.refusedForMs : patience.retryForMs;
      if (!isPassing(error) || performance.now() + pauseMs > startedMs + forMs) throw connectFailure(error, patience.target);
      await wait(pauseMs * (0.5 + Math.random() / 2));
    }
  }
}
