import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import { systemClock, type Secret } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { testDatabase, type TestServer } from '@safekeep/postgres/testing';
import type { ImportContext } from '../actions/import-context.ts';
import { importSqlite } from '../actions/import-sqlite.ts';
import type { ImportOptions, ImportResult } from '../model.ts';

/** Anything that runs a function at the end of a test: the context of node:test. */
export type Ending = { readonly after: (run: () => void | Promise<void>) => void };

export type Workbench = {
  readonly context: ImportContext;
  readonly pool: pg.Pool;
  readonly url: Secret;
  readonly run: (file: string, options?: Partial<ImportOptions>) => Promise<ImportResult>;
};

/** A folder of the test's own, removed at its end. */
export function temporaryFolder(t: Ending): string {
  const folder = mkdtempSync(join(tmpdir(), 'safekeep-import-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Makes a SQLite file out of statements, or of what `fill` does with it. */
export function sqliteFile(t: Ending, fill: string | ((database: DatabaseSync) => void), name = 'source.sqlite'): string {
  const file = join(temporaryFolder(t), name);
  const database = new DatabaseSync(file);
  // Nothing here needs to survive a power cut.
  database.exec('PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF');
  if (typeof fill === 'string') database.exec(fill);
  else fill(database);
  database.close();
  return file;
}

/** A fresh database with Safekeep's schema, and an import that writes there. */
export async function workbench(
  t: Ending & { readonly after: (run: () => Promise<void>) => void },
  server?: TestServer,
): Promise<Workbench> {
  const { database, pool, url } = await testDatabase(t, { migrated: true, ...(server === undefined ? {} : { server }) });
  const context = importContext(database, temporaryFolder(t));
  return { context, pool, url, run: (file, options = {}) => importSqlite(context, importOptions(file, options)) };
}

/** An import that nobody watches, signed by a key of its own. */
export function importContext(database: ImportContext['database'], home: string): ImportContext {
  return {
    home,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    progress: () => ({ update: () => undefined, end: () => undefined }),
    say: () => undefined,
    database,
    signer: signingKeyFromPem(createSigningKey(), 'test'),
  };
}

export function importOptions(file: string, options: Partial<ImportOptions> = {}): ImportOptions {
  return {
    file,
    schema: 'public',
    onInvalid: 'refuse',
    strictTypes: false,
    replace: false,
    jobs: 2,
    verify: 'full',
    snakeCase: false,
    acceptProposals: false,
    types: [],
    ...options,
  };
}

/** Every relation outside of Safekeep's and PostgreSQL's own schemas, as `schema.name`. */
export async function relations(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'v') AND n.nspname NOT IN ('safekeep', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}
