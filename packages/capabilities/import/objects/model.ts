/** SQLite's five column affinities (sqlite.org/datatype3.html, section 3). */
export type Affinity = 'integer' | 'text' | 'blob' | 'real' | 'numeric';

/** SQLite's three built-in collations; any other name was registered by the application that wrote the file. */
export type SourceCollation = 'BINARY' | 'NOCASE' | 'RTRIM' | (string & {});

export type GeneratedColumn = { readonly storage: 'virtual' | 'stored'; readonly expression: string };

export type SourceColumn = {
  readonly name: string;
  /** As written in CREATE TABLE, possibly empty. */
  readonly declaredType: string;
  readonly affinity: Affinity;
  readonly notNull: boolean;
  /** The text of the DEFAULT expression as SQLite reports it; null where there is none. */
  readonly defaultSql: string | null;
  /** 1-based place in the primary key, 0 outside of it. */
  readonly primaryKeyPosition: number;
  readonly generated: GeneratedColumn | null;
  /** A hidden column of a virtual table: not data, never loaded. */
  readonly hidden: boolean;
  readonly collation: SourceCollation;
};

export type IndexPart = {
  /** A column's name, or null for an expression. */
  readonly column: string | null;
  /** The text of an expression; null for a column. */
  readonly expression: string | null;
  readonly descending: boolean;
  readonly collation: SourceCollation;
};

export type SourceIndex = {
  readonly name: string;
  readonly unique: boolean;
  /** How it came about: CREATE INDEX, a UNIQUE constraint or a PRIMARY KEY. */
  readonly origin: 'create-index' | 'unique' | 'primary-key';
  /** The text of the WHERE clause of a partial index. */
  readonly predicate: string | null;
  readonly parts: readonly IndexPart[];
  /** The CREATE INDEX statement; null for an automatic index. */
  readonly sql: string | null;
};

export type KeyConstraint = {
  readonly name: string | null;
  readonly columns: readonly string[];
  /** ON CONFLICT of the constraint (`REPLACE`, `IGNORE`, …): SQLite only. */
  readonly conflict: string | null;
  /** The automatic index that carries it; null for an INTEGER PRIMARY KEY, which is the rowid itself. */
  readonly index: string | null;
};

export type ForeignKeyAction = 'NO ACTION' | 'RESTRICT' | 'SET NULL' | 'SET DEFAULT' | 'CASCADE';

export type SourceForeignKey = {
  readonly name: string | null;
  readonly columns: readonly string[];
  /** As written; the parent may be missing. */
  readonly parentTable: string;
  /** Resolved to the parent's primary key where the statement names no columns; empty where that is impossible. */
  readonly parentColumns: readonly string[];
  readonly onUpdate: ForeignKeyAction;
  readonly onDelete: ForeignKeyAction;
  /** Written in the file; SQLite parses MATCH and treats all of them as SIMPLE. */
  readonly match: string;
  readonly deferrable: 'not-deferrable' | 'initially-immediate' | 'initially-deferred';
};

export type SourceCheck = { readonly name: string | null; readonly expression: string; readonly column: string | null };

export type TableKind = 'table' | 'virtual' | 'shadow' | 'internal';

export type SourceTable = {
  readonly name: string;
  readonly kind: TableKind;
  /**
   * Rows that exist nowhere else can be read by SELECT: every ordinary table, and virtual tables with their own rows
   * (FTS without outside content, R*Tree). These and only these need a decision for every loadable column.
   */
  readonly loadable: boolean;
  /** In the order of CREATE TABLE, hidden ones included. */
  readonly columns: readonly SourceColumn[];
  /** The column that is an alias of the rowid (INTEGER PRIMARY KEY). */
  readonly rowidAlias: string | null;
  readonly autoincrement: boolean;
  readonly withoutRowid: boolean;
  readonly strict: boolean;
  readonly primaryKey: KeyConstraint | null;
  readonly uniques: readonly KeyConstraint[];
  readonly checks: readonly SourceCheck[];
  readonly foreignKeys: readonly SourceForeignKey[];
  readonly indexes: readonly SourceIndex[];
  /** The value in sqlite_sequence; null where the table has none. */
  readonly sequence: bigint | null;
  /** The module of a virtual table: fts5, rtree, …, in lower case. */
  readonly module: string | null;
  readonly sql: string;
  /** Why CHECKs, generated columns and constraint names of this table could not be read; null normally. */
  readonly unread: string | null;
};

export type SourceView = { readonly name: string; readonly columns: readonly string[]; readonly sql: string };
export type SourceTrigger = { readonly name: string; readonly table: string; readonly sql: string };

export type SourceSchema = {
  readonly tables: readonly SourceTable[];
  readonly views: readonly SourceView[];
  readonly triggers: readonly SourceTrigger[];
};

// ---- what the scan of the data decided ---------------------------------------------------------------------------------

