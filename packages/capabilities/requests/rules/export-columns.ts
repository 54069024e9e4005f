import {
  categoryOf,
  columnOf,
  encryptedName,
  formatPath,
  isCompanion,
  isPersonalColumn,
  isWithin,
  resolveEdge,
  type ColumnFacts,
  type DataMap,
  type MappedColumn,
  type MappedTable,
  type SchemaIndex,
  type TableFacts,
} from '@safekeep/core';
import { columnsByPath, namesObject, pathsToSeveral } from './treat.ts';

/** A column as the export gives it. */
export type ExportColumn = {
  /** As the person sees it: of a sealed field the name of the field. */
  readonly name: string;
  /** As it stands in the database. */
  readonly stored: string;
  readonly sealed: boolean;
  /** Of a sealed column the plain one beside it, which has the values that are not sealed yet. */
  readonly plain: string | null;
  /** Given as JSON, which every reader takes apart; of a sealed one there is only the text that was sealed. */
  readonly isArray: boolean;
  /** The paths whose persons it is about alone; none where the map does not say. */
  readonly of: readonly string[];
  /** Those of them that count only where nobody else stands at their end. */
  readonly alone: readonly string[];
  /** It names another person where a row has several. */
  readonly refersBy: readonly string[];
  readonly personal: boolean;
};

export type ColumnsOfTable = {
  readonly columns: readonly ExportColumn[];
  readonly withheld: readonly { readonly column: string; readonly reason: string }[];
};

/** What of a table goes into an export. Whoever holds an export must not be able to sign in or pay with it. */
export function exportColumns(
  { map, schema, canOpen }: { readonly map: DataMap; readonly schema: SchemaIndex; readonly canOpen: boolean },
  table: string,
  facts: TableFacts,
): ColumnsOfTable {
  const mapped = map.tables.get(table);
  const withheld: { column: string; reason: string }[] = [];
  const columns: ExportColumn[] = [];
  const refersBy = referring(map, schema, table);
  const pathsOf = pathsOfColumns(map, schema, mapped);
  const several = mapped === undefined ? new Set<string>() : pathsToSeveral(map, schema, mapped);
  for (const column of facts.columns) {
    const { name: stored, baseType } = column;
    const field = fieldOf(column, mapped);
    // A blind index says nothing to the person, and is no column of the user's.
    if (field === undefined && isCompanion(column, mapped)) continue;
    // Nobody has said what it holds: it may be what somebody signs in with.
    if (field === undefined) {
      withheld.push({ column: stored, reason: 'not in the map: nobody has said what it holds' });
      continue;
    }
    const { name } = field;
    if (isCredential(field)) {
      withheld.push({ column: name, reason: 'a credential' });
      continue;
    }
    if (namesObject(column, field)) {
      withheld.push({ column: name, reason: 'it names a large object, whose bytes are not in this export: add them by hand' });
      continue;
    }
    const sealed = stored !== field.name;
    // Of a field and its sealed column one is given: the sealed one where it can be opened, for the other is emptied in the end.
    const twin = columnOf(facts, sealed ? field.name : encryptedName(stored));
    const isOpened = canOpen && (sealed ? baseType : twin?.baseType) === 'bytea';
    if (twin !== undefined && sealed !== isOpened) continue;
    if (sealed && baseType === 'bytea' && !canOpen) {
      withheld.push({ column: name, reason: 'sealed, and there is no key here to open it' });
      continue;
    }
    const of = pathsOf.get(field.name) ?? [];
    columns.push({
      name,
      stored,
      sealed: sealed && baseType === 'bytea',
      plain: sealed && twin !== undefined ? field.name : null,
      isArray: column.isArray,
      of,
      alone: of.filter((path) => several.has(path) && !isGivenToEach(field, path)),
      refersBy: refersBy.get(stored) ?? [],
      personal: isPersonalColumn(field),
    });
  }
  return { columns, withheld };
}

/**
 * Whoever marks a column with a path against a reference says that it is of all whom that leads to, as the holders of an account. That two
 * people have one e-mail address nobody has said.
 */
function isGivenToEach({ of }: MappedColumn, path: string): boolean {
  return of.some((each) => formatPath(each) === path && each.steps.some(({ arrow }) => arrow === '<-'));
}

/** What the map says of a column; of one of ciphertext, what it says of the field that is sealed in it. */
function fieldOf({ name, baseType }: ColumnFacts, mapped: MappedTable | undefined): MappedColumn | undefined {
  const own = mapped?.columns.get(name);
  if (own !== undefined || baseType !== 'bytea') return own;
  return [...(mapped?.columns.values() ?? [])].find((column) => encryptedName(column.name) === name);
}

/** Passwords, tokens, secrets to sign in with, and what PCI DSS forbids to keep. A fingerprint is the person's own. */
function isCredential({ categories }: MappedColumn): boolean {
  return categories.some(
    (key) =>
      categoryOf(key)?.pci === 'sad' ||
      (isWithin(key, 'user.authorization') &&
        !isWithin(key, 'user.authorization.biometric') &&
        !isWithin(key, 'user.authorization.biometrics')),
  );
}

/** The paths whose persons a column is about alone. */
function pathsOfColumns(
  map: DataMap,
  schema: SchemaIndex,
  mapped: MappedTable | undefined,
): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, string[]>();
  for (const [path, names] of mapped === undefined ? [] : columnsByPath(map, schema, mapped))
    for (const name of names) paths.set(name, [...(paths.get(name) ?? []), path]);
  return paths;
}

/** Columns that name a person, with the paths that begin there. */
function referring(map: DataMap, schema: SchemaIndex, table: string): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, string[]>();
  for (const edge of map.tables.get(table)?.of ?? []) {
    const resolved = resolveEdge(map, schema, table, edge);
    if ('kind' in resolved || resolved.hops.length !== 1 || resolved.hops[0]?.direction !== 'forward') continue;
    for (const column of resolved.hops[0].columns) paths.set(column, [...(paths.get(column) ?? []), formatPath(edge.path)]);
  }
  return paths;
}
