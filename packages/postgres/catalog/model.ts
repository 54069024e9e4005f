// What a PostgreSQL database is made of, as one moment saw it. Plain data that survives JSON.
//
// Names of tables, columns, types and functions that stand in one string are external names (see names.ts); types and
// expressions are in PostgreSQL's own words, with every name outside pg_catalog carrying its schema. `oid` is the object's
// number in this database: it does not survive dump and restore.
import type { ColumnRef, TableRef } from '@safekeep/core';

export type Catalog = {
  readonly server: CatalogServer;
  /** The schemas that were read. System, temporary and TOAST schemas never are. */
  readonly schemas: readonly Schema[];
  /** Tables and views, sorted by schema and name. Also those that the current user may not read. */
  readonly tables: readonly Table[];
  readonly types: readonly TypeDefinition[];
  readonly functions: readonly FunctionDefinition[];
  readonly sequences: readonly Sequence[];
  /** Of the whole database. */
  readonly extensions: readonly Extension[];
  /** Of the whole database. */
  readonly eventTriggers: readonly EventTrigger[];
};

export type CatalogServer = {
  /** `server_version_num`, e.g. 180004. */
  readonly versionNumber: number;
  readonly version: string;
  readonly database: string;
  /** e.g. `UTF8`. */
  readonly encoding: string;
  readonly collation: string;
  /** The role whose privileges are told (`current_user`, so SET ROLE counts). */
  readonly user: string;
  readonly superuser: boolean;
  readonly bypassesRowSecurity: boolean;
  /** The server is in recovery: nothing can be written there. */
  readonly standby: boolean;
  /** Start of the transaction that read, in UTC, ISO 8601. */
  readonly readAt: string;
};

export type Schema = { readonly oid: number; readonly name: string; readonly owner: string; readonly comment: string | null };

export type TableKind = 'table' | 'partitioned-table' | 'foreign-table' | 'view' | 'materialized-view';

export type Table = TableFacts & {
  readonly columns: readonly Column[];
  readonly primaryKey: PrimaryKey | null;
  readonly uniques: readonly Unique[];
  /** From this table to others; those to it are found with `referencedBy`. */
  readonly foreignKeys: readonly ForeignKey[];
  readonly checks: readonly Check[];
  readonly exclusions: readonly Exclusion[];
  /** NOT NULL as named constraints, which PostgreSQL keeps from version 18 on. Before, and always: `column.notNull`. */
  readonly notNulls: readonly NotNull[];
  readonly indexes: readonly Index[];
  readonly triggers: readonly Trigger[];
  readonly policies: readonly Policy[];
  readonly rules: readonly Rule[];
  /** What a view or materialized view computes; null for the others. */
  readonly view: ViewDefinition | null;
};

export type TableFacts = {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: TableKind;
  readonly persistence: 'permanent' | 'unlogged';
  readonly owner: string;
  readonly comment: string | null;
  readonly rowSecurity: RowSecurity;
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  /** Rows as last estimated by ANALYZE or VACUUM; -1 when never (0 for a view). Not a count. */
  readonly rowEstimate: number;
  /** Pages of 8 kB (as a rule) as last estimated, without TOAST and indexes. */
  readonly pages: number;
  /** Bytes on disk now, with TOAST, without indexes. Null for what stores nothing itself. */
  readonly sizeBytes: number | null;
  /** `name=value`: storage parameters of a table, `security_invoker=true` and the like of a view. */
  readonly options: readonly string[];
  /** `RANGE (visited_on)`: how a partitioned table is divided; null for the others. */
  readonly partitionKey: string | null;
  /** Where a partition hangs; null for what is none. A partition may be partitioned itself. */
  readonly partition: { readonly parent: TableRef; readonly bound: string } | null;
  /** Parents of old-style inheritance, in their order. */
  readonly inherits: readonly TableRef[];
  readonly foreignServer: string | null;
  /** The extension it came with; such a table is neither dumped nor fingerprinted. */
  readonly extension: string | null;
  readonly privileges: TablePrivileges;
};

type RowSecurity = { readonly enabled: boolean; readonly forced: boolean };

/** What the current user may do to the table as a whole. Without `select` single columns may still be readable. */
export type TablePrivileges = {
  readonly select: boolean;
  readonly insert: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  readonly truncate: boolean;
};

