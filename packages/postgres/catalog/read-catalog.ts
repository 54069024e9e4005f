import { SafekeepError, type TableRef } from '@safekeep/core';
import { assemble } from './assemble.ts';
import type { Catalog } from './model.ts';
import type { Queryable } from './queryable.ts';
import { readHeld, readRows } from './rows.ts';
import { inSnapshot } from './snapshot.ts';

type CatalogOptions = { readonly schemas?: readonly string[] };

/**
 * Reads the structure of a database: one statement for each kind of object, all of one moment, however many tables there are.
 *
 * Takes a pool, a connection, or an open transaction (then within it; see {@link inSnapshot}). Reads only the system catalogues,
 * never a row of a table, and needs no right beyond CONNECT: a table that the user may not read is listed all the same.
 * A table that is dropped while this runs is either listed whole or not at all.
 *
 * @param options.schemas exact names; a schema that does not exist is missing in `catalog.schemas`. Default: all but the system's.
 */
export async function readCatalog(db: Queryable, options: CatalogOptions = {}): Promise<Catalog> {
  return inSnapshot(db, async (snapshot) => assemble(await readRows(snapshot, options.schemas)));
}

/** While more tables are locked each time, somebody works through the whole schema. */
const TRIES = 5;

/**
 * {@link readCatalog} for those who only look: a table that another session holds locked for itself alone stops nothing. It is
 * listed, with its columns and foreign keys; what cannot be printed without waiting for it is missing: its size, checks, indexes,
 * triggers, policies and rules, the definitions of views over it, and the hash of the body of a function in standard SQL that
 * reads it. `held` names these tables and views. Waits once for as long as `readCatalog` would, or the session's `lock_timeout`.
 *
 * @throws `lock-timeout` when other tables are locked at each of five tries.
 */
export async function readCatalogAroundLocks(
  db: Queryable,
  options: CatalogOptions = {},
): Promise<{ readonly catalog: Catalog; readonly held: readonly TableRef[] }> {
  const held = new Set<number>();
  for (let tries = 1; ; tries += 1) {
    try {
      const catalog = await inSnapshot(db, async (snapshot) => assemble(await readRows(snapshot, options.schemas, [...held])));
      return {
        catalog,
        held: catalog.tables.filter(({ oid }) => held.has(oid)).map(({ schema, name }) => ({ schema, table: name })),
      };
    } catch (error) {
      if (!(error instanceof SafekeepError) || error.code !== 'lock-timeout' || tries === TRIES) throw error;
      for (const oid of await inSnapshot(db, readHeld)) held.add(oid);
    }
  }
}
