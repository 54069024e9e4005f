import type { Catalog, ForeignKey, Table } from './model.ts';
import { formatTableName, parseTableName, tableName, type TableRef } from '@safekeep/core';

/** A foreign key with the tables at its ends. */
export type Reference = {
  readonly from: Table;
  readonly foreignKey: ForeignKey;
  /** Undefined when it lies in a schema that was not read. */
  readonly to: Table | undefined;
};

type Lookup = {
  readonly byName: ReadonlyMap<string, Table>;
  readonly byOid: ReadonlyMap<number, Table>;
  readonly incoming: ReadonlyMap<number, readonly Reference[]>;
};

// A catalogue is never changed, so what is found in it once holds as long as it lives.
const lookups = new WeakMap<Catalog, Lookup>();

/** By its parts, or by its name as a person writes it. Throws `name-invalid` for a text that is not a name. */
export function findTable(catalog: Catalog, name: string | TableRef): Table | undefined {
  const ref = typeof name === 'string' ? parseTableName(name) : name;
  return lookupOf(catalog).byName.get(formatTableName(ref));
}

export function findTableByOid(catalog: Catalog, oid: number): Table | undefined {
  return lookupOf(catalog).byOid.get(oid);
}

/** Foreign keys that leave the table, one to itself included. */
export function foreignKeysOf(catalog: Catalog, table: Table): readonly Reference[] {
  const { byOid } = lookupOf(catalog);
  return table.foreignKeys.map((foreignKey) => ({ from: table, foreignKey, to: byOid.get(foreignKey.references.oid) }));
}

/** Foreign keys that point to the table, one from itself included. */
export function referencedBy(catalog: Catalog, table: Table): readonly Reference[] {
  return lookupOf(catalog).incoming.get(table.oid) ?? [];
}

function lookupOf(catalog: Catalog): Lookup {
  const known = lookups.get(catalog);
  if (known !== undefined) return known;
  const byOid = new Map(catalog.tables.map((table) => [table.oid, table]));
  const references = catalog.tables.flatMap((from) =>
    from.foreignKeys.map((foreignKey) => ({ from, foreignKey, to: byOid.get(foreignKey.references.oid) })),
  );
  const made: Lookup = {
    byName: new Map(catalog.tables.map((table) => [tableName(table), table])),
    byOid,
    incoming: Map.groupBy(references, (reference) => reference.foreignKey.references.oid),
  };
  lookups.set(catalog, made);
  return made;
}
