import {
  cardNumber,
  formatColumnName,
  SafekeepError,
  type DisplayKind,
  type SearchedType,
  type SearchKind,
} from '@safekeep/core/values';
import { canonicalText, type FieldPlace } from '@safekeep/crypto';
import type { FieldRow, IndexRow } from './store.ts';
import { secondDigits, storedText } from './stored-text.ts';

export type SealedField = FieldRow & FieldPlace & { readonly name: string };

/** An index of the field's own value alone. */
export type OwnIndex = IndexRow & { readonly kind: SearchKind | DisplayKind };

function isOwn(index: IndexRow): index is OwnIndex {
  return index.kind !== 'compound';
}

export function sealedField(row: FieldRow, tenant: string): SealedField {
  const { schema, table, column } = row;
  return { ...row, tenant, name: formatColumnName({ schema, table, column }) };
}

/** The field as each partition of its table has it. */
export function partsOf({ partitions = [], ...field }: SealedField): readonly SealedField[] {
  return partitions.map(({ schema, table, tableOid, numbers }) => ({
    ...field,
    partitions: [],
    schema,
    table,
    tableOid,
    columnNumber: numbers[field.column] ?? 0,
    encryptedNumber: numbers[field.encrypted] ?? 0,
    indexes: field.indexes.map((index) => ({ ...index, number: numbers[index.column] ?? 0 })),
  }));
}

/** The index to search by: the newest that stands whole for every value. */
export function searchedBy({ indexes }: Pick<SealedField, 'indexes'>, kind: SearchKind): OwnIndex | undefined {
  return indexes.filter(isOwn).findLast((each) => each.kind === kind && each.state === 'serving');
}

/**
 * What is written beside a ciphertext, so that no search passes it over: also what is not searched yet, or no more by all. An index over
 * several columns is made of the values of all: see compounds.ts.
 */
export function writtenIndexes({ indexes }: Pick<SealedField, 'indexes'>): readonly OwnIndex[] {
  return indexes.filter(isOwn).filter(({ state }) => state !== 'left');
}

/** From `nulled` on the database takes no plaintext; before, both are written, so that those who read either find it. */
export function writesPlaintext({ phase }: Pick<SealedField, 'phase'>): boolean {
  return !['nulled', 'checked', 'finished'].includes(phase);
}

/** On the last stretch of the way back: every plaintext stands, and is what is written and asked for. */
export function isLeaving({ phase }: Pick<SealedField, 'phase'>): boolean {
  return phase === 'added';
}

/**
 * Whether the column has every value for as long as we believe what we know: not in `unread`, whose next step empties it, and not on the way
 * back, where values come into it row by row.
 */
export function holdsPlaintext(field: Pick<SealedField, 'phase' | 'direction'>): boolean {
  return writesPlaintext(field) && field.phase !== 'unread' && field.direction === 'in';
}

/**
 * The text of a value as the column would have stored and PostgreSQL would print it, checked as the column would have: the database
 * cannot do that any more.
 *
 * @throws `field-value-refused`, `value-unfit`.
 */
export function textOf(field: SealedField, value: unknown): string {
  const refuse = (reason: string): never => {
    throw new SafekeepError('field-value-refused', { field: field.name, reason });
  };
  const plain = plainText(field.valueType, value) ?? refuse(`it is no ${field.valueType}`);
  const text = storedText(field, canonicalText(field.valueType, plain, secondDigits(field)), refuse);
  if (field.isCard && cardNumber(text) === null) refuse('it is no card number (length or check digit)');
  return text;
}

function plainText(type: SearchedType, value: unknown): string | undefined {
  if (typeof value === 'string') return type === 'json' ? checkedJson(value) : value;
  if (value instanceof Date) return dateText(type, value);
  if (value instanceof Uint8Array) return type === 'bytea' ? `\\x${Buffer.from(value).toString('hex')}` : undefined;
  if (type === 'json') return JSON.stringify(value);
  if (typeof value === 'boolean') return type === 'bool' ? String(value) : undefined;
  if (typeof value === 'bigint') return type === 'int' || type === 'numeric' ? value.toString() : undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  if (type === 'int') return Number.isSafeInteger(value) ? String(value) : undefined;
  return type === 'numeric' || type === 'text' ? String(value) : undefined;
}

/** A string for a json column is JSON text, as for pg. */
function checkedJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

/** As pg does: a date is the day of this machine's calendar, an instant is one everywhere. */
function dateText(type: SearchedType, value: Date): string | undefined {
  if (Number.isNaN(value.getTime())) return undefined;
  if (type === 'timestamptz') return value.toISOString();
  if (type !== 'date') return undefined;
  const [year, month, day] = [value.getFullYear(), value.getMonth() + 1, value.getDate()];
  return year < 1
    ? undefined
    : `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}