export type TargetType =
  | 'bigint'
  | 'double precision'
  | 'numeric'
  | `numeric(${number},${number})`
  | 'boolean'
  | 'text'
  | 'bytea'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'json'
  | 'jsonb';

/** What stands in a column, counted over all rows. */
export type ColumnFacts = {
  readonly integers: number;
  readonly reals: number;
  readonly texts: number;
  readonly blobs: number;
  readonly nulls: number;
  /** Of the integers; null where there are none. */
  readonly minimum: bigint | null;
  readonly maximum: bigint | null;
  /**
   * Where texts became date, time, timestamp, timestamptz or boolean: the one shape all of them have, in PostgreSQL's
   * to_char letters with quoted fixed text (`YYYY-MM-DD`, `YYYY-MM-DD HH24:MI:SS`, `YYYY-MM-DD"T"HH24:MI:SS"Z"`), or
   * `true/false` for booleans. Null where the shapes differ. Needed to give views their text back.
   */
  readonly shape: string | null;
};

export type ColumnDecision = {
  readonly type: TargetType;
  readonly facts: ColumnFacts;
  /** Why the type is not the one the declaration asks for; null where it is. The column's state is then `changed`. */
  readonly changed: string | null;
};

/** Source table name -> source column name -> decision, for every loadable table and every column that is not hidden. */
export type Decisions = ReadonlyMap<string, ReadonlyMap<string, ColumnDecision>>;

export type TranslateOptions = {
  /** The schema the objects are made in; every name in the statements is qualified with it. */
  readonly schema: string;
  readonly naming: 'exact' | 'snake-case';
  /** Major version of the target server: 18 has VIRTUAL generated columns. */
  readonly serverVersion: number;
};

// ---- what is made of it ------------------------------------------------------------------------------------------------

export type ObjectKind =
  | 'table'
  | 'virtual-table'
  | 'shadow-table'
  | 'internal-table'
  | 'column'
  | 'not-null'
  | 'default'
  | 'primary-key'
  | 'unique'
  | 'check'
  | 'foreign-key'
  | 'index'
  | 'identity'
  | 'view'
  | 'trigger';

export type ObjectState = 'migrated' | 'changed' | 'not-migrated';

export type ObjectReport = {
  /** Unique within the report; a statement names its object by it. */
  readonly id: string;
  readonly kind: ObjectKind;
  /** As in the source: `Orders`, `Orders.Freight`, `Orders.foreign key (ShipVia)`. */
  readonly name: string;
  readonly state: ObjectState;
  /** Always given for `changed` and `not-migrated`; a remark, or empty, for `migrated`. */
  readonly reason: string;
  /** The SQLite text of what did not come over whole (views, triggers, virtual tables), to be kept in the report. */
  readonly source: string | null;
};

export type TargetColumn = {
  readonly source: string;
  readonly name: string;
  readonly type: TargetType;
  /** For CREATE TABLE: quoted name, type, collation, NOT NULL, generated expression. */
  readonly definition: string;
  /** The same without the generated expression, should the server refuse it; equal to `definition` for other columns. */
  readonly plainDefinition: string;
  /** PostgreSQL computes it: not to be loaded with `definition`, to be loaded with `plainDefinition`. */
  readonly generated: boolean;
  /** Id of the column in the object report. */
  readonly object: string;
};

export type TargetTable = {
  readonly source: string;
  readonly name: string;
  readonly columns: readonly TargetColumn[];
  /** Id of the table in the object report. */
  readonly object: string;
};

export type StatementKind =
  | 'default'
  | 'primary-key'
  | 'unique'
  | 'index'
  | 'check'
  | 'foreign-key'
  | 'identity'
  | 'sequence'
  | 'view'
  | 'comment';

/**
 * One statement to run after the load, in a savepoint of its own: where the server refuses it, `refuse` moves its object
 * to not-migrated with the server's words. Statements stand in the order in which they must run.
 */
export type PostLoadStatement = {
  readonly kind: StatementKind;
  /** Target table (or view) it belongs to. */
  readonly table: string;
  readonly sql: string;
  readonly object: string;
  /** May run at the same time as the statements of the same kind around it. */
  readonly parallel: boolean;
  /** To run instead when the rows already there violate the constraint (SQLSTATE 23503, 23514): the NOT VALID form. */
  readonly violated: { readonly sql: string; readonly reason: string } | null;
};

export type NameChange = {
  readonly kind: 'table' | 'column' | 'view' | 'index' | 'constraint';
  readonly source: string;
  readonly target: string;
};

export type TargetPlan = {
  readonly schema: string;
  readonly tables: readonly TargetTable[];
  readonly statements: readonly PostLoadStatement[];
  readonly objects: readonly ObjectReport[];
  /** Every name that is not the source's, for the printed map. */
  readonly names: readonly NameChange[];
  /** What makes the import of rows impossible (a table of more columns than PostgreSQL has): refuse before loading. */
  readonly blockers: readonly { readonly object: string; readonly reason: string }[];
};
