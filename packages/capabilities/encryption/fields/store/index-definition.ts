import { quoteName, quoteText } from '@safekeep/postgres';
import type { Field, FieldIndex } from '../model.ts';
import { indexColumnType, namesOf, NOT_THE_ENGINE, objectName, searchIndexName } from './names.ts';

type Named = Pick<FieldIndex, 'kind' | 'version'>;

/** Those that an index of the database is made over. */
export function indexesToSearch({ indexes }: Pick<Field, 'indexes'>): readonly FieldIndex[] {
  return indexes.filter((index) => !isShown(index));
}

/** For each that does not stand yet its statements. What an interrupted try left is invalid and goes first. */
export function createSearchIndexes(field: Field, there: ReadonlySet<string>): readonly (readonly string[])[] {
  const { table } = namesOf(field);
  return indexesToSearch(field)
    .filter((index) => !there.has(searchIndexName(field, index)))
    .map((index) => {
      const name = searchIndexName(field, index);
      const kind = index.kind === 'unique' ? 'unique index' : 'index';
      return [
        `drop index concurrently if exists ${quoteName(field.table.schema)}.${quoteName(name)}`,
        `create ${kind} concurrently ${quoteName(name)} on ${table} (${quoteName(index.column)})`,
      ];
    });
}

/** To be shown, and not to be searched by. */
function isShown({ kind }: Pick<FieldIndex, 'kind'>): boolean {
  return kind === 'card_bin' || kind === 'card_last4';
}

/** What is shown of a card number can be no more than that, whoever writes it: no whole number fits in. */
export function shownChecks(field: Field): readonly string[] {
  return field.indexes.filter(isShown).map((index) => {
    const form = index.kind === 'card_bin' ? '^([0-9]{6}|[0-9]{8})?$' : '^([0-9]{4})?$';
    return `add constraint ${quoteName(objectName(index.kind, field))} check (${quoteName(index.column)} operator(pg_catalog.~) '${form}')`;
  });
}

export function addIndexColumns(field: Field, indexes: readonly FieldIndex[]): readonly string[] {
  const columns = indexes.map((index) => `add column ${quoteName(index.column)} ${indexColumnType(index)}`);
  return columns.length === 0 ? [] : [`alter table ${namesOf(field).table} ${columns.join(', ')}`];
}

/** Takes its triggers and its column, and with that the index over it. */
export function dropIndexColumn(field: Field, index: FieldIndex): readonly string[] {
  const { table } = namesOf(field);
  return [
    ...[givenTrigger(field, index), ...compoundTriggers(field, index)].map(
      (name) => `drop trigger if exists ${quoteName(name)} on ${table}`,
    ),
    `alter table ${table} drop column if exists ${quoteName(index.column)}`,
  ];
}

/**
 * That ciphertext never stands beside the index of another value: see safekeep.keep_indexes. They come before the triggers that
 * seal (in the order of their names), which make the indexes of what they seal themselves.
 */
export function createIndexTriggers(field: Field): readonly string[] {
  const { table, encrypted } = namesOf(field);
  const written = ownIndexes(field.indexes).filter(({ state }) => state !== 'left');
  const compounds = field.indexes.filter(({ kind, state }) => kind === 'compound' && state !== 'left');
  if (written.length + compounds.length === 0) return dropIndexTriggers(field);
  if (written.length === 0)
    return [...dropIndexTriggers(field), ...compounds.flatMap((index) => createCompoundTriggers(field, index))];
  const changed = `pg_catalog.record_image_ne(row(old.${encrypted}), row(new.${encrypted})) and new.${encrypted} is not null`;
  const make = ({ name, event, when, action, of = written }: Made): string =>
    `create or replace trigger ${quoteName(name)} before ${event} on ${table} for each row when ((${when}) and ${NOT_THE_ENGINE}) execute function safekeep.keep_indexes(${keepArguments(field, action, of)})`;
  return [
    ...written.map((index) =>
      make({
        name: givenTrigger(field, index),
        event: `update of ${quoteName(index.column)}`,
        when: `${changed} and not pg_catalog.record_image_ne(row(old.${quoteName(index.column)}), row(new.${quoteName(index.column)}))`,
        action: 'given',
        of: [index],
      }),
    ),
    make({ name: objectName('stale', field), event: `update of ${encrypted}`, when: changed, action: 'stale' }),
    make({ name: objectName('fresh', field), event: 'insert', when: `new.${encrypted} is not null`, action: 'stale' }),
    ...compounds.flatMap((index) => createCompoundTriggers(field, index)),
  ];
}

