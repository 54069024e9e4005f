import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { codeOf, isSafekeepError, SafekeepError } from '@safekeep/core';
import { operationFailure } from '../connect/failures.ts';
import { ownTransaction } from '../connect/own-transaction.ts';
import type { Database } from '../database.ts';
import { loadFunctions, loadMigrations, type FunctionFile, type Migration } from './files.ts';
import { layFoundation } from './foundation.ts';
import { readSchemaState, refuseForeignSchema } from './ownership.ts';
import { functionsOfMigrations, isShipped, shippedIn } from './shipped-functions.ts';
import {
  createFunction,
  dropFunctionsOf,
  dropUnusedFunction,
  lockMigrations,
  readFunctionHashes,
  readHistory,
  readLanded,
  readStandingFunctions,
  recordStep,
  type HistoryEntry,
  type LandedMigration,
} from './store.ts';

/** Where Safekeep's own schema stands in a database. */
export type MigrationStatus = {
  /** The newest version that stands; `0000` before the first. */
  readonly current: string;
  /** Versions of this Safekeep that have not landed. */
  readonly pending: readonly string[];
  /** Functions of the schema that are not those of this Safekeep: older, missing, changed by hand, or not made any more. `migrateUp` renews them. */
  readonly functions: readonly string[];
  readonly history: readonly HistoryEntry[];
};

export type MigrateOptions = {
  /** Where to stop, as `2` or `0002`. Up: the newest when left out. Down: required. */
  readonly to?: string;
  /** Another set than the product's own: for tests of the runner itself. */
  readonly migrations?: readonly Migration[];
  readonly functions?: readonly FunctionFile[];
};

const NONE = '0000';
const LOCK_TRIES = 5;
const LOCK_TIMEOUT = '3s';
const LOCK_PAUSE_MS = 200;

/**
 * Any login with safekeep_app or safekeep_auditor may ask.
 *
 * @throws `schema-foreign`, `privilege-missing`.
 */
export async function migrationStatus(db: Database, options: MigrateOptions = {}): Promise<MigrationStatus> {
  const migrations = options.migrations ?? loadMigrations();
  const action = 'reading the history of migrations';
  const { history, compared } = await ownTransaction(db, 'read', (client) => readStatus(client, options)).catch(
    (error: unknown) => {
      throw operationFailure(error, action);
    },
  );
  const standing = standingVersions(history);
  const { changed, gone } = compared;
  return {
    current: standing.at(-1) ?? NONE,
    pending: migrations.map(({ version }) => version).filter((version) => !standing.includes(version)),
    functions: [...changed.map(({ object }) => object), ...gone],
    history,
  };
}

type Standing = { readonly history: readonly HistoryEntry[]; readonly compared: Compared };

async function readStatus(client: pg.ClientBase, options: MigrateOptions): Promise<Standing> {
  const state = await readSchemaState(client);
  // Even reading runs what is planted: a view in place of the table calls its functions as whoever reads.
  refuseForeignSchema(state);
  if (!state.hasHistory) return { history: [], compared: { changed: [], gone: [] } };
  const history = await readHistory(client);
  return { history, compared: await compareFunctions(client, made(options), standingVersions(history)) };
}

/** What this Safekeep makes: by files, which leave their hash behind, and once by migrations. */
type Made = { readonly files: readonly FunctionFile[]; readonly once: readonly Omit<FunctionFile, 'sha256'>[] };

function made({ functions, migrations }: MigrateOptions): Made {
  const files = functions ?? loadFunctions();
  const byFile = new Set(files.map(({ object }) => object));
  return { files, once: functionsOfMigrations(migrations).filter(({ object }) => !byFile.has(object)) };
}

/**
 * For whoever is about to work with the schema: what a newer Safekeep has made of it, this one does not know.
 *
 * @throws `migration-newer`.
 */
export function refuseNewerSchema({ history }: Pick<MigrationStatus, 'history'>): void {
  const known = loadMigrations().map(({ version }) => version);
  const found = standingVersions(history).find((version) => !known.includes(version));
  if (found !== undefined) throw new SafekeepError('migration-newer', { found, newest: known.at(-1) ?? NONE });
}

/** The versions whose last step went up, oldest first. */
function standingVersions(history: readonly HistoryEntry[]): readonly string[] {
  const last = new Map(history.map(({ version, direction }) => [version, direction]));
  return [...last.keys()].filter((version) => last.get(version) === 'up').toSorted();
}

/**
 * Brings the schema up, one transaction a migration. A second runner waits at the lock and then finds nothing to do.
 *
 * @throws `migration-unknown`, `migration-changed`, `migration-newer`, `migration-failed`, `migration-refused`, `lock-timeout`, `privilege-missing`,
 *   `schema-foreign`, `extension-missing`, `database-read-only`.
 */
export async function migrateUp(db: Database, options: MigrateOptions = {}): Promise<MigrationStatus> {
  const migrations = options.migrations ?? loadMigrations();
  const target = versionOf(options.to ?? migrations.at(-1)?.version ?? NONE, migrations);
  const standing = await step(db, 'preparing schema safekeep', async (client) => {
    const landed = await readLanded(client);
    refuseForeign(landed, migrations);
    return new Set(landed.map(({ version }) => version));
  });
  for (const migration of migrations.filter(({ version }) => version <= target && !standing.has(version))) {
    await step(db, `migration ${migration.version}`, async (client) => {
      const landed = await readLanded(client);
      refuseForeign(landed, migrations);
      if (landed.some(({ version }) => version === migration.version)) return;
      await explained({ version: migration.version, direction: 'up', landed }, () => client.query(migration.up));
      await recordStep(client, migration, 'up');
    });
  }
  await step(db, 'functions', (client) => refreshFunctions(client, made(options)));
  return await migrationStatus(db, options);
}

