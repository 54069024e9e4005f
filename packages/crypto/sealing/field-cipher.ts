import {
  canonicalForm,
  indexKeyScope,
  indexLabel,
  isTrack,
  SafekeepError,
  type DisplayKind,
  type IndexKind,
  type SearchedType,
  type SearchKind,
} from '@safekeep/core/values';
import type { IndexKey } from './blind-index.ts';
import { HEADER_BYTES, parseHeader } from './header.ts';
import type { SealingKey } from './key.ts';
import { sealerFor } from './seal.ts';
import { decodeTyped, encodeTyped, type TypedValue } from './typed-value.ts';
import { indexKeyId, unlockBundle, type UnlockedKey } from './unlock-bundle.ts';

/** Where the keys of fields come from. Whoever implements it keeps what it answers for a minute at most. */
export type DataKeys = {
  /** It keeps what it answers in memory for a minute at most by itself: whoever asks keeps nothing on top of that. */
  readonly isLeased?: true;
  /** The key that values of a scope are sealed under now. */
  readonly current: (tenant: string, scope: string) => Promise<SealingKey>;
  /** By the ids of headers, in hex. @throws `erased` for one that was destroyed, `key-unknown` for one that is not there. */
  readonly byId: (tenant: string, ids: readonly string[]) => Promise<ReadonlyMap<string, SealingKey>>;
  /** What blind indexes of a scope are made with. It opens nothing. */
  readonly index: (tenant: string, scope: string) => Promise<IndexKey>;
};

/** What values of a field are bound to, and what is inside of them. */
export type FieldPlace = {
  readonly id: string;
  readonly tenant: string;
  readonly keyScope: string;
  readonly valueType: SearchedType;
};

/** Texts are what PostgreSQL prints under DateStyle ISO, TimeZone UTC and bytea_output hex. */
export async function sealTexts(keys: DataKeys, field: FieldPlace, texts: readonly string[]): Promise<readonly Buffer[]> {
  if (texts.length === 0) return [];
  const key = await keys.current(field.tenant, field.keyScope);
  const sealer = sealerFor({ tenant: field.tenant, field: field.id });
  // PCI DSS 3.3.1: whatever the column is said to hold.
  if (texts.some(isTrack))
    throw new SafekeepError('field-value-refused', { field: field.keyScope, reason: 'it is the content of a magnetic stripe' });
  return sealer.sealAll(
    key,
    texts.map((text) => typedOf(field.valueType, text)),
  );
}

export async function openTexts(keys: DataKeys, field: FieldPlace, sealed: readonly Uint8Array[]): Promise<readonly string[]> {
  if (sealed.length === 0) return [];
  const byKey = keyIds(sealed);
  const found = await keys.byId(field.tenant, [...byKey.keys()]);
  const sealer = sealerFor({ tenant: field.tenant, field: field.id });
  const texts = Array.from({ length: sealed.length }, () => '');
  for (const [id, places] of byKey) {
    const key = found.get(id);
    if (key === undefined) throw new SafekeepError('sealed-wrong-key', { needed: id, given: 'none' });
    const values = places.flatMap((place) => sealed[place] ?? []);
    for (const [nth, value] of sealer.openAll(key, values).entries()) texts[places[nth] ?? 0] = textOf(value);
  }
  return texts;
}

/** For each key that a header names the places of its values. A header that is the one before again need not be read. */
function keyIds(sealed: readonly Uint8Array[]): ReadonlyMap<string, number[]> {
  const byKey = new Map<string, number[]>();
  let before: { readonly header: Uint8Array; readonly places: number[] } | undefined;
  for (const [place, bytes] of sealed.entries()) {
    if (before === undefined || !before.header.every((byte, at) => byte === bytes[at])) {
      const { keyId } = parseHeader(bytes);
      const places = byKey.get(keyId) ?? [];
      byKey.set(keyId, places);
      before = { header: bytes.subarray(0, HEADER_BYTES), places };
    }
    before.places.push(place);
  }
  return byKey;
}

/** What the index of a value is that has nothing to be found by: it is indexed, and no search gives this number. */
export const FOUND_BY_NOTHING = '-1';

/**
 * One blind index value for each search form, as PostgreSQL takes it: an int8, the whole hash as bytea for `unique`, and what of a card
 * number may be shown as it is ('' of what is none).
 */