export type Column = {
  /** 1 for the first column that the table shows. Columns that were dropped leave no gap. */
  readonly position: number;
  /** `pg_attribute.attnum`, with the gaps. */
  readonly number: number;
  readonly name: string;
  /** As declared, with modifiers: `character varying(80)`, `clinic.email`, `numeric(10,2)[]`. */
  readonly type: string;
  /** What is stored once all domains are looked through, also those of array elements: `text`, `numeric(10,2)[]`. */
  readonly baseType: string;
  /** Also for a domain over an array. */
  readonly isArray: boolean;
  /** Domain of the value or of an array's elements. */
  readonly domain: DomainUse | null;
  /** Labels in their order when the value, or an array's element, is of an enum; null otherwise. */
  readonly enumLabels: readonly string[] | null;
  /** By the column itself; a domain may refuse nulls too. */
  readonly notNull: boolean;
  /** Expression; null when there is none (so also for a generated or identity column). */
  readonly default: string | null;
  readonly identity: 'always' | 'by-default' | null;
  readonly generated: { readonly kind: 'stored' | 'virtual'; readonly expression: string } | null;
  /** Where it is not the one of the type. */
  readonly collation: string | null;
  /** It stands in a parent table too. */
  readonly inherited: boolean;
  readonly comment: string | null;
  /** By grant on the column or on the table. */
  readonly privileges: Pick<TablePrivileges, 'select' | 'insert' | 'update'>;
};

/** A domain as a column uses it, with what it demands along the whole chain of domains under it. */
export type DomainUse = {
  readonly name: string;
  readonly notNull: boolean;
  /** `CHECK (…)`, of the outermost domain first. */
  readonly checks: readonly string[];
};

export type Deferral = 'not-deferrable' | 'deferrable' | 'initially-deferred';

type Constraint = {
  readonly oid: number;
  readonly name: string;
  /** False for NOT VALID: rows that stood there before were not looked at. */
  readonly validated: boolean;
  /** False for NOT ENFORCED (PostgreSQL 18): written down, never checked. */
  readonly enforced: boolean;
  /** It comes from a parent table. */
  readonly inherited: boolean;
};

type Key = Constraint & {
  readonly columns: readonly string[];
  readonly deferral: Deferral;
  /** Name of the index behind it. */
  readonly index: string;
  /** The last column is a range and is kept free of overlaps (WITHOUT OVERLAPS, PostgreSQL 18). */
  readonly withoutOverlaps: boolean;
};

export type PrimaryKey = Key;

export type Unique = Key & { readonly nullsNotDistinct: boolean };

type ReferentialAction = 'no-action' | 'restrict' | 'cascade' | 'set-null' | 'set-default';

export type ForeignKey = Constraint & {
  /** Pairs by place with `references.columns`. */
  readonly columns: readonly string[];
  readonly references: TableRef & { readonly oid: number; readonly columns: readonly string[] };
  readonly onUpdate: ReferentialAction;
  readonly onDelete: ReferentialAction;
  /** The columns that SET NULL or SET DEFAULT touches where it names some; empty for all. */
  readonly onDeleteColumns: readonly string[];
  readonly match: 'simple' | 'full' | 'partial';
  readonly deferral: Deferral;
  /** The last pair is of ranges: the referenced rows must cover the period (PERIOD, PostgreSQL 18). */
  readonly period: boolean;
};

export type Check = Constraint & {
  /** The columns of the table that it reads; none of the system's (`tableoid`). */
  readonly columns: readonly string[];
  readonly expression: string;
  readonly noInherit: boolean;
};

export type Exclusion = Constraint & {
  /** `column` is null for an expression. No two rows may satisfy all operators at once. */
  readonly elements: readonly { readonly column: string | null; readonly operator: string }[];
  readonly definition: string;
  readonly deferral: Deferral;
  readonly index: string;
};

export type NotNull = Constraint & { readonly column: string; readonly noInherit: boolean };

export type Index = {
  readonly oid: number;
  readonly name: string;
  /** `btree`, `gin`, … */
  readonly method: string;
  readonly keys: readonly IndexKey[];
  /** Columns carried along (INCLUDE), no part of the key. */
  readonly included: readonly string[];
  readonly unique: boolean;
  readonly primary: boolean;
  readonly nullsNotDistinct: boolean;
  /** The condition of a partial index. */
  readonly predicate: string | null;
  /** False while CREATE INDEX CONCURRENTLY runs or after it failed: not used for reading. */
  readonly valid: boolean;
  /** Its columns are what logical replication identifies a row by. */
  readonly replicaIdentity: boolean;
  /** The index of the partitioned table that this one is a part of. */
  readonly parent: string | null;
  /** Bytes on disk now; null for the index of a partitioned table, which has none of its own. */
  readonly sizeBytes: number | null;
  readonly definition: string;
};

