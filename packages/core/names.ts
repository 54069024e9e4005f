import { SafekeepError } from './errors/error.ts';

/** The two parts of a table's name, as they stand in the database: no quotes, no folding. */
export type TableRef = { readonly schema: string; readonly table: string };

/** The three parts of a column's name, as they stand in the database. */
export type ColumnRef = TableRef & { readonly column: string };

const PLAIN = /^[a-z_][a-z0-9_$]*$/;
// One part of a name and what ends it: `"any ""text"""` or a run without dot, quote, blank and A-Z.
const PART = /(?:"((?:[^"]|"")+)"|([^\s".A-Z]+))(\.|$)/y;
const DEFAULT_SCHEMA = 'public';

/**
 * The external name of a table: `public.patients`, `public."Patient files"`, `"a.b"."c""d"`.
 *
 * A part is quoted, as SQL quotes it, unless it matches `[a-z_][a-z0-9_$]*`. Reserved words are NOT quoted (`public.order`):
 * these are names for people, maps and reports; the list of reserved words grows with each PostgreSQL version, and a name
 * must not. Never paste one into SQL: identifiers there are quoted by the library from the parts.
 */
export function formatTableName(ref: TableRef): string {
  return formatName(ref.schema, ref.table);
}

/** The external name of a column: the table's name, a dot, the column. Quoted like {@link formatTableName}. */
export function formatColumnName(ref: ColumnRef): string {
  return formatName(ref.schema, ref.table, ref.column);
}

/** Any dotted name in the same manner: `formatName('public', 'patients', 'patients_pkey')`. */
export function formatName(...parts: readonly string[]): string {
  return parts.map((part) => (PLAIN.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join('.');
}

/** A name as it is typed at a shell, which would take double quotes away. */
export function shellWord(name: string): string {
  return /^[\w.:,/-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}

/**
 * Reads a table's name as a person writes it: `public.patients`, or `patients` for one of schema public.
 *
 * Throws `name-invalid` where SQL and a person could differ: capitals outside quotes (SQL would fold `Patients` to
 * `patients`), blanks outside quotes, an empty part, too many parts. Letters of other scripts need no quotes.
 */
export function parseTableName(text: string): TableRef {
  const [table, schema = DEFAULT_SCHEMA, ...more] = splitName(text, 'table').toReversed();
  if (table === undefined || more.length > 0) throw invalid(text, 'table', 'it has more than two parts');
  return { schema, table };
}

/** Reads `schema.table.column`, or `table.column` for a table of schema public. Throws like {@link parseTableName}. */
export function parseColumnName(text: string): ColumnRef {
  const [column, table, schema = DEFAULT_SCHEMA, ...more] = splitName(text, 'column').toReversed();
  if (column === undefined || table === undefined) throw invalid(text, 'column', 'it names no table');
  if (more.length > 0) throw invalid(text, 'column', 'it has more than three parts');
  return { schema, table, column };
}

function splitName(text: string, kind: NameKind): string[] {
  const parts: string[] = [];
  let end = 0;
  for (let dotted = true; dotted;) {
    PART.lastIndex = end;
    const match = PART.exec(text);
    if (match === null) throw invalid(text, kind, reasonAt(text.slice(end)));
    const [whole, quoted, bare = '', separator] = match;
    parts.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    end += whole.length;
    dotted = separator === '.';
  }
  return parts;
}

function reasonAt(rest: string): string {
  if (rest === '' || rest.startsWith('.') || rest.startsWith('""')) return 'a part of it is empty';
  if (rest.startsWith('"')) return 'a quote is not closed, or text follows the closing quote';
  if (/^[^".]*\s/.test(rest)) return 'a part with blanks must stand in double quotes';
  if (/^[^".]*[A-Z]/.test(rest)) return 'a part with capitals must stand in double quotes';
  return 'a quote stands inside a part that is not quoted';
}

type NameKind = 'table' | 'column';

function invalid(name: string, kind: NameKind, reason: string): SafekeepError<'name-invalid'> {
  return new SafekeepError('name-invalid', { name, kind, reason });
}
