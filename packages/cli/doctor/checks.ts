import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { CommandContext } from '@safekeep/capabilities/capability';
import { logHealth } from '@safekeep/capabilities/audit';
import { keysHealth } from '@safekeep/capabilities/encryption';
import { isSafekeepError, type Clock, type SafekeepError } from '@safekeep/core';
import { HOME_KEYS, readHomeKey, refuseLostKey } from '@safekeep/files';
import {
  isLocal,
  migrationStatus,
  parseDatabaseUrl,
  prepareHome,
  printedHost,
  readServerHealth,
  strangeOwners,
  type Database,
  type MigrationStatus,
  type ServerHealth,
} from '@safekeep/postgres';

export const Check = Type.Object({
  name: Type.String(),
  state: Type.Union([Type.Literal('ok'), Type.Literal('warn'), Type.Literal('fail'), Type.Literal('not-evaluable')]),
  detail: Type.String(),
});

export type Check = Static<typeof Check>;

const FREE_FAIL_BYTES = 100 * 2 ** 20;
const FREE_WARN_BYTES = 2 * 2 ** 30;
// A code or link that lives five minutes is still good with a clock this wrong; a signature's time is still believable.
const CLOCK_WARN_MS = 2_000;
const CLOCK_FAIL_MS = 60_000;

/** Everything that doctor looks at. A check that could not run is `not-evaluable`, never `ok`. */
export async function runChecks(context: CommandContext): Promise<readonly Check[]> {
  const home = await homeCheck(context.home);
  const keys = home.state === 'fail' ? notEvaluable('keys', 'the home cannot be used') : await keysCheck(context.home);
  const machine = [nodeCheck(), home, await diskCheck(context.home), keys];
  if (home.state === 'fail') return [...machine, ...databaseUnknown('the home cannot be used')];
  let database: Database;
  try {
    database = await context.database({ migrate: false });
  } catch (error) {
    if (!isSafekeepError(error)) throw error;
    const [, ...unknown] = databaseUnknown('there is no connection');
    return [...machine, refused('database', error), ...unknown];
  }
  return [
    ...machine,
    ...(await databaseChecks(database, context.clock)),
    await tlsCheck(context, await readServerHealth(database)),
    await schemaBound('encryption', database, () => keysHealth(context, database)),
    await schemaBound('audit', database, () => logHealth(database, context.tenant)),
  ];
}

/** What the database can be asked about itself; also run on a schedule. */
export async function databaseChecks(database: Database, clock: Clock): Promise<readonly Check[]> {
  const health = await readServerHealth(database);
  return [
    databaseCheck(database, health),
    privilegesCheck(health),
    isolationCheck(health),
    extensionsCheck(health),
    rolesCheck(health, database.server.embedded),
    await tablesCheck(database, health),
    clockCheck(clock, health),
    await schemaCheck(database, health),
  ];
}

/** The checks that need a connection, when there is none. */
function databaseUnknown(reason: string): readonly Check[] {
  return [
    'database',
    'privileges',
    'isolation',
    'tls',
    'extensions',
    'roles',
    'tables',
    'clock',
    'schema',
    'encryption',
    'audit',
  ].map((name) => notEvaluable(name, reason));
}

async function homeCheck(home: string): Promise<Check> {
  try {
    await prepareHome(home);
    return ok('home', home);
  } catch (error) {
    if (!isSafekeepError(error)) throw error;
    return refused('home', error);
  }
}

function nodeCheck(): Check {
  return ok('node', `Node ${process.versions.node}`);
}

async function diskCheck(home: string): Promise<Check> {
  const { bavail, bsize } = await statfs(await nearestFolder(home));
  const freeBytes = bavail * bsize;
  const detail = `${(freeBytes / 2 ** 30).toFixed(1)} GiB free at the home`;
  if (freeBytes < FREE_FAIL_BYTES) return { name: 'disk', state: 'fail', detail: `${detail}; PostgreSQL stops when it is full` };
  return { name: 'disk', state: freeBytes < FREE_WARN_BYTES ? 'warn' : 'ok', detail };
}

/** The folder itself, or the one above it that stands: a home that could not be made is judged by its disk all the same. */
async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true ? path : await nearestFolder(dirname(path));
}

async function keysCheck(home: string): Promise<Check> {
  try {
    for (const name of HOME_KEYS) await refuseLostKey(home, name);
  } catch (error) {
    if (isSafekeepError(error)) return refused('keys', error);
    throw error;
  }
  const key = await readHomeKey(home, 'signing.pem');
  return ok(
    'keys',
    key === undefined ? 'no signing key yet; the first signed report makes one' : 'the keys of this home are private',
  );
}

/** Not evaluable before the schema is there whose tables are looked at. */
async function schemaBound(name: string, database: Database, look: () => Promise<Omit<Check, 'name'>>): Promise<Check> {
  const pending = await migrationStatus(database).then(
    (status) => status.pending.length,
    (error: unknown) => {
      if (isSafekeepError(error)) return undefined;
      throw error;
    },
  );
  if (pending !== 0)
    return notEvaluable(name, pending === undefined ? 'the schema cannot be looked at' : 'the schema has pending migrations');
  try {
    return { name, ...(await look()) };
  } catch (error) {
    // 42501: this login may not look.
    if (error instanceof Error && 'code' in error && error.code === '42501')
      return notEvaluable(name, 'this login may not look at it');
    throw error;
  }
}

function databaseCheck({ server }: Database, health: ServerHealth): Check {
  const where = server.embedded ? 'embedded' : `${printedHost(server.host)}:${server.port}/${server.database}`;
  if (health.readOnly)
    return { name: 'database', state: 'fail', detail: `PostgreSQL ${server.version} at ${where} is read-only; name the primary` };
  return ok('database', `PostgreSQL ${server.version}, ${where}`);
}

