import { canonicalForm, formatTableName } from '@safekeep/core';
import { FOUND_BY_NOTHING } from '@safekeep/crypto';
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
  const fields = (await listFields(db, tenant)).filter((each) => formatTableName(each.table) === table);
  const field = fields.find((each) => each.column === column);
  if (field === undefined) return null;
  const { encryptedColumn, notNull, phase, valueType } = field;
  const indexes = field.indexes.filter(({ kind }) => kind !== 'compound');
  // Of an index over several columns, whosever it is, nothing may stay that tells of the value.
  const compounds = fields
    .flatMap((each) => each.indexes)
    .filter(({ parts }) => parts.some(({ id }) => id === field.id))
    .map((index) => index.column);
  const isPlainEmpty = isAtLeast(phase, 'nulled');
  if (notNull === null || !isPlainEmpty) {
    const emptied = [...indexes.map((index) => index.column), ...compounds].map((each) => ({ column: each, value: null }));
    return { encryptedColumn, isPlainEmpty, stored: null, indexes: emptied };
  }
  const [stored] = await keys.seal(field, [text]);
  if (stored === undefined) throw new Error('One value is sealed to one');
  const numbers = await Promise.all(
    indexes.map(async (index) => {
      if (index.kind === 'compound') throw new Error('Compound indexes were left out');
      const [value = null] = await keys.index(field, index, [canonicalForm(index.kind, text, valueType)]);
      return { column: index.column, value };
    }),
  );
  const unfound = compounds.map((each) => ({ column: each, value: FOUND_BY_NOTHING }));
  return { encryptedColumn, isPlainEmpty, stored, indexes: [...numbers, ...unfound] };
}
