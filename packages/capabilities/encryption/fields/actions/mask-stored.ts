import { canonicalForm, formatTableName } from '@safekeep/core';
import type { Queryable } from '@safekeep/postgres';
import type { FieldKeys } from '../model.ts';
import { isAtLeast } from '../rules/life.ts';
import { listFields } from '../store/records.ts';

/** What an erasure writes in place of a sealed value: everything that was made of it, and nothing else. */
export type StoredMask = {
  readonly encryptedColumn: string;
  /** The plaintext must stay away: from `nulled` on a check says so. */
  readonly isPlainEmpty: boolean;
  /** Null where the field may be empty. */
  readonly stored: Buffer | null;
  /** Blind indexes, an int8 in decimal each. */
  readonly indexes: readonly { readonly column: string; readonly value: string | null }[];
};

/**
 * The key of a field is everybody's, so a value of one person goes by being overwritten: with nothing, or, in a column that must hold
 * something, with `text` sealed. Null where the column is no field.
 */
export async function maskStored(
  db: Queryable,
  keys: FieldKeys,
  {
    tenant,
    table,
    column,
    text,
  }: { readonly tenant: string; readonly table: string; readonly column: string; readonly text: string },
): Promise<StoredMask | null> {
  const field = (await listFields(db, tenant)).find((each) => each.column === column && formatTableName(each.table) === table);
  if (field === undefined) return null;
  const { encryptedColumn, indexes, notNull, phase, valueType } = field;
  const isPlainEmpty = isAtLeast(phase, 'nulled');
  if (notNull === null || !isPlainEmpty) {
    const emptied = indexes.map((index) => ({ column: index.column, value: null }));
    return { encryptedColumn, isPlainEmpty, stored: null, indexes: emptied };
  }
  const [stored] = await keys.seal(field, [text]);
  if (stored === undefined) throw new Error('One value is sealed to one');
  const numbers = await Promise.all(
    indexes.map(async (index) => {
      const [value = null] = await keys.index(field, index, [canonicalForm(index.kind, text, valueType)]);
      return { column: index.column, value };
    }),
  );
  return { encryptedColumn, isPlainEmpty, stored, indexes: numbers };
}
