import { tableName } from '@safekeep/core';
import type { Table } from '@safekeep/postgres';
import type { ColumnFinding, ProposedSubject } from '../model.ts';
import type { SchemaKnowledge } from './decide.ts';
import { signatureOf } from './signature.ts';
import { splitName } from './words.ts';

/** The categories by which people are looked up, the best first. */
const FIND_BY = [
  'user.contact.email',
  'user.contact.phone_number',
  'user.government_id.national_identification_number',
  'user.health_and_medical.record_id',
  'user.account.username',
  'user.unique_id',
  'user.name',
  'user.name.last',
];
const FIND_BY_AT_MOST = 8;
const LABELS = ['user.name', 'user.name.last', 'user.name.first', 'user.account.username', 'user.contact.email'];

/** A materialized view holds copies of other rows, and neither it nor a foreign table can have a key, without which the gate takes no subject. */
const KEYED: ReadonlySet<Table['kind']> = new Set(['table', 'partitioned-table']);

/** The tables whose rows are people, each with what names one of them. */
export function proposeSubjects(
  tables: readonly Table[],
  known: SchemaKnowledge,
  columns: readonly ColumnFinding[],
): readonly ProposedSubject[] {
  const byTable = Map.groupBy(columns, ({ table }) => table);
  const taken = new Set<string>();
  return tables
    .filter((table) => {
      const role = known.roles.get(tableName(table));
      return KEYED.has(table.kind) && role?.role === 'person' && !role.isProfile;
    })
    .flatMap((table) => {
      const key = keyOf(table, byTable.get(tableName(table)) ?? []);
      if (key === undefined) return [];
      const name = unique(subjectName(table), taken);
      taken.add(name);
      const found = named(table, byTable.get(tableName(table)) ?? []).filter(({ name: column }) => isOwn(table, column, known));
      const labels = LABELS.flatMap((category) =>
        found.filter((each) => each.category === category).map(({ name: column }) => column),
      );
      return [
        {
          name,
          table: tableName(table),
          key: [...key],
          findBy: FIND_BY.flatMap((category) =>
            found.filter((each) => each.category === category).map(({ name: column }) => column),
          )
            .filter((column) => !key.includes(column))
            .slice(0, FIND_BY_AT_MOST),
          label: labels[0] ?? null,
        },
      ];
    });
}

/** Neither a title nor somebody else's: what a person would be looked up and shown by. */
function isOwn(table: Table, column: string, known: SchemaKnowledge): boolean {
  const refers = known.links.some(({ from, columns }) => from === tableName(table) && columns.includes(column));
  const { leaves } = signatureOf(column, known.speech);
  return (
    !refers &&
    !OTHERS.test(column) &&
    !leaves.some(
      (leaf) =>
        leaf === 'honorific' || leaf === 'initials' || leaf === 'relative' || leaf === 'maiden-name' || leaf === 'middle-name',
    )
  );
}

const OTHERS = /emergency|guardian|parent|spouse|partner|kin|mother|father|notfall|urgence|emergencia/i;

type Named = { readonly name: string; readonly category: string };

function named(table: Table, findings: readonly ColumnFinding[]): readonly Named[] {
  return table.columns.flatMap((column, place) => {
    const finding = findings[place];
    return finding === undefined || finding.decision !== 'certain' || finding.category === 'none'
      ? []
      : [{ name: column.name, category: finding.category }];
  });
}

/** The primary key, else what is unique and always filled, else what looks like it: then the gate asks for a key. */
function keyOf(table: Table, findings: readonly ColumnFinding[]): readonly string[] | undefined {
  if (table.primaryKey !== null) return table.primaryKey.columns;
  const filled = (columns: readonly string[]): boolean =>
    columns.every((column) => table.columns.find(({ name }) => name === column)?.notNull === true);
  const unique = table.uniques.find(({ columns }) => filled(columns));
  if (unique !== undefined) return unique.columns;
  const guess = named(table, findings).find(({ category }) => category === 'user.unique_id');
  return guess === undefined ? undefined : [guess.name];
}

const PREFIXES = new Set([
  'tbl',
  'tb',
  't',
  'wp',
  'res',
  'auth',
  'app',
  'dbo',
  'sys',
  'dim',
  'hr',
  'crm',
  'core',
  'django',
  'vw',
  'mdl',
]);

/** `patient` for patients, `customer` for tbl_Customers. */
function subjectName({ name }: Table): string {
  const words = splitName(name).filter((word, place, all) => place > 0 || all.length === 1 || !PREFIXES.has(word));
  const last = words.at(-1) ?? 'person';
  return [...words.slice(0, -1), singular(last)].join('_');
}

function singular(word: string): string {
  if (word.length <= 3 || /(ss|us|is)$/.test(word)) return word;
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.endsWith('s') ? word.slice(0, -1) : word;
}

function unique(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number += 1) if (!taken.has(`${name}_${number}`)) return `${name}_${number}`;
}
