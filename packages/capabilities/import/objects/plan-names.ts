import type { NameChange, SourceColumn, SourceSchema, SourceTable, TranslateOptions } from './model.ts';
import { newColumnNamespace, newNamespace, wantedName, type Namespace } from './names.ts';
import { foldName } from './sqlite-syntax.ts';

/** The target name of every table, column and view, and the places where further names are claimed. */
export type PlannedNames = {
  readonly table: (source: string) => string;
  readonly column: (table: string, source: string) => string;
  readonly view: (source: string) => string;
  /** A name for an index, or for a constraint that PostgreSQL backs with one: all relations of a schema share names. */
  readonly index: (kind: 'index' | 'constraint', source: string, wanted: string) => string;
  /** A name for a CHECK or foreign key: unique within its table. */
  readonly constraint: (table: string, source: string, wanted: string) => string;
  readonly changes: () => readonly NameChange[];
};

export function planNames(schema: SourceSchema, options: TranslateOptions): PlannedNames {
  const changes: NameChange[] = [];
  const noted = (kind: NameChange['kind'], source: string, target: string): string => {
    if (source !== target) changes.push({ kind, source, target });
    return target;
  };
  const relations = newNamespace();
  const claim = (source: string, ifEmpty: string): string => relations.claim(wantedName(source, options.naming, ifEmpty));

  const tables = new Map<string, string>();
  const columns = new Map<string, ReadonlyMap<string, string>>();
  for (const table of schema.tables.filter(({ loadable }) => loadable)) {
    tables.set(foldName(table.name), noted('table', table.name, claim(table.name, 'table')));
    const planned = planColumns(table, options);
    columns.set(foldName(table.name), planned);
    for (const [source, target] of planned) {
      if (source !== target) changes.push({ kind: 'column', source: `${table.name}.${source}`, target });
    }
  }
  const views = new Map(schema.views.map((view) => [foldName(view.name), noted('view', view.name, claim(view.name, 'view'))]));

  const constraints = new Map<string, Namespace>();
  const constraintsOf = (table: string): Namespace => {
    const namespace = constraints.get(foldName(table)) ?? newNamespace();
    constraints.set(foldName(table), namespace);
    return namespace;
  };
  return {
    table: (source) => found(tables, foldName(source)),
    column: (table, source) => found(found(columns, foldName(table)), source),
    view: (source) => found(views, foldName(source)),
    index: (kind, source, wanted) => noted(kind, source, relations.claim(wantedName(wanted, options.naming, 'index'))),
    constraint: (table, source, wanted) =>
      noted('constraint', source, constraintsOf(table).claim(wantedName(wanted, options.naming, 'constraint'))),
    changes: () => changes,
  };
}

function planColumns(table: SourceTable, options: TranslateOptions): ReadonlyMap<string, string> {
  const namespace = newColumnNamespace();
  const visible: readonly SourceColumn[] = table.columns.filter(({ hidden }) => !hidden);
  return new Map(
    visible.map((column, at) => [column.name, namespace.claim(wantedName(column.name, options.naming, `column_${at + 1}`))]),
  );
}

function found<Value>(map: ReadonlyMap<string, Value>, name: string): Value {
  const value = map.get(name);
  if (value === undefined) throw new Error(`No name was planned for ${name}`);
  return value;
}
