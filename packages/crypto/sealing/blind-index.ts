import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { KEY_BYTES } from './key.ts';

const BITS_AT_MOST = 63;

/** Computes blind indexes: a keyed hash of the canonical form of a value, cut short so that one number stands for many values. */
export class IndexKey {
  readonly #key: KeyObject;

  /** @throws TypeError unless it has 32 bytes */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) throw new TypeError(`An index key has ${KEY_BYTES} bytes`);
    this.#key = createSecretKey(bytes);
  }

  /** For what unlocks a database session. */
  get keyObject(): KeyObject {
    return this.#key;
  }

  /**
   * The first `bits` (1 to 63) of HMAC-SHA-256 (RFC 2104) over `label`, a zero byte and the canonical form, as a number of
   * PostgreSQL's bigint. `label` says which field and which kind of search: two indexes must not be comparable.
   */
  index(label: string, canonical: string, bits: number): bigint {
    if (!Number.isInteger(bits) || bits < 1 || bits > BITS_AT_MOST) throw new RangeError(`An index has 1 to ${BITS_AT_MOST} bits`);
    return this.digest(label, canonical).readBigUInt64BE() >> BigInt(64 - bits);
  }

  /** All 32 bytes, for a UNIQUE constraint: equal values are seen to be equal. */
  digest(label: string, canonical: string): Buffer {
    return createHmac('sha256', this.#key).update(label, 'utf8').update('\0').update(canonical, 'utf8').digest();
  }
}
