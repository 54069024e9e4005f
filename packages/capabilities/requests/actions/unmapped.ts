import { isCompanion, isMappable, tablesOfNobody } from '@safekeep/core';
import type { ErasurePlan, ExportDone } from '../model.ts';
import { joinKept } from '../rules/plan.ts';
import { belonging } from '../rules/treat.ts';
import type { Ground } from './ground.ts';
import type { Survey, SurveyedTable } from './survey.ts';

type Unmapped = { readonly table: string; readonly foreignKey: string; readonly to: string };

/** Tables that the map does not know and whose foreign keys refer to these. What of the person stands there nobody can say. */
function unmappedReferring({ map, schema }: Pick<Ground, 'map' | 'schema'>, tables: readonly string[]): readonly Unmapped[] {
  return tables.flatMap((to) =>
    (schema.incoming.get(to) ?? []).flatMap(({ from, foreignKey }) => {
      const facts = schema.byName.get(from);
      const isKnown = map.tables.has(from) || facts === undefined || !isMappable(facts);
      return isKnown ? [] : [{ table: from, foreignKey: foreignKey.name, to }];
    }),
  );
}

/** What plan and certificate say of them: they are not looked at, and the erasure is no less one of what the map knows. */
export function unmappedLines(ground: Ground, { tables }: Pick<Survey, 'tables'>): ErasurePlan['kept'] {
  const names = tables.map(({ table }) => table);
  return [
    ...joinKept(
      unmappedReferring(ground, names).map(({ table, foreignKey, to }) => ({
        ...notLookedAt(table),
        reason: `not looked at: the map does not know it, and its foreign key ${foreignKey} leads to rows of the person in ${to}`,
      })),
    ),
    ...tablesOfNobody(ground.map).map(({ name }) => ({
      ...notLookedAt(name),
      reason: 'not looked at: it holds personal data, and the map has no way from it to a person (of)',
    })),
  ];
}

function notLookedAt(table: string): Omit<ErasurePlan['kept'][number], 'reason'> {
  return { table, rows: 0, basis: 'not_mapped', until: null };
}

/** The same for whoever holds an export: what is in such a table is not given. */
export function unmappedWithheld(ground: Pick<Ground, 'map' | 'schema'>, tables: readonly string[]): ExportDone['withheld'] {
  const names = new Set(unmappedReferring(ground, tables).map(({ table }) => table));
  return [
    ...[...names].map((table) => ({ table, column: '*', reason: 'not looked at: nobody has said what this table holds' })),
    ...tablesOfNobody(ground.map).map(({ name }) => ({
      table: name,
      column: '*',
      reason: 'not looked at: the map has no way from this table to a person',
    })),
  ];
}

/** Columns that stay in rows of the person though nobody has said that they may: of several people, or keys that the map is silent about. */
export function silentColumns({ tables }: Pick<Survey, 'tables'>): ErasurePlan['kept'] {
  return tables.flatMap((surveyed) => [
    ...linesOf(surveyed, unmarkedIn(surveyed), {
      rows: surveyed.rows.filter((row) => !belonging(row).isWhole).length,
      reason: 'the map does not say whose it is in rows with several people (of)',
    }),
    ...linesOf(surveyed, unmappedKeys(surveyed), {
      rows: surveyed.rows.length,
      reason: 'the map says nothing about it, and it refers to another row',
    }),
  ]);
}

function linesOf(
  { table }: SurveyedTable,
  columns: readonly string[],
  { rows, reason }: { readonly rows: number; readonly reason: string },
): ErasurePlan['kept'] {
  return columns.map((column) => ({ table: `${table}: ${column}`, rows, reason, basis: 'not_mapped', until: null }));
}

/** Personal columns of rows with several people of which the map does not say whose they are. */
export function unmarkedIn({ policy, rows }: SurveyedTable): readonly string[] {
  return rows.some((row) => !belonging(row).isWhole) ? policy.unmarked : [];
}

function unmappedKeys({ policy: { facts, mapped } }: SurveyedTable): readonly string[] {
  if (mapped === null) return [];
  const referring = new Set(facts.foreignKeys.flatMap(({ columns }) => columns));
  return facts.columns
    .filter((column) => referring.has(column.name) && !mapped.columns.has(column.name) && !isCompanion(column, mapped))
    .filter(({ name }) => facts.primaryKey?.columns.includes(name) !== true)
    .map(({ name }) => name);
}
