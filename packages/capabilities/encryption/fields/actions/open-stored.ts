import { canonicalForm, formatTableName, SafekeepError } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';
import type { Field, FieldKeys } from '../model.ts';
import { listFields } from '../store/records.ts';
import { keysByIndex } from '../store/rows.ts';

/** What stands in the encrypted column of a field, which is named as the map names it. */
export type Stored = { readonly table: string; readonly column: string; readonly stored: Buffer };

/**
 * The texts of stored values of any fields, by place.
 *
 * @throws `field-unknown`, and what says why a value does not open; never with the value.
 */
export async function openStored(
  db: Queryable,
  keys: FieldKeys,
  tenant: string,
  values: readonly Stored[],
): Promise<readonly string[]> {
  if (values.length === 0) return [];
  const fields = new Map((await listFields(db, tenant)).map((field) => [nameOf(field), field]));
  const placed = values.map((value, place) => ({ ...value, place }));
  const texts: string[] = Array.from(values, () => '');
  for (const [name, group] of Map.groupBy(placed, ({ table, column }) => `${table}.${column}`)) {
    const field = fields.get(name);
    if (field === undefined) throw new SafekeepError('field-unknown', { field: name });
    const opened = await keys.open(
      field,
      group.map(({ stored }) => stored),
    );
    for (const [at, { place }] of group.entries()) texts[place] = opened[at] ?? '';
  }
  return texts;
}

/** Rows so many at most: a blind index that names more says nothing. */
const ROWS_AT_MOST = 1_000;

/** Searches by a value as a whole; both have one form of it. */
const WHOLE: ReadonlySet<string> = new Set(['exact', 'unique']);

/** Keys of rows that the blind index of the whole value names, strangers among them; null where the field has none. */
export async function findStored(
  db: Queryable,
  keys: FieldKeys,
  {
    tenant,
    table,
    column,
    value,
    key,
  }: {
    readonly tenant: string;
    readonly table: string;
    readonly column: string;
    readonly value: string;
    readonly key: readonly string[];
  },
): Promise<readonly (readonly string[])[] | null> {
  const field = (await listFields(db, tenant)).find((each) => nameOf(each) === `${table}.${column}`);
  const index = field?.indexes.findLast(({ kind, state }) => WHOLE.has(kind) && state === 'serving');
  if (field === undefined || index === undefined) return null;
  const [number] = await keys.index(field, index, [canonicalForm('exact', value, field.valueType)]);
  return number === null || number === undefined ? [] : await keysByIndex(db, field, { index, number, key, limit: ROWS_AT_MOST });
}

function nameOf({ table, column }: Field): string {
  return `${formatTableName(table)}.${column}`;
}
