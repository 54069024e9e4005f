import { SafekeepError } from '@safekeep/core';
import { withoutOurs } from '../cut-over/source/source-plan.ts';
import type { ImportOptions, RejectedRow } from '../model.ts';
import {
  readSourceSchema,
  translateObjects,
  unifyKeyTypes,
  type SourceSchema,
  type SourceTable,
  type TargetPlan,
} from '../objects/index.ts';
import {
  decideTable,
  decisionsOf,
  holdsAnyBytes,
  loadedColumns,
  parseRequestedTypes,
  refuseWidened,
  someOf,
  type ColumnTypes,
  type RequestedType,
} from '../rules.ts';
import { checkFit } from '../scan/check-fit.ts';
import type { TypeDecision } from '../scan/decide-type.ts';
import type { TableFacts, UnstorableRow } from '../scan/scan-table.ts';
import type { RowCursor } from '../source/cursor.ts';
import { openTable, tableReading, type TableReading } from '../source/open-table.ts';
import type { SourceSnapshot } from '../source/snapshot.ts';

/** All that is known and decided before anything is written. */
export type Preparation = {
  readonly schema: SourceSchema;
  readonly tables: readonly PreparedTable[];
  readonly plan: TargetPlan;
};

export type PreparedTable = {
  readonly source: SourceTable;
  readonly reading: TableReading;
  readonly facts: TableFacts;
  readonly types: ReadonlyMap<string, TypeDecision>;
  /** Rows with a text that its column's type cannot hold. */
  readonly rejected: readonly UnstorableRow[];
};

export type PrepareOptions = {
  readonly options: ImportOptions;
  readonly buildSchema: string;
  readonly serverVersion: number;
  readonly scan: (readings: readonly TableReading[]) => Promise<ReadonlyMap<string, TableFacts>>;
};

/** The schema of the file and its tables with rows of their own. Throws `import-source-no-tables`. */
export function readLoadable(snapshot: SourceSnapshot): {
  readonly schema: SourceSchema;
  readonly loadable: readonly SourceTable[];
} {
  const schema = withoutOurs(readSourceSchema(snapshot.sqlite));
  const loadable = schema.tables.filter((table) => table.loadable);
  if (loadable.length === 0) throw new SafekeepError('import-source-no-tables', { file: snapshot.file });
  return { schema, loadable };
}

export async function prepare(
  snapshot: SourceSnapshot,
  { options, buildSchema, serverVersion, scan }: PrepareOptions,
): Promise<Preparation> {
  const { schema, loadable } = readLoadable(snapshot);
  const requested = parseRequestedTypes(options.types, schema);
  const readings = loadable.map((table) => tableReading(snapshot.sqlite, table, loadedColumns(table)));
  const facts = await scan(readings);
  const decided = new Map(
    loadable.map((table) => [
      table.name,
      decideTable(table, factsOf(facts, table), { requested, acceptProposals: options.acceptProposals }),
    ]),
  );
  refuseUnfit(snapshot, readings, decided, requested);
  if (options.strictTypes) refuseWidened(decided);
  const unified = unifyKeyTypes(schema, decisionsOf(schema, decided, facts));
  const types = withKeyTypes(decided, unified.changes);
  const plan = translateObjects(schema, unified.decisions, {
    schema: buildSchema,
    naming: options.snakeCase ? 'snake-case' : 'exact',
    serverVersion,
  });
  if (plan.blockers.length > 0)
    throw new SafekeepError('import-blocked', { problems: plan.blockers.map(({ reason }) => reason).join('; ') });
  const tables = readings.map((reading): PreparedTable => {
    const tableTypes = types.get(reading.table.name) ?? new Map<string, TypeDecision>();
    const tableFacts = factsOf(facts, reading.table);
    return {
      source: reading.table,
      reading,
      facts: tableFacts,
      types: tableTypes,
      rejected: rejectedRows(reading, tableFacts, tableTypes),
    };
  });
  return { schema, tables, plan };
}

export function openRows(snapshot: SourceSnapshot, reading: TableReading): RowCursor {
  return openTable(snapshot.sqlite, snapshot.address.descriptors, reading);
}

/** The rejected rows as they are reported: by place and rowid, never by content. */
export function describeRejected(table: PreparedTable): RejectedRow[] {
  const columns = loadedColumns(table.source);
  return table.rejected.map((row) => ({
    table: table.source.name,
    ordinal: row.ordinal,
    rowid: row.rowid === null ? null : String(row.rowid),
    columns: row.columns.map((at) => columns[at]?.name ?? ''),
  }));
}

function factsOf(facts: ReadonlyMap<string, TableFacts>, table: SourceTable): TableFacts {
  const found = facts.get(table.name);
  if (found === undefined) throw new Error(`${table.name} was not scanned`);
  return found;
}

function rejectedRows(reading: TableReading, facts: TableFacts, types: ReadonlyMap<string, TypeDecision>): UnstorableRow[] {
  const anyBytes = reading.columns.map((column) => holdsAnyBytes(types.get(column.name)?.type ?? 'text'));
  return facts.unstorable.flatMap((row) => {
    const columns = row.columns.filter((at) => anyBytes[at] !== true);
    return columns.length === 0 ? [] : [{ ...row, columns }];
  });
}

/** Whoever asks for a type learns before the load whether every value has it. */
function refuseUnfit(
  snapshot: SourceSnapshot,
  readings: readonly TableReading[],
  types: ColumnTypes,
  requested: readonly RequestedType[],
): void {
  for (const reading of readings) {
    const wishes = reading.columns.flatMap((column, at) => {
      const decision = types.get(reading.table.name)?.get(column.name);
      const asked =
        decision?.reason.startsWith('proposed and accepted') === true ||
        requested.some((one) => one.table === reading.table.name && one.column === column.name);
      return asked && decision !== undefined ? [{ column: at, decision }] : [];
    });
    if (wishes.length === 0) continue;
    const [misfit] = checkFit(openRows(snapshot, reading), wishes);
    if (misfit === undefined) continue;
    const column = reading.columns[misfit.column]?.name ?? '';
    const type = wishes.find((wish) => wish.column === misfit.column)?.decision.type ?? '';
    throw new SafekeepError('import-type-unfit', {
      column: `${reading.table.name}.${column}`,
      type,
      reason: `${misfit.values} value(s) do not fit, the first in row ${misfit.firstOrdinal + 1}`,
    });
  }
}

function withKeyTypes(types: ColumnTypes, changes: ReturnType<typeof unifyKeyTypes>['changes']): ColumnTypes {
  const next = new Map([...types].map(([table, columns]) => [table, new Map(columns)]));
  for (const { table, column, to, reason } of changes) {
    const before = next.get(table)?.get(column);
    if (before !== undefined)
      next.get(table)?.set(column, { ...before, type: to, reason: `${before.reason}; ${reason}`, changed: true });
  }
  return next;
}

export function rejectedSummary(rows: readonly RejectedRow[]): string {
  return someOf([...new Set(rows.map((row) => `${row.table} (${row.columns.join(', ')})`))]);
}
