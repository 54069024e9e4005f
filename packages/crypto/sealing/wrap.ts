import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { SafekeepError } from '@safekeep/core/values';
import { KEY_BYTES } from './key.ts';

// AES-256 key wrap with padding (RFC 5649, NIST SP 800-38F): deterministic and without IV, made for keys and nothing else.
const CIPHER = 'id-aes256-wrap-pad';
/** RFC 5649, section 3: the alternative initial value. */
const INITIAL_VALUE = Buffer.from('a65959a6', 'hex');
/** Of `key`: what Safekeep wraps is a key or a handful of them. */
const WRAPPED_BYTES_AT_MOST = 4_096;

// Many keys at once: the same algorithm (RFC 5649 over RFC 3394, 2.2.1), step by step for all of them, with one call of AES for each
// step. A cipher for each key costs 8 us, and this way half of one.
const BLOCK_CIPHER = 'aes-256-ecb';
const BLOCK_BYTES = 16;
/** What RFC 3394 calls a block is half of one of AES. */
const PART_BYTES = 8;
const PASSES = 6;
/** The number of a step stands in one byte then. */
const MANY_BYTES_AT_MOST = 128;
/** Keys that are worked on at once: what they need in between stays in the cache of a core. */
const AT_ONCE = 4_096;

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

  /**
   * What {@link wrap} makes of each of the keys of `bytesEach` (a multiple of 8, from 16 to 128) that stand one behind the other in
   * `keys`; so do the wrapped ones, each with 8 bytes more.
   */
  wrapMany(keys: Uint8Array, bytesEach: number): Buffer {
    const count = countOf(keys, bytesEach, bytesEach);
    const all = Buffer.allocUnsafe(count * (bytesEach + PART_BYTES));
    for (let at = 0; at < count; at += AT_ONCE) {
      const cipher = createCipheriv(BLOCK_CIPHER, this.#key, null).setAutoPadding(false);
      const wrapped = wrapTogether(keys.subarray(at * bytesEach, (at + AT_ONCE) * bytesEach), bytesEach, (blocks) =>
        cipher.update(blocks),
      );
      all.set(wrapped, at * (bytesEach + PART_BYTES));
    }
    return all;
  }

  /**
   * The way back; whoever asked wipes the answer.
   *
   * @throws `key-unwrap-failed` where a single one does not unwrap; {@link unwrap} tells which.
   */
  unwrapMany(wrapped: Uint8Array, bytesEach: number): Buffer {
    const stride = bytesEach + PART_BYTES;
    const count = countOf(wrapped, stride, bytesEach);
    const all = Buffer.allocUnsafe(count * bytesEach);
    for (let at = 0; at < count; at += AT_ONCE) {
      const cipher = createDecipheriv(BLOCK_CIPHER, this.#key, null).setAutoPadding(false);
      const keys = unwrapTogether(wrapped.subarray(at * stride, (at + AT_ONCE) * stride), bytesEach, (blocks) =>
        cipher.update(blocks),
      );
      if (keys === undefined) {
        all.fill(0);
        throw new SafekeepError('key-unwrap-failed');
      }
      all.set(keys, at * bytesEach);
      keys.fill(0);
    }
    return all;
  }
}

type Aes = (blocks: Uint8Array) => Uint8Array;

function countOf(packed: Uint8Array, stride: number, bytesEach: number): number {
  if (bytesEach % PART_BYTES !== 0 || bytesEach < 2 * PART_BYTES || bytesEach > MANY_BYTES_AT_MOST)
    throw new TypeError(`Keys that are wrapped together have 16 to ${MANY_BYTES_AT_MOST} bytes, whole eights of them`);
  if (packed.length % stride !== 0) throw new TypeError('Keys that are wrapped together are all of one length');
  return packed.length / stride;
}

function wrapTogether(keys: Uint8Array, bytesEach: number, aes: Aes): Uint8Array {
  const stride = bytesEach + PART_BYTES;
  const count = keys.length / bytesEach;
  const wrapped = new Uint8Array(count * stride);
  let blocks: Uint8Array = new Uint8Array(count * BLOCK_BYTES);
  for (let key = 0; key < count; key += 1) {
    blocks.set(INITIAL_VALUE, key * BLOCK_BYTES);
    // The last of the four bytes of the length; the others are 0.
    blocks[key * BLOCK_BYTES + PART_BYTES - 1] = bytesEach;
    wrapped.set(keys.subarray(key * bytesEach, (key + 1) * bytesEach), key * stride + PART_BYTES);
  }
  const parts = bytesEach / PART_BYTES;
  for (let step = 1; step <= PASSES * parts; step += 1) {
    blocks = turn(blocks, wrapped, { part: 1 + ((step - 1) % parts), stride, aes });
    number(blocks, step);
  }
  for (let key = 0; key < count; key += 1)
    wrapped.set(blocks.subarray(key * BLOCK_BYTES, key * BLOCK_BYTES + PART_BYTES), key * stride);
  return wrapped;
}

/** Undefined where the check of one of them is not right. */
function unwrapTogether(wrapped: Uint8Array, bytesEach: number, aes: Aes): Uint8Array | undefined {
  const stride = bytesEach + PART_BYTES;
  const count = wrapped.length / stride;
  const state = Uint8Array.from(wrapped);
  let blocks: Uint8Array = new Uint8Array(count * BLOCK_BYTES);
  for (let key = 0; key < count; key += 1) blocks.set(state.subarray(key * stride, key * stride + PART_BYTES), key * BLOCK_BYTES);
  const parts = bytesEach / PART_BYTES;
  for (let step = PASSES * parts; step >= 1; step -= 1) {
    number(blocks, step);
    blocks = turn(blocks, state, { part: 1 + ((step - 1) % parts), stride, aes });
  }
  const expected = Buffer.alloc(PART_BYTES);
  expected.set(INITIAL_VALUE);
  expected[PART_BYTES - 1] = bytesEach;
  let difference = 0;
  const keys = new Uint8Array(count * bytesEach);
  for (let key = 0; key < count; key += 1) {
    for (let at = 0; at < PART_BYTES; at += 1) difference |= (blocks[key * BLOCK_BYTES + at] ?? 0) ^ (expected[at] ?? 0);
    keys.set(state.subarray(key * stride + PART_BYTES, (key + 1) * stride), key * bytesEach);
  }
  state.fill(0);
  blocks.fill(0);
  if (difference === 0) return keys;
  keys.fill(0);
  return undefined;
}

type Turn = { readonly part: number; readonly stride: number; readonly aes: Aes };

/** AES of (what is carried | this part) of each key; the second half of what comes out is the part from now on. */
function turn(blocks: Uint8Array, state: Uint8Array, { part, stride, aes }: Turn): Uint8Array {
  const [step, first] = [stride / 4, part * 2];
  const words = wordsOf(state);
  const given = wordsOf(blocks);
  for (let at = first, block = 2; at < words.length; at += step, block += 4) {
    given[block] = words[at] ?? 0;
    given[block + 1] = words[at + 1] ?? 0;
  }
  const made = aligned(aes(blocks));
  blocks.fill(0);
  const got = wordsOf(made);
  for (let at = first, block = 2; at < words.length; at += step, block += 4) {
    words[at] = got[block] ?? 0;
    words[at + 1] = got[block + 1] ?? 0;
  }
  return made;
}

/** The number of the step into what is carried. */
function number(blocks: Uint8Array, step: number): void {
  for (let at = PART_BYTES - 1; at < blocks.length; at += BLOCK_BYTES) blocks[at] = (blocks[at] ?? 0) ^ step;
}

/** Only copied as they are, so it does not matter in which order the machine keeps its bytes. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
}
