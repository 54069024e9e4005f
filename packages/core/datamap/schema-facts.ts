// What the rules of the map need to know of a database. The catalogue that package postgres reads has all of it in this form
// and can be handed over as it is; core itself reads no database.
import { tableName } from '../catalog-names.ts';
import { formatTableName, type TableRef } from '../names.ts';

export type SchemaFacts = { readonly tables: readonly TableFacts[] };

export type TableFacts = {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'partitioned-table' | 'foreign-table' | 'view' | 'materialized-view';
  /** As last estimated; -1 when never. */
  readonly rowEstimate: number;
  /** The extension that it came with; such a table is not the user's. */
  readonly extension: string | null;
  readonly partition: { readonly parent: TableRef } | null;
  /** Parents of old-style inheritance (INHERITS). */
  readonly inherits?: readonly TableRef[];
  /** `RANGE (visited_on)`; null for what is not partitioned. */
  readonly partitionKey: string | null;
  readonly privileges: { readonly select: boolean };
  readonly columns: readonly ColumnFacts[];
  readonly primaryKey: KeyFacts | null;
  readonly uniques: readonly (KeyFacts & { readonly nullsNotDistinct: boolean })[];
  readonly foreignKeys: readonly ForeignKeyFacts[];
  readonly checks: readonly (KeyFacts & { readonly expression: string })[];
  readonly exclusions: readonly {
    readonly name: string;
    readonly elements: readonly { readonly column: string | null; readonly operator: string }[];
  }[];
  readonly indexes: readonly IndexFacts[];
  readonly triggers?: readonly { readonly name: string }[];
};

export type KeyFacts = { readonly name: string; readonly columns: readonly string[] };

export type ForeignKeyFacts = KeyFacts & {
  /** `columns` pairs with `references.columns` by place. */
  readonly references: TableRef & { readonly columns: readonly string[] };
  readonly onDelete: 'no-action' | 'restrict' | 'cascade' | 'set-null' | 'set-default';
  /** It stands in a partitioned parent too. */
  readonly inherited: boolean;
};

export type IndexFacts = {
  readonly name: string;
  readonly unique: boolean;
  readonly predicate: string | null;
  readonly nullsNotDistinct: boolean;
  readonly keys: readonly { readonly column: string | null; readonly expression: string | null }[];
};

export type ColumnFacts = {
  readonly name: string;
  /** As declared: `character varying(80)`. */
  readonly type: string;
  /** Domains looked through. */
  readonly baseType: string;
  readonly isArray: boolean;
  readonly domain: { readonly name: string; readonly notNull: boolean; readonly checks: readonly string[] } | null;
  readonly enumLabels: readonly string[] | null;
  readonly notNull: boolean;
  readonly identity: 'always' | 'by-default' | null;
  readonly generated: { readonly kind: 'stored' | 'virtual'; readonly expression: string } | null;
  readonly privileges: { readonly select: boolean };
};

/** A foreign key with the external names of the tables at its ends. */
export type Link = { readonly from: string; readonly foreignKey: ForeignKeyFacts; readonly to: string };

export type SchemaIndex = {
  readonly facts: SchemaFacts;
  readonly byName: ReadonlyMap<string, TableFacts>;
  /** Links that leave a table. */
  readonly outgoing: ReadonlyMap<string, readonly Link[]>;
  /** Links that point to a table. */
  readonly incoming: ReadonlyMap<string, readonly Link[]>;
  /** Tables whose rows stand in children of old-style inheritance too: no key is one over all of them. */
  readonly parents: ReadonlySet<string>;
};

/**
 * A pattern of SQL and JavaScript alike, for a whole name: our schema, the queue's, the sign-in library's, and where an import builds and
 * keeps what it replaced, each with the id of its run.
 */
export const OWN_SCHEMAS = 'safekeep(_jobs|_auth|_(import|kept)_[0-9a-f]{32})?';

const OWN = new RegExp(`^${OWN_SCHEMAS}$`);

/** Safekeep's own schemas: never part of anybody's map. */
export function isOwnSchema(schema: string): boolean {
  return OWN.test(schema);
}

const KEPT = /^safekeep_kept_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;

/** The import that keeps in this schema what it replaced; undefined of any other schema. */
export function runThatKeeps(schema: string): string | undefined {
  return KEPT.exec(schema)?.slice(1).join('-');
}

// Facts are never changed, so what is found in them once holds as long as they live.
const indexes = new WeakMap<SchemaFacts, SchemaIndex>();

/** The same facts by name. Made once for each. */
export function indexSchema(facts: SchemaFacts): SchemaIndex {
  const known = indexes.get(facts);
  if (known !== undefined) return known;
  const links = facts.tables.flatMap((table) =>
    table.foreignKeys.map((foreignKey): Link => ({
      from: tableName(table),
      foreignKey,
      to: formatTableName(foreignKey.references),
    })),
  );
  const made: SchemaIndex = {
    facts,
    byName: new Map(facts.tables.map((table) => [tableName(table), table])),
    outgoing: Map.groupBy(links, (link) => link.from),
    incoming: Map.groupBy(links, (link) => link.to),
    parents: new Set(facts.tables.flatMap(({ inherits = [] }) => inherits.map(formatTableName))),
  };
  indexes.set(facts, made);
  return made;
}

/** A table of the user's that holds rows of its own, and not as a part of another one. A map must say what is in it. */
export function isMappable(table: TableFacts): boolean {
  return table.kind !== 'view' && table.partition === null && table.extension === null && !isOwnSchema(table.schema);
}

export function columnOf(table: TableFacts, name: string): ColumnFacts | undefined {
  return table.columns.find((column) => column.name === name);
}
