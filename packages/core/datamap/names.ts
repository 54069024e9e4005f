import { isSafekeepError } from '../errors/error.ts';
import { formatTableName, parseTableName } from '../names.ts';

const SQL_QUOTED = /^"(?:[^"]|"")+"$/;

/**
 * A column as the map names it, as it stands in the database. A column's name is a whole text in the file, so it needs no SQL
 * quotes (`Last Name`); they are understood where somebody wrote them (`"Last Name"`).
 */
export function readColumnName(text: string): string {
  return SQL_QUOTED.test(text) ? text.slice(1, -1).replaceAll('""', '"') : text;
}

/** The text that {@link readColumnName} reads as this column. */
export function writeColumnName(name: string): string {
  return SQL_QUOTED.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

/** External name of a table as the map names it, or why it is none and what to write instead. */
export function readTableName(text: string): { readonly name: string } | { readonly fault: string; readonly remedy: string } {
  try {
    return { name: formatTableName(parseTableName(text)) };
  } catch (error) {
    if (!isSafekeepError(error, 'name-invalid')) throw error;
    return { fault: error.message, remedy: error.remedy };
  }
}
