import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';

export const KEY_BYTES = 32;
export const KEY_ID_BYTES = 8;

/**
 * NIST SP 800-38D, 8.3: a key seals at most 2^32 values with random IVs. We warn at a quarter and rotate at half of that; beyond
 * the half nothing is sealed any more.
 */
export const SEALS_TO_WARN_AT = 2 ** 30;
export const SEALS_AT_MOST = 2 ** 31;

const hidden = '[sealing key]';

/** An AES-256 key that seals and opens values. It prints as its id and never as itself. */
export class SealingKey {
  /** Eight bytes in hex: what stands in the header of all that it sealed. */
  readonly id: string;
  readonly #key: KeyObject;
  readonly #idBytes: Buffer;
  #seals: number;

  /**
   * @param bytes 32 random bytes; they are copied, and the caller may wipe its own.
   * @param seals how many values it has sealed before, as far as that was counted.
   * @throws TypeError on another length, or an id that is not 16 hex digits.
   */
  constructor(id: string, bytes: Uint8Array, seals = 0) {
    if (bytes.length !== KEY_BYTES) throw new TypeError(`A sealing key has ${KEY_BYTES} bytes`);
    if (!/^[0-9a-f]{16}$/.test(id)) throw new TypeError('The id of a sealing key is 16 hex digits');
    this.id = id;
    this.#idBytes = Buffer.from(id, 'hex');
    this.#key = createSecretKey(bytes);
    this.#seals = seals;
  }

  /** For the ciphers of this package. */
  get keyObject(): KeyObject {
    return this.#key;
  }

  /** Not to be written to. */
  get idBytes(): Buffer {
    return this.#idBytes;
  }

  /** Values sealed so far, for the count that is written down in batches. */
  get seals(): number {
    return this.#seals;
  }

  /** 'rotate-soon' from 2^30 seals on; at 2^31 the key seals nothing more. */
  get budget(): 'plenty' | 'rotate-soon' | 'spent' {
    if (this.#seals >= SEALS_AT_MOST) return 'spent';
    return this.#seals >= SEALS_TO_WARN_AT ? 'rotate-soon' : 'plenty';
  }

  countSeal(): void {
    this.#seals += 1;
  }

  toString(): string {
    return `${hidden} ${this.id}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** A new key with a random id. Random and never derived: a derived key cannot be destroyed. */
export function createSealingKey(): { readonly id: string; readonly bytes: Buffer } {
  return { id: randomBytes(KEY_ID_BYTES).toString('hex'), bytes: randomBytes(KEY_BYTES) };
}
