import { SafekeepError } from '@safekeep/core';
import { epochUnits, type EpochUnit } from './encode/epoch.ts';
import type { ColumnDecision, Decisions, SourceColumn, SourceSchema, SourceTable, TargetType } from './objects/index.ts';
import { decideType, type TypeDecision } from './scan/decide-type.ts';
import type { TableFacts } from './scan/scan-table.ts';

/** Everything that was decided about the columns of a file, before anything is written. */
export type ColumnTypes = ReadonlyMap<string, ReadonlyMap<string, TypeDecision>>;

/** A type that a person asked for. */
export type RequestedType = {
  readonly table: string;
  readonly column: string;
  readonly type: TargetType;
  readonly epoch: EpochUnit | null;
};

const TYPES: ReadonlySet<string> = new Set([
  'bigint',
  'double precision',
  'numeric',
  'boolean',
  'text',
  'bytea',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'json',
]);

/** Columns whose rows are loaded: all that SELECT * gives. */
export function loadedColumns(table: SourceTable): readonly SourceColumn[] {
  return table.columns.filter((column) => !column.hidden);
}

/** Reads `TABLE.COLUMN=TYPE` and `TABLE.COLUMN=timestamptz:unix-s` against the schema of the file. Throws `usage`. */
export function parseRequestedTypes(texts: readonly string[], schema: SourceSchema): RequestedType[] {
  return texts.map((text) => {
    const split = text.lastIndexOf('=');
    const [type = '', epoch] = text
      .slice(split + 1)
      .trim()
      .toLowerCase()
      .split(':');
    const place = findColumn(schema, text.slice(0, Math.max(0, split)).trim());
    if (place === undefined)
      throw new SafekeepError('usage', { problem: `--type ${text}: the file has no such column; write TABLE.COLUMN=TYPE` });
    if (!isTargetType(type))
      throw new SafekeepError('usage', { problem: `--type ${text}: the types are ${[...TYPES].join(', ')} and numeric(P,S)` });
    if (epoch === undefined) return { ...place, type, epoch: null };
    if (!isEpochUnit(epoch) || type !== 'timestamptz') {
      throw new SafekeepError('usage', {
        problem: `--type ${text}: after timestamptz: stands one of ${Object.keys(epochUnits).join(', ')}`,
      });
    }
    return { ...place, type, epoch };
  });
}

function findColumn(schema: SourceSchema, path: string): { readonly table: string; readonly column: string } | undefined {
  for (const table of schema.tables.filter(({ loadable }) => loadable)) {
    for (const column of loadedColumns(table)) {
      if (`${table.name}.${column.name}`.toLowerCase() === path.toLowerCase()) return { table: table.name, column: column.name };
    }
  }
  return undefined;
}

function isTargetType(text: string): text is TargetType {
  return TYPES.has(text) || /^numeric\(\d+,\d+\)$/.test(text);
}

function isEpochUnit(text: string): text is EpochUnit {
  return text in epochUnits;
}

/** Decides every column of a table; what a person asked for comes first, and proposals count only where they were accepted. */
export function decideTable(
  table: SourceTable,
  facts: TableFacts,
  wishes: { readonly requested: readonly RequestedType[]; readonly acceptProposals: boolean },
): ReadonlyMap<string, TypeDecision> {
  return new Map(
    loadedColumns(table).map((column, at) => {
      const columnFacts = facts.columns[at];
      if (columnFacts === undefined) throw new Error(`${table.name}.${column.name} was not scanned`);
      const decided = decideType(column, columnFacts);
      const asked = wishes.requested.find((one) => one.table === table.name && one.column === column.name);
      if (asked !== undefined) return [column.name, taken(decided, asked, 'asked for with --type')];
      if (wishes.acceptProposals && decided.proposal !== null)
        return [column.name, taken(decided, decided.proposal, `proposed and accepted: ${decided.proposal.reason}`)];
      return [column.name, decided];
    }),
  );
}

function taken(
  decided: TypeDecision,
  wish: { readonly type: TargetType; readonly epoch: EpochUnit | null },
  reason: string,
): TypeDecision {
  const same = wish.type === decided.type && wish.epoch === null;
  return { type: wish.type, epoch: wish.epoch, reason, widened: false, changed: !same, proposal: null };
}

/** Refuses what --strict-types does not let pass. */
export function refuseWidened(types: ColumnTypes): void {
  const widened = [...types].flatMap(([table, columns]) =>
    [...columns].filter(([, { widened: is }]) => is).map(([column, { type }]) => `${table}.${column} (${type})`),
  );
  if (widened.length > 0) throw new SafekeepError('import-strict-types', { count: widened.length, columns: someOf(widened) });
}

/** The decisions in the form that the translation of objects works with. */
export function decisionsOf(schema: SourceSchema, types: ColumnTypes, facts: ReadonlyMap<string, TableFacts>): Decisions {
  return new Map(
    schema.tables
      .filter(({ loadable }) => loadable)
      .map((table) => [
        table.name,
        new Map(
          loadedColumns(table).map((column, at): [string, ColumnDecision] => {
            const decided = types.get(table.name)?.get(column.name);
            const columnFacts = facts.get(table.name)?.columns[at];
            if (decided === undefined || columnFacts === undefined) throw new Error(`${table.name}.${column.name} was not decided`);
            return [
              column.name,
              { type: decided.type, facts: columnFacts, changed: decided.changed ? `${decided.type}: ${decided.reason}` : null },
            ];
          }),
        ),
      ]),
  );
}

/** Types for which NUL and invalid UTF-8 are no obstacle. */
export function holdsAnyBytes(type: TargetType): boolean {
  return type === 'bytea';
}

const NAMED_AT_MOST = 10;

/** A list for a message: its first members, and how many more there are. */
export function someOf(names: readonly string[]): string {
  const rest = names.length - NAMED_AT_MOST;
  return rest > 0 ? `${names.slice(0, NAMED_AT_MOST).join(', ')} and ${rest} more` : names.join(', ');
}

const MAX_NAME_BYTES = 63;

/** Refuses schemas whose names are taken by PostgreSQL or by us, and those that PostgreSQL would cut. */
export function refuseSchemaName(schema: string): void {
  const problem = problemOfSchemaName(schema);
  if (problem !== null) throw new SafekeepError('usage', { problem: `--schema ${schema}: ${problem}` });
}

function problemOfSchemaName(schema: string): string | null {
  if (schema === '' || schema.includes('\0')) return 'a schema needs a name, without NUL';
  if (Buffer.byteLength(schema) > MAX_NAME_BYTES) return `a name in PostgreSQL has at most ${MAX_NAME_BYTES} bytes`;
  if (/^pg_|^information_schema$/.test(schema)) return 'this name belongs to PostgreSQL';
  if (/^safekeep(?:_|$)/.test(schema)) return "names that begin like this are Safekeep's own";
  return null;
}

const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;

/** A table as people and reports name it: `public.orders`, `public."Order Details"`. */
export function qualifiedForPeople(schema: string, name: string): string {
  const part = (text: string): string => (PLAIN_NAME.test(text) ? text : `"${text.replaceAll('"', '""')}"`);
  return `${part(schema)}.${part(name)}`;
}
