import type { ColumnDecision, Decisions, SourceForeignKey, SourceSchema, SourceTable, TargetType } from './model.ts';
import { foldName } from './sqlite-syntax.ts';

export type KeyTypeChange = {
  readonly table: string;
  readonly column: string;
  readonly from: TargetType;
  readonly to: TargetType;
  readonly reason: string;
};

type Place = { readonly table: SourceTable; readonly column: string };

/**
 * Gives the two sides of every foreign key one type, as PostgreSQL asks, by widening where no value changes
 * (bigint -> numeric, date -> text, …). An INTEGER PRIMARY KEY is never widened for the sake of a child that holds other
 * values: that foreign key is reported as not migrated instead.
 */
export function unifyKeyTypes(
  schema: SourceSchema,
  decisions: Decisions,
): { readonly decisions: Decisions; readonly changes: readonly KeyTypeChange[] } {
  const next = new Map([...decisions].map(([table, columns]) => [table, new Map(columns)]));
  const changes: KeyTypeChange[] = [];
  const typeAt = ({ table, column }: Place): ColumnDecision | undefined => next.get(table.name)?.get(column);
  const widen = (place: Place, to: TargetType, reason: string): void => {
    const before = typeAt(place);
    if (before === undefined || before.type === to) return;
    next.get(place.table.name)?.set(place.column, { ...before, type: to, changed: before.changed ?? reason });
    changes.push({ table: place.table.name, column: place.column, from: before.type, to, reason });
  };

  const pairs = keyPairs(schema);
  // A widened column may be a side of other keys. Types only ever rise (to numeric, then text), so each column changes
  // at most twice and this ends.
  for (let before = -1; before !== changes.length;) {
    before = changes.length;
    for (const [child, parent] of pairs) {
      const [one, other] = [typeAt(child), typeAt(parent)];
      const common = one === undefined || other === undefined ? null : commonType(one, other);
      if (common === null || [child, parent].some((place) => isRowid(place) && typeAt(place)?.type !== common)) continue;
      const reason = `one type with the other side of its foreign key (${child.table.name}.${child.column} to ${parent.table.name}.${parent.column})`;
      widen(child, common, reason);
      widen(parent, common, reason);
    }
  }
  return { decisions: next, changes };
}

function keyPairs(schema: SourceSchema): [child: Place, parent: Place][] {
  const byName = new Map(schema.tables.map((table) => [foldName(table.name), table]));
  const pairsOf = (table: SourceTable, key: SourceForeignKey): [Place, Place][] => {
    const parent = byName.get(foldName(key.parentTable));
    if (parent === undefined) return [];
    return key.columns.flatMap((column, at): [Place, Place][] => {
      const parentColumn = key.parentColumns[at];
      return parentColumn === undefined
        ? []
        : [
            [
              { table, column },
              { table: parent, column: parentColumn },
            ],
          ];
    });
  };
  return schema.tables.flatMap((table) => table.foreignKeys.flatMap((key) => pairsOf(table, key)));
}

function isRowid({ table, column }: Place): boolean {
  return table.rowidAlias === column;
}

/** The narrowest type that holds every value of both unchanged; null where there is none. */
function commonType(one: ColumnDecision, other: ColumnDecision): TargetType | null {
  const both = [one.type, other.type];
  if (one.type === other.type) return one.type;
  if (both.every(isNumber)) return 'numeric';
  if (both.includes('boolean')) return both.includes('bigint') && one.facts.texts + other.facts.texts === 0 ? 'bigint' : null;
  // A number and its text: SQLite compares them after applying the parent's affinity, PostgreSQL does not.
  return [one, other].every(isWrittenAsText) ? 'text' : null;
}

function isNumber(type: TargetType): boolean {
  return type === 'bigint' || type === 'double precision' || type.startsWith('numeric');
}

/** Dates and times that were texts in SQLite can go back to their text; JSON would lose its spacing on the way. */
function isWrittenAsText({ type, facts }: ColumnDecision): boolean {
  const textual: readonly TargetType[] = ['text', 'date', 'time', 'timestamp', 'timestamptz'];
  return textual.includes(type) && facts.integers + facts.reals + facts.blobs === 0;
}