/** Of an index over several columns; see safekeep.keep_compound. They come after the triggers that seal any of the columns. */
function createCompoundTriggers(field: Field, index: FieldIndex): readonly string[] {
  const { table } = namesOf(field);
  const columns = index.parts.map(({ encryptedColumn }) => quoteName(encryptedColumn));
  const changed = columns.map((column) => `pg_catalog.record_image_ne(row(old.${column}), row(new.${column}))`).join(' or ');
  const given = `not pg_catalog.record_image_ne(row(old.${quoteName(index.column)}), row(new.${quoteName(index.column)}))`;
  const [onUpdate = '', onInsert = ''] = compoundTriggers(field, index);
  const make = (name: string, { event, when, action }: Omit<Made, 'name' | 'of'>): string =>
    `create or replace trigger ${quoteName(name)} before ${event} on ${table} for each row when ((${when}) and ${NOT_THE_ENGINE}) execute function safekeep.keep_compound(${compoundArguments(field, action, index)})`;
  return [
    make(givenTrigger(field, index), {
      event: `update of ${quoteName(index.column)}`,
      when: `(${changed}) and ${given}`,
      action: 'given',
    }),
    make(onUpdate, { event: 'update', when: changed, action: 'made' }),
    make(onInsert, {
      event: 'insert',
      when: columns.map((column) => `new.${column} is not null`).join(' and '),
      action: 'made',
    }),
  ];
}

function compoundTriggers(field: Field, { kind, version }: Named): readonly string[] {
  return kind === 'compound' ? [objectName(`with${version}`, field), objectName(`withnew${version}`, field)] : [];
}

function compoundArguments(field: Field, action: string, { column, bits, version, state, parts }: FieldIndex): string {
  const strictness = state === 'building' ? 'loose' : 'strict';
  const of = parts.flatMap(({ id, encryptedColumn, valueType }) => [encryptedColumn, valueType, id]);
  return [action, field.mode, field.tenant, field.id, column, String(bits), String(version), strictness, ...of]
    .map((each) => quoteText(each))
    .join(', ');
}

/** Those that are made of the field's own value alone. */
function ownIndexes(indexes: readonly FieldIndex[]): readonly FieldIndex[] {
  return indexes.filter(({ kind }) => kind !== 'compound');
}

type Made = {
  readonly name: string;
  readonly event: string;
  readonly when: string;
  readonly action: string;
  readonly of?: readonly FieldIndex[];
};

export function dropIndexTriggers(field: Field): readonly string[] {
  const { table } = namesOf(field);
  const names = [
    ...field.indexes.flatMap((index) => [givenTrigger(field, index), ...compoundTriggers(field, index)]),
    objectName('stale', field),
    objectName('fresh', field),
  ];
  return names.map((name) => `drop trigger if exists ${quoteName(name)} on ${table}`);
}

/** The one that knows the column of an index by its number. */
export function givenTrigger(field: Field, { kind, version }: Named): string {
  return objectName(`given_${kind}${version}`, field);
}

/** Five for each index, as the functions of the triggers take them. Nothing is written into one any more that goes in a moment. */
export function indexArguments(indexes: readonly FieldIndex[]): readonly string[] {
  return ownIndexes(indexes)
    .filter(({ state }) => state !== 'left')
    .flatMap(({ kind, column, bits, version, state }) => [
      kind,
      column,
      String(bits),
      String(version),
      // Clients have heard of it, and must write it, once it is searched.
      state === 'building' ? 'loose' : 'strict',
    ]);
}

function keepArguments(field: Field, action: string, indexes: readonly FieldIndex[]): string {
  const of = indexArguments(indexes);
  return [action, field.mode, field.tenant, field.id, field.encryptedColumn, field.valueType, ...of]
    .map((each) => quoteText(each))
    .join(', ');
}