export async function indexForms(
  keys: DataKeys,
  field: FieldPlace,
  index: { readonly kind: IndexKind; readonly version: number; readonly bits: number },
  forms: readonly (string | null)[],
): Promise<readonly string[]> {
  if (index.kind === 'card_bin' || index.kind === 'card_last4') return forms.map((form) => form ?? '');
  const key = await keys.index(field.tenant, indexKeyScope(field.keyScope, index.version));
  const label = indexLabel(field.id, index.kind, index.version);
  const valueOf = (form: string): string =>
    index.kind === 'unique' ? `\\x${key.digest(label, form).toString('hex')}` : key.index(label, form, index.bits).toString();
  return forms.map((form) => (form === null ? FOUND_BY_NOTHING : valueOf(form)));
}

/** The same from the values themselves. */
export async function indexTexts(
  keys: DataKeys,
  field: FieldPlace,
  index: { readonly kind: SearchKind | DisplayKind; readonly version: number; readonly bits: number },
  texts: readonly string[],
): Promise<readonly string[]> {
  return await indexForms(
    keys,
    field,
    index,
    texts.map((text) => canonicalForm(index.kind, text, field.valueType)),
  );
}

function typedOf(type: SearchedType, text: string): TypedValue {
  switch (type) {
    case 'int':
      if (!/^-?\d+$/.test(text)) throw new SafekeepError('value-unfit', { type });
      return { type: 'int', value: BigInt(text) };
    case 'bool':
      if (text !== 'true' && text !== 'false') throw new SafekeepError('value-unfit', { type });
      return { type: 'bool', value: text === 'true' };
    case 'bytea':
      if (!/^\\x([0-9a-f]{2})*$/.test(text)) throw new SafekeepError('value-unfit', { type });
      return { type, value: Buffer.from(text.slice(2), 'hex') };
    default:
      return { type, value: text };
  }
}

function textOf(typed: TypedValue): string {
  switch (typed.type) {
    case 'int':
    case 'bool':
      return String(typed.value);
    case 'bytea':
      return `\\x${Buffer.from(typed.value).toString('hex')}`;
    default:
      return typed.value;
  }
}

/**
 * The text that PostgreSQL would print for a value that a client wrote: `2026-01-01T00:00:00Z` -> `2026-01-01 00:00:00+00`. An instant
 * with so many digits behind the second: timestamptz(0) rounds them away.
 */
export function canonicalText(type: SearchedType, text: string, secondDigits = 6): string {
  const bytes = encodeTyped(typedOf(type, text));
  if (type === 'timestamptz' && !text.endsWith('infinity'))
    bytes.writeBigInt64BE(roundedTo(bytes.readBigInt64BE(1), 10n ** BigInt(6 - secondDigits)), 1);
  return textOf(decodeTyped(bytes));
}

/** Half away from 2000-01-01, as AdjustTimestampForTypmod of PostgreSQL's src/backend/utils/adt/timestamp.c. */
function roundedTo(microseconds: bigint, unit: bigint): bigint {
  const half = microseconds < 0n ? -(unit / 2n) : unit / 2n;
  return ((microseconds + half) / unit) * unit;
}

/**
 * What `safekeep.unlock` takes to seal, open and index values of these fields: the keys themselves, to be given as a bound
 * parameter and kept nowhere. `earlier`: ids of keys that values may still be under; `indexVersions`: of its indexes.
 */
export async function unlockFields(
  keys: DataKeys,
  fields: readonly (FieldPlace & { readonly earlier: readonly string[]; readonly indexVersions: readonly number[] })[],
): Promise<Buffer> {
  const entries: UnlockedKey[] = [];
  for (const { id: field, tenant, keyScope, earlier, indexVersions } of fields) {
    const current = await keys.current(tenant, keyScope);
    entries.push({ use: 'seal', id: current.id, bytes: current.keyObject.export(), field, tenant });
    const others = earlier.filter((id) => id !== current.id);
    for (const [id, key] of others.length === 0 ? [] : await keys.byId(tenant, others))
      entries.push({ use: 'open', id, bytes: key.keyObject.export(), field, tenant });
    for (const version of indexVersions) {
      const index = await keys.index(tenant, indexKeyScope(keyScope, version));
      entries.push({ use: 'index', id: indexKeyId(version), bytes: index.keyObject.export(), field, tenant });
    }
  }
  return unlockBundle(entries);
}
