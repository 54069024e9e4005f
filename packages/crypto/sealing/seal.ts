import { createCipheriv, createDecipheriv } from 'node:crypto';
import { SafekeepError } from '@safekeep/core';
import { FLAG_BYTES, HEADER_BYTES, IV_BYTES, parseHeader, TAG_BYTES, writeHeader } from './header.ts';
import type { SealingKey } from './key.ts';
import { contextBinder, flagsOf, placeBinder, type Place } from './place.ts';
import { fillRandom } from './random.ts';
import { decodeTyped, encodeTyped, type TypedValue } from './typed-value.ts';

// AES-256-GCM (NIST SP 800-38D) with random 96-bit IVs. packages/crypto/SPEC.md describes every byte.

const CIPHER = 'aes-256-gcm';
const BODY_AT = HEADER_BYTES + IV_BYTES;
/** GCM itself ends at 64 GiB, a bytea of PostgreSQL at 1 GB. */
const PLAINTEXT_BYTES_AT_MOST = 2 ** 30 - 64;

type Binder = (sealed: Uint8Array) => Buffer;

/** Seals values of one place, or opens them: what depends on the place alone is made once. */
export type Sealer = {
  /** @throws `key-spent` once the key has sealed 2^31 values; `value-unfit` */
  readonly seal: (key: SealingKey, value: TypedValue) => Buffer;
  /** @throws what {@link openValue} throws */
  readonly open: (key: SealingKey, sealed: Uint8Array) => TypedValue;
};

export function sealerFor(place: Place): Sealer {
  const bind = placeBinder(place);
  const flags = flagsOf(place);
  return {
    seal: (key, value) => sealWith(key, bind, { flags, plaintext: encodeTyped(value) }),
    open: (key, sealed) => decodeTyped(openWith(key, bind, { flags, sealed })),
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
  return sealWith(key, contextBinder(context), { flags: FLAG_BYTES, plaintext });
}

/** @throws what {@link openValue} throws */
export function openBytes(key: SealingKey, context: Uint8Array, sealed: Uint8Array): Buffer {
  return openWith(key, contextBinder(context), { flags: FLAG_BYTES, sealed });
}

function sealWith(
  key: SealingKey,
  bind: Binder,
  { flags, plaintext }: { readonly flags: number; readonly plaintext: Uint8Array },
): Buffer {
  if (key.budget === 'spent') throw new SafekeepError('key-spent', { key: key.id });
  if (plaintext.length > PLAINTEXT_BYTES_AT_MOST) throw new SafekeepError('value-unfit', { type: 'sealed value (over 1 GB)' });
  const sealed = Buffer.allocUnsafe(BODY_AT + plaintext.length + TAG_BYTES);
  writeHeader(sealed, flags, key.idBytes);
  fillRandom(sealed, HEADER_BYTES, IV_BYTES);
  const cipher = createCipheriv(CIPHER, key.keyObject, sealed.subarray(HEADER_BYTES, BODY_AT));
  cipher.setAAD(bind(sealed));
  sealed.set(cipher.update(plaintext), BODY_AT);
  cipher.final();
  sealed.set(cipher.getAuthTag(), BODY_AT + plaintext.length);
  key.countSeal();
  return sealed;
}

function openWith(
  key: SealingKey,
  bind: Binder,
  { flags, sealed }: { readonly flags: number; readonly sealed: Uint8Array },
): Buffer {
  const header = parseHeader(sealed);
  if (header.keyId !== key.id) throw new SafekeepError('sealed-wrong-key', { needed: header.keyId, given: key.id });
  // The header is authenticated, but bound data of another shape must not even be tried.
  if (header.flags !== flags) throw new SafekeepError('sealed-foreign-place');
  const decipher = createDecipheriv(CIPHER, key.keyObject, sealed.subarray(HEADER_BYTES, BODY_AT));
  decipher.setAAD(bind(sealed));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(BODY_AT, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    throw new SafekeepError('sealed-tampered', {}, { cause });
  }
  return plaintext;
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