/** One of `column` and `expression` is set. */
export type IndexKey = {
  readonly column: string | null;
  readonly expression: string | null;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
};

/** When a trigger or rule fires, by `session_replication_role`: `origin` is the ordinary state. */
type Firing = 'origin' | 'replica' | 'always' | 'disabled';

export type Trigger = {
  readonly oid: number;
  readonly name: string;
  readonly function: string;
  readonly events: readonly ('insert' | 'update' | 'delete' | 'truncate')[];
  /** The columns of UPDATE OF; empty for any. */
  readonly updateOf: readonly string[];
  readonly timing: 'before' | 'after' | 'instead-of';
  readonly level: 'row' | 'statement';
  readonly enabled: Firing;
  /** It comes from the partitioned parent. */
  readonly inherited: boolean;
  readonly definition: string;
};

export type Policy = {
  readonly oid: number;
  readonly name: string;
  readonly command: 'all' | 'select' | 'insert' | 'update' | 'delete';
  /** Names of roles; `public` for everybody. */
  readonly roles: readonly string[];
  readonly permissive: boolean;
  readonly using: string | null;
  readonly check: string | null;
};

export type Rule = {
  readonly oid: number;
  readonly name: string;
  readonly event: 'select' | 'update' | 'insert' | 'delete';
  readonly instead: boolean;
  readonly enabled: Firing;
  readonly definition: string;
};

export type ViewDefinition = {
  readonly definition: string;
  /**
   * The columns it reads directly (of tables and of other views), also of schemas that were not read. A null column means
   * the table as a whole: `count(*)` or a whole row. What a function called by the view reads is not known here.
   */
  readonly reads: readonly (TableRef & { readonly column: ColumnRef['column'] | null })[];
};

type Named = {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** The extension it came with. */
  readonly extension: string | null;
};

type OwnedType = Named & { readonly comment: string | null };

export type DomainType = OwnedType & {
  readonly kind: 'domain';
  /** Immediately under it: another domain, or a base type with its modifiers. */
  readonly baseType: string;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly collation: string | null;
  readonly checks: readonly { readonly name: string; readonly definition: string; readonly validated: boolean }[];
};

type EnumType = OwnedType & { readonly kind: 'enum'; readonly labels: readonly string[] };

export type CompositeType = OwnedType & {
  readonly kind: 'composite';
  readonly attributes: readonly { readonly name: string; readonly type: string }[];
};

type RangeType = OwnedType & { readonly kind: 'range'; readonly subtype: string };

export type TypeDefinition = DomainType | EnumType | CompositeType | RangeType;

export type FunctionDefinition = Named & {
  readonly kind: 'function' | 'procedure' | 'aggregate' | 'window';
  /** What tells overloaded functions apart: `patient uuid, at timestamp with time zone`. */
  readonly identityArguments: string;
  /** The same with defaults. */
  readonly arguments: string;
  /** Null for a procedure. */
  readonly returns: string | null;
  readonly language: string;
  readonly owner: string;
  readonly securityDefiner: boolean;
  readonly volatility: 'immutable' | 'stable' | 'volatile';
  readonly strict: boolean;
  readonly leakproof: boolean;
  /** `name=value` of its SET clauses. */
  readonly config: readonly string[];
  /** SHA-256 in hex of its source, or of a body in standard SQL as the server prints it. Of an aggregate it says nothing. */
  readonly bodySha256: string;
  readonly comment: string | null;
};

/** Numbers are decimal text: a bigint does not fit a JavaScript number. */
export type Sequence = Named & {
  readonly persistence: 'permanent' | 'unlogged';
  readonly type: string;
  readonly start: string;
  readonly increment: string;
  readonly minimum: string;
  readonly maximum: string;
  readonly cache: string;
  readonly cycle: boolean;
  /** The column it numbers: as GENERATED … AS IDENTITY, or by OWNED BY (what `serial` makes). */
  readonly ownedBy: (ColumnRef & { readonly as: 'identity' | 'serial' }) | null;
};

export type Extension = { readonly name: string; readonly version: string; readonly schema: string };

export type EventTrigger = {
  readonly name: string;
  readonly event: string;
  /** Command tags it is limited to; empty for all. */
  readonly tags: readonly string[];
  readonly function: string;
  readonly enabled: Firing;
};
