import { decisionOf, findTable, quotedColumn, targetOf, type Translation } from './context.ts';
import { renamed, translateQuery, type Query, type Relation } from './expression/query.ts';
import { columnValue, Untranslatable } from './expression/value.ts';
import type { SourceTable, SourceView } from './model.ts';
import { newColumnNamespace, wantedName } from './names.ts';
import { changed, combine, migrated, notMigrated } from './report.ts';
import { foldName, parseCreateView, type Parsed } from './sqlite-syntax.ts';
import type { CreateViewStmt } from 'sqlite3-parser';
import { traverse } from 'sqlite3-parser';
import { quoteName, quoteTable } from '@safekeep/postgres';

/** Views are made after those they read, in whatever order the file holds them. */
export function translateViews(context: Translation): void {
  const made = new Map<string, Relation | null>();
  const views = new Map(context.source.views.map((view) => [foldName(view.name), view]));
  const make = (view: SourceView): void => {
    const key = foldName(view.name);
    if (made.has(key)) return;
    // Set before those it reads are made: a circle of views, which SQLite lets stand until it is read, ends here.
    made.set(key, null);
    const parsed = parseCreateView(view.sql);
    for (const name of parsed === null ? [] : relationsIn(parsed)) {
      const other = views.get(foldName(name));
      if (other !== undefined) make(other);
    }
    made.set(
      key,
      translateView(context, view, { parsed, relation: (name) => made.get(foldName(name)) ?? tableRelation(context, name) }),
    );
  };
  for (const view of context.source.views) make(view);
}

function relationsIn({ node }: Parsed<CreateViewStmt>): string[] {
  const names: string[] = [];
  traverse(node.select, { nodes: { TableSelectTable: (source) => void names.push(source.tblName.objName.text) } });
  return names;
}

type ViewSource = { readonly parsed: Parsed<CreateViewStmt> | null; readonly relation: (name: string) => Relation | null };

function translateView(context: Translation, view: SourceView, { parsed, relation }: ViewSource): Relation | null {
  const notes = new Set<string>();
  try {
    if (parsed === null) throw new Untranslatable('its text is not of SQLite’s grammar');
    const query = translateQuery({ note: (text) => void notes.add(text), text: parsed.text, relation }, parsed.node.select);
    return addView(context, view, { query, notes });
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    context.inventory.add('view', view.name, notMigrated(error.message), view.sql);
    return null;
  }
}

function addView(
  context: Translation,
  view: SourceView,
  { query, notes }: { readonly query: Query; readonly notes: ReadonlySet<string> },
): Relation {
  if (query.columns.length !== view.columns.length)
    throw new Untranslatable('SQLite itself cannot read it: something it names is gone');
  const name = context.names.view(view.name);
  const namespace = newColumnNamespace();
  const columns = view.columns.map((column, at) => namespace.claim(wantedName(column, context.options.naming, `column_${at + 1}`)));
  const object = context.inventory.add(
    'view',
    view.name,
    combine([name === view.name ? migrated : changed(`named ${name} in PostgreSQL`), ...[...notes].map((note) => changed(note))]),
    view.sql,
  );
  const sql = quoteTable({ schema: context.options.schema, table: name });
  context.statements.push({
    kind: 'view',
    table: name,
    sql: `CREATE VIEW ${sql} (${columns.map(quoteName).join(', ')}) AS ${query.sql}`,
    object,
    parallel: false,
    violated: null,
  });
  return {
    sql,
    columns: view.columns.map((column, at) => {
      const target = quoteName(required(columns[at]));
      return { name: column, target, value: renamed(required(query.columns[at]).value, target) };
    }),
    rowid: null,
  };
}

function required<Item>(item: Item | undefined): Item {
  if (item === undefined) throw new Error('A view has a column without a value');
  return item;
}

function tableRelation(context: Translation, name: string): Relation | null {
  const table = findTable(context.source, name);
  return table === undefined || !table.loadable ? null : relationOf(context, table);
}

function relationOf(context: Translation, table: SourceTable): Relation {
  return {
    sql: targetOf(context, table),
    columns: table.columns
      .filter(({ hidden }) => !hidden)
      .map((column) => {
        const target = quotedColumn(context, table, column.name);
        return { name: column.name, target, value: columnValue(column, decisionOf(context, table, column.name), target) };
      }),
    rowid: table.rowidAlias,
  };
}
