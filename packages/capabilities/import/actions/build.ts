import { operationFailure, type Database } from '@safekeep/postgres';
import type { CommandContext } from '../../capability.ts';
import { encoderFor } from '../encode/encoders.ts';
import {
  refuse,
  settlePlain,
  settleViolated,
  type ObjectReport,
  type PostLoadStatement,
  type TargetTable,
} from '../objects/index.ts';
import type { RowCursor } from '../source/cursor.ts';
import { openTable } from '../source/open-table.ts';
import type { SourceSnapshot } from '../source/snapshot.ts';
import { analyze } from '../store/build-schema.ts';
import { loadTable, type LoadedTable } from '../store/load-table.ts';
import { runStatement } from '../store/statements.ts';
import type { RowPlan } from '../store/write-rows.ts';
import type { Phases } from './phases.ts';
import type { Preparation, PreparedTable } from './prepare.ts';

export type BuildContext = {
  readonly database: Database;
  readonly signal: AbortSignal;
  readonly progress: CommandContext['progress'];
  readonly schema: string;
  /** Connections that make keys and indexes while the next table is loaded. */
  readonly jobs: number;
};

export type BuiltTable = { readonly prepared: PreparedTable; readonly target: TargetTable; readonly loaded: LoadedTable };
export type Built = { readonly tables: readonly BuiltTable[]; readonly objects: readonly ObjectReport[] };

/**
 * Fills the tables one after the other; keys, indexes and constraints of a table that is full are made meanwhile on
 * connections of their own. Foreign keys and views come last, when every table has its keys.
 */
export async function build(
  snapshot: SourceSnapshot,
  preparation: Preparation,
  context: BuildContext,
  phases: Phases,
): Promise<Built> {
  const objects = new ObjectLedger(preparation.plan.objects);
  const finishing = new Lanes(context.jobs);
  const tables: BuiltTable[] = [];
  try {
    const loadAll = context.database.withClient(async (client) => {
      for (const prepared of byRows(preparation)) {
        const target = targetOf(preparation, prepared);
        const loaded = await loadOne(client, { snapshot, prepared, target, context });
        if (loaded.generatedRefused !== null) objects.settlePlain(target, loaded.generatedRefused);
        tables.push({ prepared, target, loaded });
        finishing.add(() => finishTable(context, preparation, { target, objects }));
      }
    });
    await phases.measure('load', () => loadAll);
  } catch (error) {
    await finishing.settle();
    throw operationFailure(error, 'loading rows');
  }
  await phases.measure('keys', () => finishing.done());
  await phases.measure('foreign keys', () => runLast(context, preparation, objects));
  return { tables, objects: objects.current };
}

/** The largest first: its indexes take longest, and they are made while the others load. */
function byRows(preparation: Preparation): PreparedTable[] {
  return preparation.tables.toSorted((a, b) => b.facts.rows - a.facts.rows);
}

function targetOf(preparation: Preparation, prepared: PreparedTable): TargetTable {
  const target = preparation.plan.tables.find(({ source }) => source === prepared.source.name);
  if (target === undefined) throw new Error(`${prepared.source.name} was not planned`);
  return target;
}

type OneLoad = {
  readonly snapshot: SourceSnapshot;
  readonly prepared: PreparedTable;
  readonly target: TargetTable;
  readonly context: BuildContext;
};

async function loadOne(
  client: Parameters<typeof loadTable>[0],
  { snapshot, prepared, target, context }: OneLoad,
): Promise<LoadedTable> {
  const progress = context.progress(prepared.source.name, { total: prepared.facts.rows, unit: 'rows' });
  const skip = new Set(prepared.rejected.map(({ ordinal }) => ordinal));
  const rowPlan = (plain: boolean): RowPlan => ({
    table: prepared.source.name,
    columns: target.columns.flatMap((column, at) => {
      if (column.generated && !plain) return [];
      const decided = prepared.types.get(column.source);
      if (decided === undefined) throw new Error(`${prepared.source.name}.${column.source} was not decided`);
      return [{ at, name: column.name, encoder: encoderFor(decided.type, decided.epoch) }];
    }),
    skip,
    signal: context.signal,
    onProgress: (rows) => progress.update(rows),
  });
  const needed = target.columns.some(
    ({ source, generated }) =>
      !generated && prepared.source.columns.find(({ name }) => name === source)?.generated?.storage === 'virtual',
  );
  const openRows = (plain: boolean): RowCursor =>
    openTable(snapshot.sqlite, snapshot.address.descriptors, prepared.reading, { withoutComputed: !plain && !needed });
  try {
    return await loadTable(client, { schema: context.schema, target, openRows, rowPlan });
  } finally {
    progress.end();
  }
}