/**
 * Takes migrations back, newest first, until `to` is the newest that stands, all in one transaction: where one of them refuses,
 * because something of worth would be lost, nothing of the others is lost either. Each runs the way back that landed with it, so
 * an older Safekeep can take back what a newer one brought.
 */
export async function migrateDown(db: Database, options: MigrateOptions & { readonly to: string }): Promise<MigrationStatus> {
  const migrations = options.migrations ?? loadMigrations();
  const before = await migrationStatus(db, options);
  const target = versionOf(options.to, [...migrations, ...before.history]);
  await step(db, `migrations down to ${target}`, async (client) => {
    const landed = await readLanded(client);
    for (const each of landed.filter(({ version }) => version > target).toReversed()) {
      await explained({ version: each.version, direction: 'down', landed }, async () => {
        await dropFunctionsOf(client, each.version);
        await client.query(each.down);
      });
      await recordStep(client, each, 'down');
    }
  });
  return await migrationStatus(db, options);
}

/** One transaction under the migration lock, as the schema's owner; tried again when a lock of somebody else stands in the way. */
async function step<Result>(db: Database, target: string, action: (client: pg.ClientBase) => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ownTransaction(db, 'write', async (client) => {
        await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
        await lockMigrations(client);
        await layFoundation(client);
        return await action(client);
      });
    } catch (error) {
      // 55P03 lock_not_available; 40P01 deadlock_detected. withClient has thrown the connection away: rolled back.
      const blocked = codeOf(error) === '55P03' || codeOf(error) === '40P01';
      if (!blocked) throw operationFailure(error, target);
      if (attempt === LOCK_TRIES) throw new SafekeepError('lock-timeout', { target, tries: LOCK_TRIES }, { cause: error });
      await wait(LOCK_PAUSE_MS * attempt);
    }
  }
}

type Way = { readonly version: string; readonly direction: 'up' | 'down'; readonly landed: readonly LandedMigration[] };

async function explained({ version, direction, landed }: Way, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    if (isSafekeepError(cause) || codeOf(cause) === '55P03' || codeOf(cause) === '40P01') throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    // P0001 raise_exception: a way back says itself what would be lost.
    const code = direction === 'down' && codeOf(cause) === 'P0001' ? 'migration-refused' : 'migration-failed';
    throw new SafekeepError(code, { version, direction, reason, current: landed.at(-1)?.version ?? NONE }, { cause });
  }
}

async function refreshFunctions(client: pg.ClientBase, all: Made): Promise<void> {
  const standing = (await readLanded(client)).map(({ version }) => version);
  const { changed, gone } = await compareFunctions(client, all, standing);
  const files = new Map(all.files.map((file) => [file.object, file]));
  for (const { object, text } of changed) {
    const file = files.get(object);
    if (file === undefined) await client.query(text);
    else await createFunction(client, file);
  }
  for (const object of gone) await dropUnusedFunction(client, object);
}

type Compared = { readonly changed: readonly Pick<FunctionFile, 'object' | 'text'>[]; readonly gone: readonly string[] };

/**
 * What differs between the functions of this Safekeep and those that stand: texts to run, and objects that no file makes. The hash that was
 * written down tells an older file; the function itself tells what somebody has made of it since.
 */
async function compareFunctions(client: pg.ClientBase, { files, once }: Made, standing: readonly string[]): Promise<Compared> {
  const hashes = await readFunctionHashes(client);
  const known = [...files, ...once].filter(({ needs }) => standing.includes(needs));
  const { functions, crypto } = await readStandingFunctions(
    client,
    known.map(({ object }) => object),
  );
  const isOlder = (file: FunctionFile | Omit<FunctionFile, 'sha256'>): boolean =>
    'sha256' in file && hashes.get(file.object) !== file.sha256;
  const isOther = ({ object, text }: Pick<FunctionFile, 'object' | 'text'>): boolean => {
    const [found, shipped] = [functions.get(object), shippedIn(text)];
    return found === undefined || (shipped !== undefined && !isShipped(found, shipped, crypto));
  };
  const objects = new Set(files.map(({ object }) => object));
  return {
    changed: known.filter((each) => isOlder(each) || isOther(each)),
    gone: [...hashes.keys()].filter((object) => !objects.has(object)),
  };
}

function refuseForeign(landed: readonly LandedMigration[], migrations: readonly Migration[]): void {
  const known = new Map(migrations.map((migration) => [migration.version, migration]));
  for (const { version, sha256 } of landed) {
    const ours = known.get(version);
    if (ours === undefined)
      throw new SafekeepError('migration-newer', { found: version, newest: migrations.at(-1)?.version ?? NONE });
    if (ours.sha256 !== sha256)
      throw new SafekeepError('migration-changed', { version, landed: sha256.slice(0, 12), now: ours.sha256.slice(0, 12) });
  }
}

function versionOf(text: string, known: readonly { readonly version: string }[]): string {
  const version = text.padStart(4, '0');
  if (version !== NONE && !known.some((migration) => migration.version === version)) {
    throw new SafekeepError('migration-unknown', {
      version: text,
      newest:
        known
          .map((migration) => migration.version)
          .toSorted()
          .at(-1) ?? NONE,
    });
  }
  return version;
}
