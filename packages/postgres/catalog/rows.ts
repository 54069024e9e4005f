import { readFileSync } from 'node:fs';
import type * as model from './model.ts';
import type { TableRef } from '@safekeep/core';
import type { Queryable } from './queryable.ts';

// The shape of what each statement of sql/ selects: one type for one file, names as in its select list. A null that only a
// concurrent DROP can cause (see assemble.ts) is part of the type. Columns of a row's own table come as their numbers.

export type ServerRow = model.CatalogServer;

export type SchemaRow = model.Schema;

export type TableRow = Omit<model.TableFacts, 'rowSecurity' | 'partition' | 'inherits' | 'privileges'> & {
  readonly rowSecurityEnabled: boolean;
  readonly rowSecurityForced: boolean;
  readonly bound: string | null;
  readonly isPartition: boolean;
  readonly parents: readonly (TableRef & { readonly oid: number })[];
  readonly canSelect: boolean;
  readonly canInsert: boolean;
  readonly canUpdate: boolean;
  readonly canDelete: boolean;
  readonly canTruncate: boolean;
};

export type ColumnRow = Pick<model.Column, 'number' | 'name' | 'notNull' | 'identity' | 'inherited' | 'comment'> & {
  readonly tableOid: number;
  readonly type: string | null;
  readonly typeOid: number;
  /** Of the elements, when the type is an array. */
  readonly elementOid: number | null;
  /** Of the default or of the generated column. */
  readonly expression: string | null;
  readonly generated: 'stored' | 'virtual' | null;
  readonly collation: QualifiedName | null;
  readonly canSelect: boolean;
  readonly canInsert: boolean;
  readonly canUpdate: boolean;
};

/** Schema and name. */
type QualifiedName = readonly [schema: string, name: string];

type TypeRowOf<Kind extends model.TypeDefinition['kind']> = {
  readonly kind: Kind;
  readonly oid: number;
  readonly schemaOid: number;
  readonly schema: string;
  readonly name: string;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly collation: QualifiedName | null;
  readonly checks: model.DomainType['checks'];
  readonly labels: readonly string[];
  readonly attributes: model.CompositeType['attributes'];
  readonly extension: string | null;
  readonly comment: string | null;
};

export type DomainRow = TypeRowOf<'domain'> & {
  readonly baseOid: number;
  readonly baseType: string;
  readonly baseElementOid: number | null;
};

export type TypeRow = DomainRow | TypeRowOf<'enum'> | TypeRowOf<'composite'> | (TypeRowOf<'range'> & { readonly baseType: string });

type ConstraintRowOf<Kind extends string> = {
  readonly kind: Kind;
  readonly tableOid: number;
  readonly oid: number;
  readonly name: string;
  /** 0 for an expression, which only an exclusion has; negative for a system column, which only a check reads. */
  readonly columns: readonly number[];
  readonly deferral: model.Deferral;
  readonly validated: boolean;
  readonly enforced: boolean;
  readonly inherited: boolean;
  readonly noInherit: boolean;
  readonly temporal: boolean;
};

export type KeyRow = ConstraintRowOf<'primary-key' | 'unique'> & { readonly index: string; readonly nullsNotDistinct: boolean };

export type ForeignKeyRow = ConstraintRowOf<'foreign-key'> &
  Pick<model.ForeignKey, 'references' | 'onUpdate' | 'onDelete' | 'match'> & { readonly onDeleteColumns: readonly number[] };

export type CheckRow = ConstraintRowOf<'check'> & { readonly expression: string | null };

export type ExclusionRow = ConstraintRowOf<'exclusion'> & {
  readonly index: string;
  readonly operators: readonly string[];
  readonly definition: string | null;
};

export type NotNullRow = ConstraintRowOf<'not-null'>;

export type ConstraintRow = KeyRow | ForeignKeyRow | CheckRow | ExclusionRow | NotNullRow;

export type IndexRow = Omit<model.Index, 'keys' | 'included' | 'definition'> & {
  readonly tableOid: number;
  readonly columns: readonly (Omit<model.IndexKey, 'column'> & { readonly number: number })[];
  /** How many of the columns are keys; the others are included. */
  readonly keyCount: number;
  readonly definition: string | null;
};

export type TriggerRow = Omit<model.Trigger, 'function' | 'updateOf' | 'definition'> & {
  readonly tableOid: number;
  readonly updateOf: readonly number[];
  readonly function: QualifiedName;
  readonly definition: string | null;
};

export type PolicyRow = model.Policy & { readonly tableOid: number };

export type RuleRow = Omit<model.Rule, 'definition'> & { readonly tableOid: number; readonly definition: string | null };

export type ViewRow = {
  readonly tableOid: number;
  readonly definition: string | null;
  readonly reads: model.ViewDefinition['reads'];
};

export type FunctionRow = Omit<model.FunctionDefinition, 'identityArguments' | 'arguments' | 'bodySha256'> & {
  readonly identityArguments: string | null;
  readonly arguments: string | null;
  readonly sourceSha256: string;
  readonly sqlBody: string | null;
};

export type SequenceRow = model.Sequence;

export type EventTriggerRow = Omit<model.EventTrigger, 'function'> & { readonly function: QualifiedName };

export type DroppedRow = { readonly oid: number };

export type CatalogRows = Awaited<ReturnType<typeof readRows>>;

/** The tables that other sessions hold so that nobody may look at them at this moment, and the views over them. */
export async function readHeld(db: Queryable): Promise<readonly number[]> {
  const held = await select<{ readonly oid: number }>(db, 'held');
  return held.map(({ oid }) => oid);
}

/**
 * Reads every kind with one statement each, in order, on the connection given. `schemas` undefined reads all. Of the tables in
 * `held` only what needs no lock.
 */
export async function readRows(db: Queryable, schemas: readonly string[] | undefined, held: readonly number[] = []) {
  const schemaRows = await select<SchemaRow>(db, 'schemas', [schemas ?? null]);
  const within = [schemaRows.map((schema) => schema.oid)];
  const around = [...within, held];
  const tables = await select<TableRow>(db, 'tables', around);
  return {
    schemas: schemaRows,
    server: await select<ServerRow>(db, 'server'),
    tables,
    columns: await select<ColumnRow>(db, 'columns', around),
    types: await select<TypeRow>(db, 'types'),
    constraints: await select<ConstraintRow>(db, 'constraints', around),
    indexes: await select<IndexRow>(db, 'indexes', around),
    triggers: await select<TriggerRow>(db, 'triggers', around),
    policies: await select<PolicyRow>(db, 'policies', around),
    rules: await select<RuleRow>(db, 'rules', around),
    views: await select<ViewRow>(db, 'views', around),
    functions: await select<FunctionRow>(db, 'functions', around),
    sequences: await select<SequenceRow>(db, 'sequences', within),
    extensions: await select<model.Extension>(db, 'extensions'),
    eventTriggers: await select<EventTriggerRow>(db, 'event-triggers'),
    // Last: only then is it known that what was read of the other tables is whole.
    dropped: await select<DroppedRow>(db, 'dropped', [tables.map((table) => table.oid).filter((oid) => !held.includes(oid))]),
  };
}

const statements = new Map<string, string>();

function statement(file: string): string {
  const text = statements.get(file) ?? readFileSync(new URL(`sql/${file}.sql`, import.meta.url), 'utf8');
  statements.set(file, text);
  return text;
}

async function select<Row>(db: Queryable, file: string, values?: readonly unknown[]): Promise<readonly Row[]> {
  const { rows } = await db.query(statement(file), values);
  // The select list of the file is what makes this true; the tests read every kind of object through it.
  return rows as readonly Row[];
}
