/** What a value is in JSON. */
export type JsonKind = 'number' | 'boolean' | 'json' | 'string';

const NUMBERS = /^(smallint|integer|bigint|real|double precision|numeric(\(.*\))?|oid)$/;

/** By the type of a column, domains looked through. */
export function jsonKindOf(baseType: string, isArray: boolean): JsonKind {
  if (isArray) return 'json';
  if (NUMBERS.test(baseType)) return 'number';
  if (baseType === 'boolean') return 'boolean';
  return baseType === 'json' || baseType === 'jsonb' ? 'json' : 'string';
}

/** A double keeps 15 digits; a longer number would be another one in the reader's program. */
const SAFE_NUMBER = /^-?(?=.{1,16}$)(0|[1-9]\d*)(\.\d+)?$/;

export function jsonText(value: string | null, kind: JsonKind): string {
  if (value === null) return 'null';
  if (kind === 'json') return value;
  if (kind === 'boolean') return value === 'true' || value === 't' ? 'true' : 'false';
  return kind === 'number' && SAFE_NUMBER.test(value) ? value : JSON.stringify(value);
}

/** A cell that begins so is a formula to a spreadsheet: OWASP, CSV injection. */
const FORMULA = /^[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/;
/** Where lists are parted by `;` or tabs, or a line begins, a spreadsheet sees a cell of its own. */
const FORMULA_WITHIN = /([;\t\r\n] *)(?=[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])/g;

/** One cell of RFC 4180. Nothing is null, `""` an empty text. */
export function csvCell(value: string | null, kind: JsonKind): string {
  if (value === null) return '';
  if (kind === 'number' || kind === 'boolean') return value;
  const safe = (FORMULA.test(value) ? `'${value}` : value).replaceAll(FORMULA_WITHIN, "$1'");
  return safe === '' || /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** For each table a name that is a file on any system, and no other's where capitals count for nothing. */
export function fileNamesOf(tables: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<string>();
  const names = new Map<string, string>();
  for (const table of tables) {
    const plain = table.replaceAll(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, NAME_AT_MOST);
    let name = plain;
    for (let number = 2; taken.has(folded(name)); number += 1) name = `${plain}-${number}`;
    taken.add(folded(name));
    names.set(table, name);
  }
  return names;
}

const NAME_AT_MOST = 110;

/** As file systems do that do not tell capitals or composed letters apart. */
function folded(name: string): string {
  return name.normalize('NFC').toUpperCase().toLowerCase();
}
