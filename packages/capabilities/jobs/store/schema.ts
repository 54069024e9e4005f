import type pg from 'pg';
import type { Clock as BossClock, Db, PgBoss } from 'pg-boss';
import { SafekeepError, type Clock } from '@safekeep/core';
import { operationFailure, type Database } from '@safekeep/postgres';

// pg-boss is read when a queue is first opened: with what it stands on it is a tenth of what a command reads, and most open none.

/** The schema that belongs to pg-boss. */
export const QUEUE_SCHEMA = 'safekeep_jobs';

// Forgetting what is over, counting what is there.
const UPKEEP_SECONDS = 600;

const OWNER = 'safekeep_owner';
const APP = 'safekeep_app';

type State = {
  readonly version: number | null;
  readonly schema: boolean;
  readonly may_create: boolean;
  readonly owner: boolean;
  readonly may_own: boolean;
  readonly app: boolean;
  readonly user: string;
  readonly database: string;
  /** Who owns schema safekeep_jobs; null where there is none. */
  readonly schema_owner: string | null;
  /** A login whose rights somebody would gain by having it run something of theirs. */
  readonly strong: boolean;
};

/**
 * Brings schema safekeep_jobs to the version of our pg-boss. Nothing happens where it stands already, so a login without
 * the right to create can use what another has prepared.
 *
 * @throws `privilege-missing`, `jobs-schema-newer`.
 */
export async function prepareQueueSchema(database: Database): Promise<void> {
  const { getConstructionPlans, getMigrationPlans } = await import('pg-boss');
  const known = versionIn(getConstructionPlans(QUEUE_SCHEMA));
  await database.withClient(async (client) => {
    const state = await readState(client);
    if (state.version === known) return;
    if (state.version !== null && state.version > known)
      throw new SafekeepError('jobs-schema-newer', { found: state.version, known });
    requireRights(client, state);
    try {
      if (state.version === null) await install(client, state, getConstructionPlans(QUEUE_SCHEMA, { createSchema: false }));
      else await run(client, state, getMigrationPlans(QUEUE_SCHEMA, state.version));
    } catch (error) {
      await client.query('rollback');
      // Another process was faster: it held pg-boss's own lock while we waited.
      if ((await readState(client)).version !== known) throw operationFailure(error, 'preparing schema safekeep_jobs');
    }
  });
}

/** A handle on the queue that holds no connection, no timer and no state of its own. */
export async function openQueue(database: Database, session: Db = sessionOn(database)): Promise<PgBoss> {
  const { PgBoss } = await import('pg-boss');
  return new PgBoss({ schema: QUEUE_SCHEMA, db: session, migrate: false, createSchema: false, supervise: false, schedule: false });
}

/** The handle of a worker: with pg-boss's upkeep of its tables and its schedules. To be started and stopped. */
export async function openSupervisor(
  database: Database,
  {
    clock,
    cronSeconds,
    onError,
  }: { readonly clock: Clock; readonly cronSeconds: number; readonly onError: (error: unknown) => void },
): Promise<PgBoss> {
  const { PgBoss } = await import('pg-boss');
  const queue = new PgBoss({
    schema: QUEUE_SCHEMA,
    db: sessionOn(database),
    migrate: false,
    createSchema: false,
    clock: steadyClock(clock),
    maintenanceIntervalSeconds: UPKEEP_SECONDS,
    cronMonitorIntervalSeconds: cronSeconds,
    cronWorkerIntervalSeconds: cronSeconds,
    // For jobs that wait for other jobs, which we do not use.
    flowIntervalSeconds: UPKEEP_SECONDS,
  });
  // Without a listener an error of its timers would end the process.
  queue.on('error', onError);
  return queue;
}

