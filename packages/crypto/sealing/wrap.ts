import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { SafekeepError } from '@safekeep/core';
import { KEY_BYTES } from './key.ts';

// AES-256 key wrap with padding (RFC 5649, NIST SP 800-38F): deterministic and without IV, made for keys and nothing else.
const CIPHER = 'id-aes256-wrap-pad';
/** RFC 5649, section 3: the alternative initial value. */
const INITIAL_VALUE = Buffer.from('a65959a6', 'hex');
/** Of `key`: what Safekeep wraps is a key or a handful of them. */
const WRAPPED_BYTES_AT_MOST = 4_096;

/** A key that wraps keys. */
export class WrappingKey {
  readonly #key: KeyObject;

  /** @throws TypeError unless it has 32 bytes */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) throw new TypeError(`A wrapping key has ${KEY_BYTES} bytes`);
    this.#key = createSecretKey(bytes);
  }

  wrap(key: Uint8Array): Buffer {
    if (key.length === 0 || key.length > WRAPPED_BYTES_AT_MOST)
      throw new TypeError(`A key to wrap has 1 to ${WRAPPED_BYTES_AT_MOST} bytes`);
    const cipher = createCipheriv(CIPHER, this.#key, INITIAL_VALUE);
    return Buffer.concat([cipher.update(key), cipher.final()]);
  }

  /** @throws `key-unwrap-failed`: another key wrapped it, or it was changed. */
  unwrap(wrapped: Uint8Array): Buffer {
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, INITIAL_VALUE);
      return Buffer.concat([decipher.update(wrapped), decipher.final()]);
    } catch (cause) {
      throw new SafekeepError('key-unwrap-failed', {}, { cause });
    }
  }
}
