import { hash } from 'node:crypto';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { KEY_BYTES, type WrappingKey } from '@safekeep/crypto';
import type { KeyPlace } from '../model.ts';

// Key wrap (RFC 5649) authenticates the key and nothing beside it. So the first 8 bytes of a hash of where it belongs are wrapped
// with it: a key that was put in the place of another does not open, and 8 bytes are as good as the wrap's own check.
const PLACE_BYTES = 8;
/** What is wrapped: the key and the hash of its place. */
const CONTENT_BYTES = KEY_BYTES + PLACE_BYTES;
export const WRAPPED_BYTES = CONTENT_BYTES + 8;
/** Fewer are faster one by one. */
const MANY = 4;

export type WrappedKey = Omit<KeyPlace, 'tenant'> & { readonly wrapped: Uint8Array };

export function wrapKey(kek: WrappingKey, place: KeyPlace, key: Uint8Array): Buffer {
  return kek.wrap(Buffer.concat([key, placeHasher(place.tenant)(place)]));
}

/** 32 bytes; whoever asked wipes them. Throws `key-swapped`. */
export function unwrapKey(kek: WrappingKey, place: KeyPlace, wrapped: Uint8Array): Buffer {
  return unwrapKeys(kek, place.tenant, [{ ...place, wrapped }]);
}

/** `keys` holds 32 bytes for each of these places; what comes back, {@link WRAPPED_BYTES}. */
export function wrapKeys(kek: WrappingKey, tenant: string, places: readonly Omit<KeyPlace, 'tenant'>[], keys: Buffer): Buffer {
  const hashOf = placeHasher(tenant);
  const content = Buffer.allocUnsafe(places.length * CONTENT_BYTES);
  places.forEach((place, number) => {
    keys.copy(content, number * CONTENT_BYTES, number * KEY_BYTES, (number + 1) * KEY_BYTES);
    content.set(hashOf(place), number * CONTENT_BYTES + KEY_BYTES);
  });
  const wrapped = kek.wrapMany(content, CONTENT_BYTES);
  content.fill(0);
  return wrapped;
}

/** 32 bytes each, one behind the other; whoever asked wipes them. Throws `key-swapped`. */
export function unwrapKeys(kek: WrappingKey, tenant: string, stored: readonly WrappedKey[]): Buffer {
  const content = openContent(kek, tenant, stored);
  const keys = Buffer.allocUnsafe(stored.length * KEY_BYTES);
  for (let number = 0; number < stored.length; number += 1)
    content.copy(keys, number * KEY_BYTES, number * CONTENT_BYTES, number * CONTENT_BYTES + KEY_BYTES);
  content.fill(0);
  return keys;
}

/** The same keys for the same places under another key, {@link WRAPPED_BYTES} each. Throws `key-swapped`. */
export function rewrapKeys(
  { old, next }: { readonly old: WrappingKey; readonly next: WrappingKey },
  tenant: string,
  stored: readonly WrappedKey[],
): Buffer {
  const content = openContent(old, tenant, stored);
  const wrapped = next.wrapMany(content, CONTENT_BYTES);
  content.fill(0);
  return wrapped;
}

/** Opens every one of them and keeps none. Throws `key-swapped`. */
export function tryKeysWith(kek: WrappingKey, tenant: string, stored: readonly WrappedKey[]): void {
  openContent(kek, tenant, stored).fill(0);
}

/** Key and hash of the place of each, the hash being right. */
function openContent(kek: WrappingKey, tenant: string, stored: readonly WrappedKey[]): Buffer {
  const content = unwrapAll(kek, stored);
  const hashOf = placeHasher(tenant);
  stored.forEach((each, number) => {
    const at = number * CONTENT_BYTES + KEY_BYTES;
    if (content.subarray(at, at + PLACE_BYTES).equals(hashOf(each))) return;
    content.fill(0);
    throw swapped(each);
  });
  return content;
}

function unwrapAll(kek: WrappingKey, stored: readonly WrappedKey[]): Buffer {
  if (stored.length >= MANY && stored.every(({ wrapped }) => wrapped.length === WRAPPED_BYTES)) {
    try {
      return kek.unwrapMany(Buffer.concat(stored.map(({ wrapped }) => wrapped)), CONTENT_BYTES);
    } catch (error) {
      if (!isSafekeepError(error, 'key-unwrap-failed')) throw error;
      // Which of them it is, is told one by one.
    }
  }
  const content = Buffer.alloc(stored.length * CONTENT_BYTES);
  stored.forEach((each, number) => {
    const bytes = unwrapOne(kek, each);
    content.set(bytes, number * CONTENT_BYTES);
    bytes.fill(0);
  });
  return content;
}

function unwrapOne(kek: WrappingKey, stored: WrappedKey): Buffer {
  let bytes: Buffer;
  try {
    bytes = kek.unwrap(stored.wrapped);
  } catch (cause) {
    if (isSafekeepError(cause, 'key-unwrap-failed')) throw swapped(stored, cause);
    throw cause;
  }
  if (bytes.length !== CONTENT_BYTES) throw swapped(stored);
  return bytes;
}

/** For many places: those of one kind share all but the id and the owner. */
function placeHasher(tenant: string): (place: Omit<KeyPlace, 'tenant'>) => Uint8Array {
  let like: Omit<KeyPlace, 'tenant'> | undefined;
  let front = Buffer.alloc(0);
  return (place) => {
    const { keyId, purpose, scope, mark, fate, version } = place;
    if (like?.purpose !== purpose || like.scope !== scope || like.fate !== fate || like.version !== version) {
      like = place;
      front = Buffer.from(`safekeep/1 key ${JSON.stringify([tenant, purpose, scope, fate, version])} `);
    }
    return hash('sha256', Buffer.concat(mark === null ? [front, keyId] : [front, keyId, mark]), 'buffer').subarray(0, PLACE_BYTES);
  };
}

function swapped({ keyId }: Pick<KeyPlace, 'keyId'>, cause?: unknown): SafekeepError {
  return new SafekeepError('key-swapped', { key: keyId.toString('hex') }, { cause });
}