/** pg-boss waits by the wall clock. One that starts right and then only ever goes forward cannot make it wait for an hour. */
function steadyClock(clock: Clock): BossClock {
  const originMs = clock.now().getTime() - clock.elapsedMs();
  return {
    now: () => originMs + clock.elapsedMs(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    // Handed out by the line above, which is the only maker.
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
    setInterval: (run, ms) => setInterval(run, ms),
    // As above.
    clearInterval: (timer) => clearInterval(timer as NodeJS.Timeout),
  };
}

/** Every statement on whichever connection of the pool is free: nothing rests on a session, so a pooler may stand between. */
function sessionOn(database: Database): Db {
  return {
    executeSql: async (text, values) =>
      await database.withClient((client) => client.query(text, values === undefined ? undefined : [...values])),
  };
}

async function install(client: pg.ClientBase, state: State, plans: string): Promise<void> {
  await client.query(BEGIN);
  // Before the role is taken on: the owner itself may not create in the database.
  await client.query(`create schema if not exists ${QUEUE_SCHEMA} ${state.owner ? `authorization ${OWNER}` : ''}`);
  if (state.owner) await client.query(`set local role ${OWNER}`);
  if (state.app) {
    // Before the tables: what is created from here on is granted with its creation, today and by later versions of pg-boss.
    await client.query(`grant usage on schema ${QUEUE_SCHEMA} to ${APP}`);
    await client.query(
      `alter default privileges in schema ${QUEUE_SCHEMA} grant select, insert, update, delete on tables to ${APP}`,
    );
    await client.query(`alter default privileges in schema ${QUEUE_SCHEMA} grant usage on sequences to ${APP}`);
  }
  await client.query(withoutFrame(plans));
  await client.query('commit');
}

async function run(client: pg.ClientBase, state: State, plans: string): Promise<void> {
  await client.query(BEGIN);
  if (state.owner) await client.query(`set local role ${OWNER}`);
  await client.query(withoutFrame(plans));
  await client.query('commit');
}

/**
 * pg-boss prints its plans as one transaction, and after it what it would build concurrently. Ours is open already, and a
 * COMMIT in the middle would end it unseen; the indexes are built within it, for the moment that takes on a queue.
 */
function withoutFrame(plans: string): string {
  const [, inner, after] = /^\s*BEGIN;([^]*)COMMIT;([^]*)$/.exec(plans) ?? [];
  if (inner === undefined || after === undefined) throw new Error('The plans of this pg-boss are no longer one transaction');
  return inner + after.replaceAll('CREATE INDEX CONCURRENTLY', 'CREATE INDEX');
}

/** pg-boss does not tell the number of its schema otherwise than in its plans. */
function versionIn(plans: string): number {
  const number = /INSERT INTO safekeep_jobs\.version\(version\) VALUES \('(\d+)'\)/.exec(plans)?.[1];
  if (number === undefined) throw new Error('The plans of this pg-boss no longer tell their version');
  return Number(number);
}

/** Nothing is searched but pg_catalog: a function planted in `public` never stands in for a built-in one. */
const BEGIN = `begin; set local search_path = ''`;

async function readState(client: pg.ClientBase): Promise<State> {
  await client.query(BEGIN);
  try {
    return await stateOf(client);
  } finally {
    await client.query('rollback');
  }
}

/** A schema that somebody else made may hold views and triggers that run with the rights of whoever looks. */
function refuseForeign({ schema_owner: schemaOwner, user, strong }: Omit<State, 'version'>): void {
  if (!strong || schemaOwner === null || schemaOwner === OWNER || schemaOwner === user) return;
  throw new SafekeepError('schema-foreign', { schema: QUEUE_SCHEMA, reason: `it belongs to ${schemaOwner}`, owner: schemaOwner });
}

async function stateOf(client: pg.ClientBase): Promise<State> {
  const { rows } = await client.query<Omit<State, 'version'> & { installed: boolean }>(
    `select to_regclass('${QUEUE_SCHEMA}.version') is not null as installed,
            to_regnamespace('${QUEUE_SCHEMA}') is not null as schema,
            has_database_privilege(current_database(), 'CREATE') as may_create,
            to_regrole('${OWNER}') is not null as owner,
            coalesce((select pg_has_role(oid, case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
                        from pg_roles where rolname = '${OWNER}'), false) as may_own,
            to_regrole('${APP}') is not null as app,
            current_user as user, current_database() as database,
            (select rolname from pg_roles where oid = (select nspowner from pg_namespace where nspname = '${QUEUE_SCHEMA}')) as schema_owner,
            (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as strong`,
  );
  const [state] = rows;
  if (state === undefined) throw new Error('The server did not answer for its schemas');
  refuseForeign(state);
  if (!state.installed) return { ...state, version: null };
  const { rows: versions } = await client.query<{ version: number }>(`select version from ${QUEUE_SCHEMA}.version`);
  return { ...state, version: versions[0]?.version ?? null };
}

function requireRights(
  client: pg.ClientBase,
  { schema, may_create: mayCreate, owner, may_own: mayOwn, user, database }: State,
): void {
  const name = client.escapeIdentifier(user);
  if (!schema && !mayCreate) {
    throw new SafekeepError('privilege-missing', {
      user,
      right: `CREATE on database ${database}, to make schema ${QUEUE_SCHEMA}`,
      grant: `GRANT CREATE ON DATABASE ${client.escapeIdentifier(database)} TO ${name};`,
    });
  }
  if (owner && !mayOwn) {
    throw new SafekeepError('privilege-missing', {
      user,
      right: `membership in ${OWNER}, to make schema ${QUEUE_SCHEMA}`,
      grant: `GRANT ${OWNER} TO ${name};`,
    });
  }
}
