import { assemble } from './assemble.ts';
import type { Catalog } from './model.ts';
import type { Queryable } from './queryable.ts';
import { readRows } from './rows.ts';
import { inSnapshot } from './snapshot.ts';

/**
 * Reads the structure of a database: one statement for each kind of object, all of one moment, however many tables there are.
 *
 * Takes a pool, a connection, or an open transaction (then within it; see {@link inSnapshot}). Reads only the system catalogues,
 * never a row of a table, and needs no right beyond CONNECT: a table that the user may not read is listed all the same.
 * A table that is dropped while this runs is either listed whole or not at all.
 *
 * @param options.schemas exact names; a schema that does not exist is missing in `catalog.schemas`. Default: all but the system's.
 */
export async function readCatalog(db: Queryable, options: { readonly schemas?: readonly string[] } = {}): Promise<Catalog> {
  return inSnapshot(db, async (snapshot) => assemble(await readRows(snapshot, options.schemas)));
}
