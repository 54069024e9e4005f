import { columnName, ownColumns, tableName, type DataMap } from '@safekeep/core';
import { findTable, type Catalog, type Table } from '@safekeep/postgres';
import type { Applied, AppliedObject, Drift, KnownColumns, LiveState, LiveStates } from '../model.ts';
import { hasDrifted } from './steps.ts';

/** What is not as the last apply left it: objects of ours, and columns of the tables that the map names. */
export function driftOf(
  applied: Applied,
  live: LiveStates,
  { map, catalog }: { readonly map: DataMap; readonly catalog: Catalog },
): readonly Drift[] {
  const tables = [...applied.columns].flatMap(([table, columns]) => driftOfTable({ table, columns }, map, catalog));
  return [...driftOfObjects(applied.objects, live), ...tables];
}

export function driftOfObjects(objects: readonly AppliedObject[], live: LiveStates): readonly Drift[] {
  return objects
    .filter((object) => hasDrifted(object, live.get(object.id)))
    .map((object) => driftOfObject(object, live.get(object.id)));
}

/**
 * The columns to hold later ones against. A column that came by itself stays out until the map names it: an apply for
 * something else must not silence it.
 */
export function columnsToKnow(
  known: KnownColumns,
  map: DataMap,
  { before, after }: { readonly before: Catalog; readonly after: Catalog },
): KnownColumns {
  const mapped = [...map.tables].flatMap(([name, { columns }]) => {
    const table = findTable(after, name);
    if (table === undefined) return [];
    const familiar = known.get(name);
    // Not there before, and the table was locked meanwhile: we made it.
    const stood = new Set(findTable(before, name)?.columns.map((column) => column.name));
    const counted = ownColumns(table, map.tables.get(name)).filter(
      (column) => familiar === undefined || familiar.has(column.name) || columns.has(column.name) || !stood.has(column.name),
    );
    return [[name, new Map(counted.map((column) => [column.name, column.type]))] as const];
  });
  return new Map(mapped);
}

export function sameColumns(one: KnownColumns, other: KnownColumns): boolean {
  return textOf(one) === textOf(other);
}

function textOf(known: KnownColumns): string {
  return JSON.stringify([...known].map(([table, columns]) => [table, [...columns].toSorted(byName)] as const).toSorted(byName));
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function driftOfObject(object: AppliedObject, live: LiveState | undefined): Drift {
  const { id, kind, target } = object;
  const remedy = 'Look at `safekeep plan`, then bring it back with `safekeep apply`.';
  const common = { object: id, kind, target, expected: object.state, remedy };
  if (live === undefined) return { ...common, change: 'vanished', found: null };
  return { ...common, change: live.disabled ? 'disabled' : 'changed', found: live.state };
}

type KnownTable = { readonly table: string; readonly columns: ReadonlyMap<string, string> };

function driftOfTable({ table: name, columns }: KnownTable, map: DataMap, catalog: Catalog): readonly Drift[] {
  // One that was taken out of the map is no longer anybody's promise.
  if (!map.tables.has(name)) return [];
  const table = findTable(catalog, name);
  if (table === undefined) {
    const remedy = 'Was it renamed? Write its new name into the map, or take it out of the map, and apply.';
    return [{ object: `table ${name}`, kind: 'table', target: name, change: 'vanished', expected: name, found: null, remedy }];
  }
  const live = new Map(table.columns.map((column) => [column.name, column.type]));
  const own = new Set(ownColumns(table, map.tables.get(name)).map((column) => column.name));
  const isOurs = (column: string): boolean => live.has(column) && !own.has(column);
  const names = [...new Set([...live.keys(), ...columns.keys()])].filter((column) => !isOurs(column));
  return names.flatMap((column) => driftOfColumn(table, column, { expected: columns.get(column), found: live.get(column) }));
}

type Types = { readonly expected: string | undefined; readonly found: string | undefined };

function driftOfColumn(table: Table, column: string, { expected, found }: Types): readonly Drift[] {
  if (expected === found) return [];
  const target = columnName(table, column);
  const common = { object: `column ${target}`, kind: 'column', target, expected: expected ?? null, found: found ?? null };
  if (expected === undefined) {
    return [
      {
        ...common,
        change: 'added',
        remedy: `Classify it in the map (\`safekeep scan --write\` proposes), then apply. Until then nothing of it is protected in ${tableName(table)}.`,
      },
    ];
  }
  if (found === undefined)
    return [{ ...common, change: 'vanished', remedy: 'Take it out of the map, or write its new name there, and apply.' }];
  return [
    { ...common, change: 'changed', remedy: 'Look whether its protection still fits the type (`safekeep map check`), and apply.' },
  ];
}
