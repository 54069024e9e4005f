import { createHash } from 'node:crypto';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { KEY_BYTES, type WrappingKey } from '@safekeep/crypto';
import type { KeyPlace } from '../model.ts';

// Key wrap (RFC 5649) authenticates the key and nothing beside it. So the first 8 bytes of a hash of where it belongs are wrapped
// with it: a key that was put in the place of another does not open, and 8 bytes are as good as the wrap's own check.
const PLACE_BYTES = 8;

export function wrapKey(kek: WrappingKey, place: KeyPlace, key: Uint8Array): Buffer {
  return kek.wrap(Buffer.concat([key, placeHash(place)]));
}

/** 32 bytes; whoever asked wipes them. Throws `key-swapped`. */
export function unwrapKey(kek: WrappingKey, place: KeyPlace, wrapped: Uint8Array): Buffer {
  let bytes: Buffer;
  try {
    bytes = kek.unwrap(wrapped);
  } catch (cause) {
    if (isSafekeepError(cause, 'key-unwrap-failed')) throw swapped(place, cause);
    throw cause;
  }
  if (bytes.length !== KEY_BYTES + PLACE_BYTES || !bytes.subarray(KEY_BYTES).equals(placeHash(place))) throw swapped(place);
  return bytes.subarray(0, KEY_BYTES);
}

function placeHash({ tenant, keyId, purpose, scope, mark, fate, version }: KeyPlace): Buffer {
  return createHash('sha256')
    .update(`safekeep/1 key ${JSON.stringify([tenant, purpose, scope, fate, version])} `)
    .update(keyId)
    .update(mark ?? '')
    .digest()
    .subarray(0, PLACE_BYTES);
}

function swapped({ keyId }: KeyPlace, cause?: unknown): SafekeepError {
  return new SafekeepError('key-swapped', { key: keyId.toString('hex') }, { cause });
}
