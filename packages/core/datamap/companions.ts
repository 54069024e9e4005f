import { FIRST_INDEX_VERSION } from '../fields/canonical.ts';
import { cardRuleOf } from '../fields/card-rule.ts';
import { displayKinds, searchKinds, type IndexKind, type MappedTable } from './model.ts';
import type { ColumnFacts } from './schema-facts.ts';

/** PostgreSQL cuts longer names, and two of ours could then be one. */
const LONGEST_NAME = 63;

/** Of the column that holds what `safekeep encrypt` makes of a column. */
export function encryptedName(column: string): string {
  return suffixed(column, '_encrypted');
}

/** Of the column that holds a blind index of a column. One that was made anew stands beside the one before until that goes. */
export function indexName(column: string, kind: IndexKind, version = FIRST_INDEX_VERSION): string {
  if (kind === 'card_bin' || kind === 'card_last4') return suffixed(column, kind === 'card_bin' ? '_bin' : '_last4');
  return suffixed(column, `_${kind}_index${version === FIRST_INDEX_VERSION ? '' : `_${version}`}`);
}

/**
 * Whether a column was put beside a protected one by `safekeep encrypt`: by the name that the map gives it, and by a type that
 * holds no plaintext (bytea for the ciphertext and for a whole hash, int8 for a blind index; text only for what of a card number may be shown). One that is called so and holds text is the user's own.
 */
export function isCompanion({ name, baseType }: Pick<ColumnFacts, 'name' | 'baseType'>, mapped: MappedTable | undefined): boolean {
  const beside = [...(mapped?.columns.values() ?? [])].filter(({ protect }) => protect !== 'none');
  return beside.some(
    (column) =>
      (baseType === 'bytea' && name === encryptedName(column.name)) ||
      column.search.some((kind) => baseType === (kind === 'unique' ? 'bytea' : 'bigint') && isIndexOf(name, column.name, kind)) ||
      (baseType === 'text' &&
        cardRuleOf(column.categories) === 'number' &&
        displayKinds.some((kind) => name === indexName(column.name, kind))) ||
      (column.searchWith.length > 0 && baseType === 'bigint' && isIndexOf(name, column.name, 'compound')),
  );
}

/** Whether a column carries what was made of an encrypted column, ciphertext or index: by its name and type, whatever the map says by now. */
export function carries({ name, baseType }: ColumnFacts, plain: string): boolean {
  if (baseType === 'bytea' && name === encryptedName(plain)) return true;
  const kinds: readonly IndexKind[] = [...searchKinds, ...displayKinds, 'compound'];
  return kinds.some((kind) => baseType === typeOfIndex(kind) && isIndexOf(name, plain, kind));
}

function typeOfIndex(kind: IndexKind): string {
  if (kind === 'card_bin' || kind === 'card_last4') return 'text';
  return kind === 'unique' ? 'bytea' : 'bigint';
}

function isIndexOf(name: string, column: string, kind: IndexKind): boolean {
  const version = Number(/_(\d{1,9})$/.exec(name)?.[1] ?? FIRST_INDEX_VERSION);
  return name === indexName(column, kind, version);
}

function suffixed(column: string, suffix: string): string {
  let kept = column;
  while (Buffer.byteLength(kept + suffix) > LONGEST_NAME) kept = [...kept].slice(0, -1).join('');
  return kept + suffix;
}
