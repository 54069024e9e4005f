import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { join, resolve } from 'node:path';
import type { CommandContext } from '@safekeep/capabilities/capability';
import { SafekeepError, systemClock, type Configuration, type Id, type Secret } from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import { openLog } from '@safekeep/log';
import {
  embeddedDirectory,
  migrateUp,
  migrationStatus,
  openDatabase,
  openEmbedded,
  parseDatabaseUrl,
  prepareHome,
  refuseNewerSchema,
  type Database,
} from '@safekeep/postgres';
import { DATABASE, readNote } from '../home/note.ts';
import { openSigningKey, readVerifierKey } from '../home/signing-key.ts';
import { writeLine } from '../terminal/write-line.ts';
import { startProgress } from '../terminal/progress.ts';

export type Invocation = {
  readonly command: string;
  /** Of this call: in the log, and in the message of an internal error. */
  readonly request: Id<'request'>;
  readonly configuration: Configuration;
  readonly json: boolean;
  readonly yes: boolean;
  readonly signal: AbortSignal;
};

/** A context, and how to give back what it opened. */
export type OpenContext = {
  readonly context: CommandContext;
  /** Whether the home stands: a command that needs none (`init`) must not make one only to log that it ran. */
  readonly hasHome: () => boolean;
  readonly close: () => Promise<void>;
};

/** Prepares what a command may ask for; nothing is touched, not even the home folder, before it asks. */
export function openContext(invocation: Invocation): OpenContext {
  const { configuration, signal, json } = invocation;
  const home = resolve(configuration.home);
  const log = openLog({
    directory: join(home, 'log'),
    level: configuration.logLevel,
    clock: systemClock,
    component: 'cli',
    environment: process.env,
  });
  // Closed last: whatever closes before it may still have something to tell.
  const closers: (() => Promise<void>)[] = [async () => log.close()];
  const confirm = (action: string): Promise<void> => askConsent(invocation, action);
  let preparing: Promise<void> | undefined;
  let reaching: Promise<Reached> | undefined;
  let opening: Promise<Database> | undefined;
  let signing: Promise<Signer> | undefined;
  const homeReady = (): Promise<void> => (preparing ??= prepareHome(home));
  const reach = (): Promise<Reached> => (reaching ??= reachDatabase(invocation, { home, homeReady, closers }));
  const context: CommandContext = {
    home,
    tenant: configuration.tenant,
    mapFile: resolve(configuration.map),
    clock: systemClock,
    log: log.child({ request: invocation.request }),
    configuration,
    signal,
    json,
    databaseUrl: async (options) => {
      const reached = await reach();
      if (options?.keepRunning === true) await reached.keepRunning?.();
      return reached.url;
    },
    database: async (options) => {
      opening ??= reach().then((reached) => connect(configuration, reached, closers));
      const database = await opening;
      if (options?.migrate !== false) await bringUp(database, confirm);
      return database;
    },
    elsewhere: (place) => {
      const other = openContext({ ...invocation, configuration: { ...configuration, home: place.home, map: place.mapFile } });
      closers.push(other.close);
      return other.context;
    },
    signer: () => (signing ??= homeReady().then(() => openSigningKey(home))),
    verifierKey: () => readVerifierKey(home),
    confirm,
    progress: (label, options) => startProgress(process.stderr, systemClock, { label, ...options }),
    stream: (item) => writeLine(process.stdout, typeof item === 'string' ? item : JSON.stringify(item)),
    say: (line) => void process.stderr.write(`${line}\n`),
  };
  return {
    context,
    hasHome: () => existsSync(home),
    // Last opened, first closed: the pool before the server under it.
    close: async () => {
      for (const close of closers.toReversed()) await close();
    },
  };
}

type Closers = (() => Promise<void>)[];
type Reached = { readonly url: Secret; readonly embedded: boolean; readonly keepRunning?: () => Promise<void> };

type Place = { readonly home: string; readonly homeReady: () => Promise<void>; readonly closers: Closers };

async function reachDatabase({ command, configuration }: Invocation, { home, homeReady, closers }: Place): Promise<Reached> {
  if (configuration.databaseUrl !== undefined) return { url: configuration.databaseUrl, embedded: false };
  await homeReady();
  await requireEmbedded(home);
  const lease = await openEmbedded(home, { purpose: command, runtimeDirectory: configuration.runtimeDirectory });
  closers.push(lease.release);
  return { url: lease.url, embedded: true, keepRunning: lease.keepRunning };
}

/**
 * A home of the main job for a database by URL never gets one of its own, where that URL is left out: an empty database would be answered for,
 * as if it were the one that is meant.
 *
 * @throws `home-of-another`
 */
async function requireEmbedded(home: string): Promise<void> {
  const of = (await readNote({ home }))?.source;
  if (of?.startsWith(DATABASE) === true && (await embeddedDirectory(home)) === undefined)
    throw new SafekeepError('home-of-another', { home, of, asked: 'an embedded one: SAFEKEEP_DATABASE_URL is not set' });
}

async function connect(configuration: Configuration, { url, embedded }: Reached, closers: Closers): Promise<Database> {
  const { poolMax, connectTimeoutMs } = configuration;
  const database = await openDatabase(url, { poolMax, connectTimeoutMs, embedded });
  closers.push(database.close);
  return database;
}

/** The embedded database is ours to migrate; somebody else's only when they agree. */
async function bringUp(database: Database, confirm: (action: string) => Promise<void>): Promise<void> {
  const status = await migrationStatus(database);
  refuseNewerSchema(status);
  const { pending, functions } = status;
  // Functions alone are renewed unasked only where no other Safekeep can be at work with its own.
  if (pending.length === 0 && (functions.length === 0 || !database.server.embedded)) return;
  if (!database.server.embedded) await confirm(`Installing schema safekeep (${pending.length} migrations)`);
  await migrateUp(database);
}

async function askConsent({ yes, json, configuration, signal }: Invocation, action: string): Promise<void> {
  // The embedded database is Safekeep's own until the person has put something of theirs into it through us.
  if (yes || configuration.databaseUrl === undefined) return;
  if (json || !process.stdin.isTTY || !process.stderr.isTTY) throw new SafekeepError('consent-needed', { action });
  // Read as it will be connected to: `?host=` beats the host before it.
  const { host, port, database } = parseDatabaseUrl(configuration.databaseUrl);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // While it asks, Ctrl-C comes as a key, and not as the signal that a command is interrupted by.
  terminal.once('SIGINT', () => void process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await terminal.question(`${action}: database ${database} at ${host}:${port}. Go on? [y/N] `, {
      signal,
    });
    if (!/^y(es)?$/i.test(answer.trim())) throw new SafekeepError('declined', { action });
  } finally {
    terminal.close();
  }
}