const AFTER_ALL_TABLES: ReadonlySet<PostLoadStatement['kind']> = new Set(['foreign-key', 'view']);

async function finishTable(
  context: BuildContext,
  preparation: Preparation,
  { target, objects }: { readonly target: TargetTable; readonly objects: ObjectLedger },
): Promise<void> {
  const statements = preparation.plan.statements.filter(
    (statement) => statement.table === target.name && !AFTER_ALL_TABLES.has(statement.kind),
  );
  for (const statement of statements) await runOne(context, statement, objects);
  await context.database
    .withClient((client) => analyze(client, context.schema, target.name))
    .catch((error: unknown) => {
      throw operationFailure(error, `analysing ${target.name}`);
    });
}

async function runLast(context: BuildContext, preparation: Preparation, objects: ObjectLedger): Promise<void> {
  const of = (kind: PostLoadStatement['kind']): PostLoadStatement[] =>
    preparation.plan.statements.filter((statement) => statement.kind === kind);
  for (const statement of of('foreign-key')) await runOne(context, statement, objects);
  for (const statement of of('view')) await runOne(context, statement, objects);
}

async function runOne(context: BuildContext, statement: PostLoadStatement, objects: ObjectLedger): Promise<void> {
  context.signal.throwIfAborted();
  const action = `making ${statement.object}`;
  try {
    const outcome = await context.database.withClient((client) => runStatement(client, statement.sql));
    if (outcome.done) return;
    if (!outcome.violated || statement.violated === null) {
      objects.refuse(statement.object, outcome.reason);
      return;
    }
    const { sql } = statement.violated;
    const second = await context.database.withClient((client) => runStatement(client, sql));
    if (second.done) objects.settleViolated(statement);
    else objects.refuse(statement.object, second.reason);
  } catch (error) {
    throw operationFailure(error, action);
  }
}

/** What became of each object so far. */
class ObjectLedger {
  current: readonly ObjectReport[];

  constructor(planned: readonly ObjectReport[]) {
    this.current = planned;
  }

  refuse(id: string, reason: string): void {
    this.current = refuse(this.current, id, reason);
  }

  settlePlain(table: TargetTable, reason: string): void {
    this.current = settlePlain(this.current, table, reason);
  }

  settleViolated(statement: PostLoadStatement): void {
    this.current = settleViolated(this.current, statement);
  }
}

/** Runs jobs in the order they come, a few at a time. After a failure no further one is begun. */
class Lanes {
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #lanes: Set<Promise<void>> = new Set();
  readonly #limit: number;
  #failed: { readonly error: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(job: () => Promise<void>): void {
    this.#waiting.push(job);
    if (this.#lanes.size < this.#limit) this.#open();
  }

  /** When every job has ended; throws what the first failure was. */
  async done(): Promise<void> {
    await this.settle();
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  async settle(): Promise<void> {
    while (this.#lanes.size > 0) await Promise.all(this.#lanes);
  }

  #open(): void {
    const lane = this.#drain().finally(() => this.#lanes.delete(lane));
    this.#lanes.add(lane);
  }

  async #drain(): Promise<void> {
    for (let job = this.#waiting.shift(); job !== undefined && this.#failed === undefined; job = this.#waiting.shift()) {
      try {
        await job();
      } catch (error) {
        this.#failed ??= { error };
      }
    }
  }
}
