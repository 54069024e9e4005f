import type { DisplayKind, IndexKind, SearchKind } from '../datamap/model.ts';
import { shownOf } from './card.ts';

/** Characters that a search by `prefix` looks at: three letters of a surname narrow it down, and name nobody. */
export const PREFIX_LENGTH = 3;
const LAST = 4;

/** What a value is, as far as searching for it goes. */
export type SearchedType = 'text' | 'int' | 'numeric' | 'date' | 'timestamptz' | 'bool' | 'json' | 'bytea';

/**
 * The form of a value that its blind index is made of: equal for all values that a search of that kind shall find together.
 * `value` is the text that PostgreSQL prints for it (dates in ISO style, instants in UTC). Null where there is nothing to
 * find by: no letter for `soundex`, no year BC. The SQL function safekeep.search_form says the same to the byte, so nothing
 * here may depend on a collation, a locale or a version of Unicode.
 */
export function canonicalForm(kind: SearchKind | DisplayKind, value: string, type: SearchedType): string | null {
  if (kind === 'card_bin' || kind === 'card_last4') return shownOf(kind, value);
  if (kind === 'exact' || kind === 'unique') return type === 'numeric' ? trimScale(value) : value;
  if (kind === 'last4') return presentOrNull(lowerAscii(value.replaceAll(/[^0-9A-Za-z]/g, '')).slice(-LAST));
  if (kind === 'prefix') return presentOrNull(lowerAscii([...value.replace(/^[ \t\n\r]+/, '')].slice(0, PREFIX_LENGTH).join('')));
  if (kind === 'soundex') return soundex(value);
  const [, year, month] = /^(\d{4,})-(\d{2})(?:-|$)/.exec(value) ?? [];
  if (year === undefined || month === undefined || value.endsWith('BC')) return null;
  return kind === 'year' ? year : `${year}-${month}`;
}

/**
 * The form that an index over several columns is made of: the exact form of each value with its length in bytes before it, so that no
 * two lists of values give one form. Null where a value is missing: such a row is not found by all of them.
 */
export function compoundForm(
  values: readonly { readonly value: string | null | undefined; readonly type: SearchedType }[],
): string | null {
  const forms = values.map(({ value, type }) =>
    value === null || value === undefined ? null : canonicalForm('exact', value, type),
  );
  if (forms.some((form) => form === null)) return null;
  return forms.map((form) => `${utf8Length(form ?? '')}:${form ?? ''}`).join('');
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Kinds that say something about a type. A search by year of a name would be accepted and never find anything. */
export function searchFits(kind: SearchKind, type: SearchedType): boolean {
  if (kind === 'exact' || kind === 'unique') return type !== 'json' && type !== 'bool';
  if (kind === 'year' || kind === 'month') return type === 'date' || type === 'timestamptz';
  if (kind === 'last4') return type === 'text' || type === 'int';
  return type === 'text';
}

function presentOrNull(text: string): string | null {
  return text === '' ? null : text;
}

function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** As trim_scale() of PostgreSQL: `1.50` and `1.5` are the same number. */
function trimScale(value: string): string {
  return value.includes('.') ? value.replace(/\.?0+$/, '') : value;
}

const CODES: Readonly<Record<string, string>> = {
  B: '1',
  F: '1',
  P: '1',
  V: '1',
  C: '2',
  G: '2',
  J: '2',
  K: '2',
  Q: '2',
  S: '2',
  X: '2',
  Z: '2',
  D: '3',
  T: '3',
  L: '4',
  M: '5',
  N: '5',
  R: '6',
};

/**
 * American Soundex as the US National Archives define it (https://www.archives.gov/research/census/soundex): H and W do not
 * separate equal codes, vowels do. Letters outside of A-Z are left out.
 */
function soundex(value: string): string | null {
  const letters = value.replaceAll(/[^A-Za-z]/g, '').toUpperCase();
  const [first] = letters;
  if (first === undefined) return null;
  let code = first;
  let previous = CODES[first] ?? '';
  for (const letter of letters.slice(1)) {
    if (letter === 'H' || letter === 'W') continue;
    const digit = CODES[letter] ?? '';
    if (digit !== '' && digit !== previous) code += digit;
    previous = digit;
    if (code.length === LAST) break;
  }
  return code.padEnd(LAST, '0');
}

/** The version that every field's first index of a kind has; an index that is made anew has the next one, and a key of its own. */
export const FIRST_INDEX_VERSION = 1;

/** Names the key of an index. Each version has its own: what somebody found out about the one before says nothing of it. */
export function indexKeyScope(keyScope: string, version: number): string {
  return version === FIRST_INDEX_VERSION ? keyScope : `${keyScope}.index.${version}`;
}

/** What a blind index is made for: two fields, kinds or versions never give the same number for the same value. */
export function indexLabel(field: string, kind: IndexKind, version: number): string {
  return `${field} ${kind} ${version}`;
}