function privilegesCheck(health: ServerHealth): Check {
  if (health.mayCreate) return ok('privileges', `${health.user} may create Safekeep's schema`);
  return { name: 'privileges', state: 'fail', detail: `${health.user} lacks CREATE on the database: ${health.grantCreate}` };
}

async function tlsCheck(context: CommandContext, health: ServerHealth): Promise<Check> {
  const { host, tlsMode } = parseDatabaseUrl(await context.databaseUrl());
  if (health.tls !== undefined) {
    const verified = tlsMode === 'verify-full' || tlsMode === 'verify-ca';
    return {
      name: 'tls',
      state: verified ? 'ok' : 'warn',
      detail: `${health.tls}${verified ? '' : `, but the server's certificate is not verified (sslmode=${tlsMode})`}`,
    };
  }
  return isLocal(host)
    ? ok('tls', 'not needed: the connection does not leave this machine')
    : { name: 'tls', state: 'fail', detail: 'the connection is not encrypted; use sslmode=verify-full' };
}

/** Under a stricter one a statement that waited for another writer sees what stood before, or fails. */
function isolationCheck({ isolation, user }: ServerHealth): Check {
  if (isolation === 'read committed') return ok('isolation', isolation);
  return {
    name: 'isolation',
    state: 'warn',
    detail: `default_transaction_isolation is ${isolation}: transactions that wait for others fail or see old rows. Let ${user} have the usual one: ALTER ROLE … SET default_transaction_isolation = 'read committed'`,
  };
}

function extensionsCheck({ pgcrypto, mayCreate }: ServerHealth): Check {
  if (pgcrypto === 'installed') return ok('extensions', 'pgcrypto is installed');
  if (pgcrypto === 'available' && mayCreate) return ok('extensions', 'pgcrypto can be installed');
  return { name: 'extensions', state: 'fail', detail: 'pgcrypto is missing; let an administrator run CREATE EXTENSION pgcrypto' };
}

function rolesCheck({ owner, user, installed, strength }: ServerHealth, embedded: boolean): Check {
  if (isSafekeepError(owner, 'schema-foreign') || (isSafekeepError(owner) && !installed)) return refused('roles', owner);
  if (owner === user) {
    return notEvaluable(
      'roles',
      `Safekeep's tables belong to ${user} or will, whom row security does not bind: no roles of their own`,
    );
  }
  if (!embedded && strength !== undefined)
    return { name: 'roles', state: 'warn', detail: `${user} is ${strength}: good for migrations, refused for the running pool` };
  // As it should be for the login of the running program.
  if (isSafekeepError(owner)) return ok('roles', `${user} cannot take on the owner of schema safekeep, so it cannot migrate`);
  return ok(
    'roles',
    installed
      ? `schema safekeep belongs to ${owner}; the login of an application with the SDK needs GRANT safekeep_client, and no more`
      : `schema safekeep will belong to ${owner}`,
  );
}

/** Whether what a map asks for could be applied: a login that only looks needs no more than SELECT. */
async function tablesCheck(database: Database, { user }: ServerHealth): Promise<Check> {
  const owners = await database.withClient((client) => strangeOwners(client));
  if (owners.length === 0) return ok('tables', `${user} may give every table triggers and columns`);
  const whose = owners.map(({ owner, tables }) => `${tables} table(s) of ${owner}`).join(', ');
  const [first, ...others] = owners;
  const simpler = first === undefined || others.length > 0 ? '' : `connect as ${first.owner}, or let an administrator run: `;
  const grants = simpler + owners.map(({ grant }) => grant).join(' ');
  return {
    name: 'tables',
    state: 'warn',
    detail: `${user} may look at ${whose}, but neither log nor encrypt them. To apply a map: ${grants}`,
  };
}

function clockCheck(clock: Clock, { serverTime, roundTripMs }: ServerHealth): Check {
  const differenceMs = Math.max(0, Math.abs(clock.now().getTime() - serverTime.getTime()) - roundTripMs);
  const detail = `${Math.round(differenceMs)} ms between this machine and the server`;
  return { name: 'clock', state: differenceMs > CLOCK_FAIL_MS ? 'fail' : differenceMs > CLOCK_WARN_MS ? 'warn' : 'ok', detail };
}

async function schemaCheck(database: Database, { owner }: ServerHealth): Promise<Check> {
  let status: MigrationStatus;
  try {
    status = await migrationStatus(database);
  } catch (error) {
    if (isSafekeepError(error, 'privilege-missing')) return notEvaluable('schema', `${error.message} ${error.remedy}`);
    if (isSafekeepError(error)) return refused('schema', error);
    throw error;
  }
  const { current, pending, functions } = status;
  if (pending.length === 0 && functions.length === 0) return ok('schema', `schema safekeep is at ${current}`);
  const behind =
    pending.length > 0
      ? `${pending.length} pending`
      : `${functions.length} function(s) are not those of this Safekeep (${functions.slice(0, 3).join(', ')}${functions.length > 3 ? ', …' : ''})`;
  const detail = `schema safekeep is at ${current}, ${behind}`;
  if (isSafekeepError(owner)) return { name: 'schema', state: 'fail', detail: `${detail}. ${owner.message} ${owner.remedy}` };
  return { name: 'schema', state: 'warn', detail: `${detail}: safekeep migrate up` };
}

function refused(name: string, error: SafekeepError): Check {
  return { name, state: 'fail', detail: `${error.message} ${error.remedy}` };
}

function ok(name: string, detail: string): Check {
  return { name, state: 'ok', detail };
}

function notEvaluable(name: string, detail: string): Check {
  return { name, state: 'not-evaluable', detail };
}
