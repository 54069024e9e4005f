// Questions that several rules ask of a map.
import { categoryOf, isPersonal } from '../categories/taxonomy.ts';
import type { DataMap, MappedColumn, MappedTable, Subject } from '../model.ts';

/** The subjects whose people are the rows of this table themselves. */
export function subjectsOfTable(map: DataMap, table: string): readonly Subject[] {
  return [...map.subjects.values()].filter((subject) => subject.table === table);
}

/** A column whose values are data of persons. */
export function isPersonalColumn(column: MappedColumn): boolean {
  return column.categories.some(isPersonal);
}

export function holdsPersonalData(table: MappedTable): boolean {
  return [...table.columns.values()].some(isPersonalColumn);
}

/** Tables of personal data from which no way leads to a person: nobody's requests reach them. */
export function tablesOfNobody(map: DataMap): readonly MappedTable[] {
  return [...map.tables.values()].filter(
    (table) => table.of.length === 0 && holdsPersonalData(table) && subjectsOfTable(map, table.name).length === 0,
  );
}

/** Somebody stands behind the rows: the persons themselves, or those that paths lead to. */
export function isAboutPeople(map: DataMap, table: MappedTable): boolean {
  return table.of.length > 0 || subjectsOfTable(map, table.name).length > 0 || holdsPersonalData(table);
}

/** What a scan calls the purposes that it proposes, so that nothing is left out: nobody has said yet that they are so. */
export const UNCONFIRMED_PURPOSE = 'to_be_confirmed';

/** Purposes of tables of the map that nobody has confirmed: their use, basis and period are told to people in every export. */
export function unconfirmedPurposes(map: DataMap): readonly string[] {
  const used = [...map.tables.values()].flatMap((table) => purposesOf(map, table));
  return [...new Set(used)].filter((name) => name.startsWith(UNCONFIRMED_PURPOSE)).toSorted();
}

/** Purposes of a table: its own or, where it names none, those of the tables of the persons that it is about. */
export function purposesOf(map: DataMap, table: MappedTable): readonly string[] {
  if (table.purposes.length > 0) return table.purposes;
  const owners = table.of.flatMap((edge) => map.tables.get(map.subjects.get(edge.subject)?.table ?? '')?.purposes ?? []);
  return [...new Set(owners)];
}

/** The columns of a table whose category is of this class of GDPR. */
export function columnsOfClass(table: MappedTable, gdpr: 'art9' | 'art10'): readonly string[] {
  return [...table.columns.values()]
    .filter(({ categories }) => categories.some((key) => categoryOf(key)?.gdpr === gdpr))
    .map(({ name }) => name);
}
