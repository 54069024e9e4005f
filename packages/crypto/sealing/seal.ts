import { createCipheriv, createDecipheriv } from 'node:crypto';
import { SafekeepError } from '@safekeep/core/values';
import { HEADER_BYTES, IV_BYTES, OVERHEAD_BYTES, parseHeader, TAG_BYTES } from './header.ts';
import type { SealingKey } from './key.ts';
import { FEWEST, openMany, sealMany, SHORT_BYTES } from './many.ts';
import { contextBinder, placeBinder, type Bound, type Place } from './place.ts';
import { fillRandom } from './random.ts';
import { decodeTyped, encodeTyped, type TypedValue } from './typed-value.ts';

// AES-256-GCM (NIST SP 800-38D) with random 96-bit IVs. packages/crypto/SPEC.md describes every byte.

const CIPHER = 'aes-256-gcm';
const BODY_AT = HEADER_BYTES + IV_BYTES;
/** GCM itself ends at 64 GiB, a bytea of PostgreSQL at 1 GB. */
const PLAINTEXT_BYTES_AT_MOST = 2 ** 30 - 64;

// The ciphers copy both before they return; nothing else happens in between.
const iv = Buffer.alloc(IV_BYTES);
const tag = Buffer.alloc(TAG_BYTES);

/** Seals values of one place, or opens them: what depends on the place alone is made once. */
export type Sealer = {
  /** @throws `key-spent` once the key has sealed 2^31 values; `value-unfit` */
  readonly seal: (key: SealingKey, value: TypedValue) => Buffer;
  /** @throws what {@link openValue} throws */
  readonly open: (key: SealingKey, sealed: Uint8Array) => TypedValue;
  /** The same for many under one key, in their order, several times as quick where they are short. */
  readonly sealAll: (key: SealingKey, values: readonly TypedValue[]) => readonly Buffer[];
  readonly openAll: (key: SealingKey, sealed: readonly Uint8Array[]) => readonly TypedValue[];
};

export function sealerFor(place: Place): Sealer {
  const bind = placeBinder(place);
  return {
    seal: (key, value) => sealWith(bind(key), encodeTyped(value)),
    open: (key, sealed) => decodeTyped(openWith(bind(key), sealed)),
    sealAll: (key, values) => sealAllWith(bind(key), values.map(encodeTyped)),
    openAll: (key, sealed) => openAllWith(bind(key), sealed),
  };
}

/** Seals one value for its place. */
export function sealValue(key: SealingKey, place: Place, value: TypedValue): Buffer {
  return sealerFor(place).seal(key, value);
}

/**
 * Opens one value at its place. `suspects` are other places that it may have been moved from; they are tried only after it did
 * not open, to tell a moved value from a changed one.
 *
 * @throws `sealed-malformed` it has not the form · `sealed-unknown-format` a newer version or flag · `sealed-wrong-key` another
 * key's id is in its header · `sealed-foreign-place` it was sealed for another place · `sealed-tampered` it was changed, or moved
 * from a place that is not among the suspects, or the key is not the one of its id
 */
export function openValue(key: SealingKey, place: Place, sealed: Uint8Array, suspects: readonly Place[] = []): TypedValue {
  try {
    return sealerFor(place).open(key, sealed);
  } catch (error) {
    if (!(error instanceof SafekeepError && error.code === 'sealed-tampered')) throw error;
    if (!suspects.some((suspect) => opensAt(key, suspect, sealed))) throw error;
    throw new SafekeepError('sealed-foreign-place', {}, { cause: error });
  }
}

/** Seals bytes that are no value of a field; `context` says what they are and where they belong, and is needed to open them. */
export function sealBytes(key: SealingKey, context: Uint8Array, plaintext: Uint8Array): Buffer {
  return sealWith(contextBinder(context)(key), plaintext);
}

/** @throws what {@link openValue} throws */
export function openBytes(key: SealingKey, context: Uint8Array, sealed: Uint8Array): Buffer {
  return openWith(contextBinder(context)(key), sealed);
}

