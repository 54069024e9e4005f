import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Practice } from './rows/practice.ts';

type Insertion = { readonly columns: readonly string[]; readonly statement: StatementSync };

/** Writes rows through one prepared statement a table, numbers them and counts them. */
export type TableWriter = Pick<Practice, 'insert' | 'nextId'> & { readonly written: () => number };

export function tableWriter(database: DatabaseSync): TableWriter {
  const insertions = new Map<string, Insertion>();
  const ids = new Map<string, number>();
  let written = 0;
  return {
    insert: (table, row) => {
      let insertion = insertions.get(table);
      if (insertion === undefined) {
        insertion = prepare(database, table);
        insertions.set(table, insertion);
        const surplus = Object.keys(row).filter((column) => insertion?.columns.includes(column) !== true);
        if (surplus.length > 0) throw new Error(`${table} has no columns ${surplus.join(', ')}`);
      }
      insertion.statement.run(
        ...insertion.columns.map((column) => {
          const value = row[column];
          if (value === undefined) throw new Error(`The row has no value for ${table}.${column}`);
          return value;
        }),
      );
      written += 1;
    },
    nextId: (table, skip = 0) => {
      const id = (ids.get(table) ?? 0) + 1 + skip;
      ids.set(table, id);
      return id;
    },
    written: () => written,
  };
}

function prepare(database: DatabaseSync, table: string): Insertion {
  // hidden: 0 is an ordinary column, 2 and 3 are generated ones, which nobody writes.
  const columns = database
    .prepare('SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0')
    .all(table)
    .map((row) => String(row['name']));
  const list = columns.map(quoted).join(', ');
  const blanks = columns.map(() => '?').join(', ');
  return { columns, statement: database.prepare(`INSERT INTO ${quoted(table)} (${list}) VALUES (${blanks})`) };
}

/** An identifier as SQLite reads it back exactly. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
