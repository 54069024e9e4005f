import assert from 'node:assert/strict';
import {
  candidatePaths,
  indexSchema,
  isMappable,
  readMap,
  tableName,
  textOfHops,
  type MapFile,
  type SubjectText,
} from '@safekeep/core';
import type { Catalog } from '@safekeep/postgres';

const CATEGORIES: readonly (readonly [RegExp, string])[] = [
  [/mail/i, 'user.contact.email'],
  [/phone|fax/i, 'user.contact.phone_number'],
  [/(first|last|contact)_?name/i, 'user.name'],
  [/birth/i, 'user.demographic.date_of_birth'],
  [/address|city|postal|region|state|country/i, 'user.contact.address'],
  [/photo/i, 'user.biometric'],
];

type Subjects = Readonly<Record<string, SubjectText>>;

/** A map as somebody in a hurry would write it: categories by the names of columns, paths by the foreign keys. */
export function mapByName(catalog: Catalog, subjects: Subjects): MapFile {
  const purposes = {
    sale: { use: 'essential.service', basis: 'contract', condition: 'explicit_consent', retention: '10y' },
  } as const;
  const names = catalog.tables.filter(isMappable);
  const tables = Object.fromEntries(
    names.map((table) => [
      tableName(table),
      { purposes: ['sale'], columns: Object.fromEntries(table.columns.map(({ name }) => [name, classified(name)])) },
    ]),
  );
  const bare: MapFile = { version: 1, purposes, subjects: { ...subjects }, tables };
  return {
    ...bare,
    tables: Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, { ...whose(bare, catalog, name), ...table }])),
  };
}

function classified(name: string) {
  const category = CATEGORIES.find(([pattern]) => pattern.test(name))?.[1];
  return category === undefined ? { category: 'none', note: 'by its name' } : { category };
}

/** The paths of a table to each kind of person; the persons' own tables need none. */
function whose(file: MapFile, catalog: Catalog, table: string) {
  if (Object.values(file.subjects ?? {}).some((subject) => subject.table === table)) return {};
  const reading = readMap(file);
  assert.ok('map' in reading);
  const ways = candidatePaths(reading.map, indexSchema(catalog), table).filter(({ hops }) =>
    hops.every(({ direction }) => direction === 'forward'),
  );
  if (ways.length === 0) return { of: 'none' as const, note: 'refers to nobody' };
  const groups = Map.groupBy(ways, ({ subject }) => subject);
  return { of: Object.fromEntries([...groups].map(([subject, group]) => [subject, group.map(({ hops }) => textOfHops(hops))])) };
}