function sealWith({ key, header, data }: Bound, plaintext: Uint8Array): Buffer {
  if (key.budget === 'spent') throw new SafekeepError('key-spent', { key: key.id });
  if (plaintext.length > PLAINTEXT_BYTES_AT_MOST) throw new SafekeepError('value-unfit', { type: 'sealed value (over 1 GB)' });
  const sealed = Buffer.allocUnsafe(BODY_AT + plaintext.length + TAG_BYTES);
  header.copy(sealed);
  fillRandom(iv);
  iv.copy(sealed, HEADER_BYTES);
  const cipher = createCipheriv(CIPHER, key.keyObject, iv);
  cipher.setAAD(data);
  sealed.set(cipher.update(plaintext), BODY_AT);
  cipher.final();
  sealed.set(cipher.getAuthTag(), BODY_AT + plaintext.length);
  key.countSeal();
  return sealed;
}

function sealAllWith(bound: Bound, plaintexts: readonly Buffer[]): readonly Buffer[] {
  const { key } = bound;
  const short = plaintexts.filter(({ length }) => length <= SHORT_BYTES);
  if (short.length < FEWEST) return plaintexts.map((plaintext) => sealWith(bound, plaintext));
  for (let count = 0; count < short.length; count += 1) {
    if (key.budget === 'spent') throw new SafekeepError('key-spent', { key: key.id });
    key.countSeal();
  }
  const sealed = sealMany(bound, short);
  // The runtime's own cipher has the last word: a fault of ours must not seal what nobody else opens.
  const [first = Buffer.alloc(0)] = sealed;
  if (!openWith(bound, first).equals(short[0] ?? first)) throw new Error('A batch was sealed wrongly');
  const next = sealed.values();
  return plaintexts.map(
    (plaintext) => (plaintext.length <= SHORT_BYTES ? next.next().value : undefined) ?? sealWith(bound, plaintext),
  );
}

function openAllWith(bound: Bound, sealed: readonly Uint8Array[]): readonly TypedValue[] {
  const { key, header } = bound;
  const isShort = ({ length }: Uint8Array): boolean => length <= BODY_AT + SHORT_BYTES + TAG_BYTES;
  const short = sealed.filter(isShort);
  if (short.length < FEWEST) return sealed.map((bytes) => decodeTyped(openWith(bound, bytes)));
  for (const bytes of short) if (!beginsWith(bytes, header) || bytes.length < OVERHEAD_BYTES - 1) refuse(bytes, key);
  const next = openMany(bound, short).values();
  // What does not open is the runtime's to refuse.
  return sealed.map((bytes) => decodeTyped((isShort(bytes) ? next.next().value : undefined) ?? openWith(bound, bytes)));
}

function openWith({ key, header, data }: Bound, sealed: Uint8Array): Buffer {
  if (!beginsWith(sealed, header) || sealed.length < OVERHEAD_BYTES - 1) refuse(sealed, key);
  const tagAt = sealed.length - TAG_BYTES;
  take(sealed, HEADER_BYTES, iv);
  take(sealed, tagAt, tag);
  const decipher = createDecipheriv(CIPHER, key.keyObject, iv);
  decipher.setAAD(data);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(sealed.subarray(BODY_AT, tagAt));
  try {
    decipher.final();
  } catch (cause) {
    throw new SafekeepError('sealed-tampered', {}, { cause });
  }
  return plaintext;
}

/** For what is this short, byte by byte is faster than a view. */
function take(from: Uint8Array, at: number, into: Buffer): void {
  for (let place = 0; place < into.length; place += 1) into[place] = from[at + place] ?? 0;
}

function beginsWith(sealed: Uint8Array, header: Buffer): boolean {
  for (let at = 0; at < HEADER_BYTES; at += 1) if (sealed[at] !== header[at]) return false;
  return true;
}

/** Why a value that does not begin as those of this key and place do is not even tried. */
function refuse(sealed: Uint8Array, key: SealingKey): never {
  const { keyId } = parseHeader(sealed);
  if (keyId !== key.id) throw new SafekeepError('sealed-wrong-key', { needed: keyId, given: key.id });
  // The flags are authenticated, but bound data of another shape must not even be tried.
  throw new SafekeepError('sealed-foreign-place');
}

function opensAt(key: SealingKey, place: Place, sealed: Uint8Array): boolean {
  try {
    sealerFor(place).open(key, sealed);
    return true;
  } catch (error) {
    if (error instanceof SafekeepError) return false;
    throw error;
  }
}
