import { codeOf, formatTableName, type ColumnRef } from '@safekeep/core';
import { isConnectionLost } from '@safekeep/postgres';
import type { Field } from '../model.ts';
import { isBlocked, nameOf, type Ground } from './ground.ts';

/** What stopped columns that are moved together with others, by the name of each: the others go on, and it is told at the end. */
export type Stopped = Map<string, unknown>;

/** What became of columns that were moved together. */
export type Together<Result> = { readonly moved: readonly Result[]; readonly stopped: ReadonlyMap<string, unknown> };

type Named = Pick<Field, 'table' | 'column'>;

/** Those that nothing stopped. */
export function goingOn<Moved extends Named>(fields: readonly Moved[], stopped: Stopped): readonly Moved[] {
  return fields.filter((field) => !stopped.has(nameOf(field)));
}

/** Column by column, of those that go on. Where all of the work is to stop (a signal, the right to it lost) it does. */
export async function eachAlone<Moved extends Named, Result>(
  ground: Pick<Ground, 'signal'>,
  fields: readonly Moved[],
  { stopped, run }: { readonly stopped: Stopped; readonly run: (field: Moved) => Promise<Result> },
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const field of goingOn(fields, stopped)) {
    try {
      results.push(await run(field));
    } catch (error) {
      ground.signal.throwIfAborted();
      stopped.set(nameOf(field), error);
    }
  }
  return results;
}

type InOneGo = { readonly stopped: Stopped; readonly run: (fields: readonly Field[]) => Promise<void> };

/**
 * Table by table its columns in one go, of those that go on. What does not come through is tried again in halves: in the end the column that
 * stands in the way is alone with its error, and the others went together.
 *
 * @throws what is about no column, and each half would come upon: locks that others hold, the disk, the connection
 */
export async function allTogether(
  ground: Pick<Ground, 'signal'>,
  fields: readonly Field[],
  { stopped, run }: InOneGo,
): Promise<void> {
  const tables = Map.groupBy(goingOn(fields, stopped), ({ table }) => formatTableName(table));
  for (const some of tables.values()) await inHalves(ground, some, { stopped, run });
}

async function inHalves(ground: Pick<Ground, 'signal'>, fields: readonly Field[], { stopped, run }: InOneGo): Promise<void> {
  const [first, ...others] = fields;
  if (first === undefined) return;
  try {
    await run(fields);
  } catch (error) {
    ground.signal.throwIfAborted();
    if (isAboutAll(error)) throw error;
    const half = Math.ceil(fields.length / 2);
    if (others.length === 0) stopped.set(nameOf(first), error);
    else for (const some of [fields.slice(0, half), fields.slice(half)]) await inHalves(ground, some, { stopped, run });
  }
}

const ABOUT_ALL = new Set([
  'connection-lost',
  'database-busy',
  'database-closed',
  'database-read-only',
  'database-unreachable',
  'disk-full',
  'field-busy',
  'field-rows-locked',
  'lock-timeout',
  'statement-cancelled',
]);

/** PostgreSQL manual, appendix A, by class: connection, insufficient resources, operator intervention, system error. */
function isAboutAll(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return ABOUT_ALL.has(code) || isBlocked(error) || isConnectionLost(error) || /^(?:08|53|57|58)[0-9A-Z]{3}$/.test(code);
}

/** Columns before anybody knows of a field: a refusal of one is told under its name. */
export function askedFor(columns: readonly ColumnRef[]): readonly (Named & { readonly ref: ColumnRef })[] {
  return columns.map((ref) => ({ table: ref, column: ref.column, ref }));
}

/** Who agrees to several columns, of whom agrees to the one that is moved by itself. */
export function aboutOne<Asked>(agree: (asked: Asked) => Promise<void>): (asked: readonly Asked[]) => Promise<void> {
  return async ([only]) => {
    if (only !== undefined) await agree(only);
  };
}

/** Of a column that was moved by itself. @throws what stopped it */
export function theOnly<Result>({ moved: [only], stopped }: Together<Result>): Result {
  requireAllMoved(stopped);
  if (only === undefined) throw new Error('Nothing was moved');
  return only;
}

/** @throws what stopped the first of them */
export function requireAllMoved(stopped: ReadonlyMap<string, unknown>): void {
  for (const error of stopped.values()) throw error;
}
