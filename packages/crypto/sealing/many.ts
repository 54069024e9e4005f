import { createCipheriv, randomFillSync, type KeyObject } from 'node:crypto';
import { absorb, absorbWords, hashKey, type HashKey, type HashState } from './ghash.ts';
import { HEADER_BYTES, IV_BYTES, TAG_BYTES } from './header.ts';
import type { Bound } from './place.ts';

/**
 * AES-256-GCM for many short messages under one key and one authenticated text: the runtime's own cipher is made and thrown away
 * for each message, which takes several times as long as the work. AES stays the runtime's: all counter blocks of a batch are
 * encrypted by one call. GHASH is ours (ghash.ts), and slower by the byte: longer messages are the runtime's.
 */
export const SHORT_BYTES = 128;
/** From as many on a batch is quicker than each by itself. */
export const FEWEST = 4;
/** So many at once: their blocks stay in the processor's cache. */
const MOST = 1_000;

const BLOCK_BYTES = 16;

const BODY_AT = HEADER_BYTES + IV_BYTES;

/** The sealed form of each plaintext of {@link SHORT_BYTES} at most. The caller counts them. */
export function sealMany({ key, header, data }: Bound, plaintexts: readonly Uint8Array[]): readonly Buffer[] {
  const made: Buffer[] = [];
  for (let from = 0; from < plaintexts.length; from += MOST) {
    const some = plaintexts.slice(from, from + MOST);
    const ivs = randomFillSync(Buffer.allocUnsafe(IV_BYTES * some.length));
    const batch = some.map((plaintext, place) => {
      const sealed = Buffer.allocUnsafe(BODY_AT + plaintext.length + TAG_BYTES);
      sealed.set(header);
      ivs.copy(sealed, HEADER_BYTES, place * IV_BYTES, (place + 1) * IV_BYTES);
      return sealed;
    });
    const work = new Batch(key.keyObject, data, batch);
    for (const [place, sealed] of batch.entries()) {
      const { length } = some[place] ?? sealed;
      const at = work.mix(place, { bytes: some[place] ?? sealed, from: 0, length });
      work.blocks.copy(sealed, BODY_AT, at, at + length);
      sealed.set(work.tag(place, { view: work.view, at, bytes: length }), BODY_AT + length);
      made.push(sealed);
    }
  }
  return made;
}

/** The plaintext of each, whose form and header are those of `bound`; undefined where the tag is not right. */
export function openMany({ key, data }: Bound, sealed: readonly Uint8Array[]): readonly (Buffer | undefined)[] {
  const padded = Buffer.alloc(SHORT_BYTES);
  const view = new DataView(padded.buffer, padded.byteOffset, SHORT_BYTES);
  const opened: (Buffer | undefined)[] = [];
  for (let from = 0; from < sealed.length; from += MOST) {
    const some = sealed.slice(from, from + MOST);
    const work = new Batch(key.keyObject, data, some);
    for (const [place, bytes] of some.entries()) {
      const length = bytes.length - BODY_AT - TAG_BYTES;
      for (let byte = 0; byte < length; byte += 1) padded[byte] = bytes[BODY_AT + byte] ?? 0;
      padded.fill(0, length);
      const isWhole = endsWith(bytes, work.tag(place, { view, at: 0, bytes: length }));
      // Nothing is decrypted that is not whole.
      const at = isWhole ? work.mix(place, { bytes, from: BODY_AT, length }) : 0;
      opened.push(isWhole ? Buffer.copyBytesFrom(work.blocks, at, length) : undefined);
    }
  }
  return opened;
}

/** The keystream of some sealed values, and the hash under their key. */
class Batch {
  /** The hash key, then for each value the block that its tag is masked with and those that its body is mixed with. */
  readonly blocks: Buffer;
  readonly view: DataView;
  readonly #starts: readonly number[];
  readonly #key: HashKey;
  readonly #bound: HashState;
  readonly #boundBits: number;
  readonly #state: HashState = new Int32Array(4);
  readonly #tag = Buffer.alloc(TAG_BYTES);
  readonly #tagView = new DataView(this.#tag.buffer, this.#tag.byteOffset, TAG_BYTES);

  constructor(key: KeyObject, bound: Uint8Array, sealed: readonly Uint8Array[]) {
    const starts: number[] = [];
    let at = BLOCK_BYTES;
    for (const { length } of sealed) {
      starts.push(at);
      at += BLOCK_BYTES * (1 + blocksOf(length - BODY_AT - TAG_BYTES));
    }
    this.#starts = starts;
    const counters = Buffer.alloc(at);
    for (const [place, bytes] of sealed.entries())
      writeCounters(counters, bytes, { from: starts[place] ?? at, to: starts[place + 1] ?? at });
    const aes = createCipheriv('aes-256-ecb', key, null);
    aes.setAutoPadding(false);
    this.blocks = aes.update(counters);
    this.view = new DataView(this.blocks.buffer, this.blocks.byteOffset, this.blocks.length);
    this.#key = hashKey(this.view);
    this.#bound = hashOf(this.#key, bound);
    this.#boundBits = bound.length * 8;
  }

  /** Bytes and keystream together, in the place of the latter and filled up with zeros; answers where. */
  mix(
    place: number,
    { bytes, from, length }: { readonly bytes: Uint8Array; readonly from: number; readonly length: number },
  ): number {
    const { blocks } = this;
    const at = (this.#starts[place] ?? 0) + BLOCK_BYTES;
    for (let byte = 0; byte < length; byte += 1) blocks[at + byte] = (blocks[at + byte] ?? 0) ^ (bytes[from + byte] ?? 0);
    const end = at + BLOCK_BYTES * blocksOf(length);
    for (let byte = at + length; byte < end; byte += 1) blocks[byte] = 0;
    return at;
  }

  /** Of the ciphertext of this value, which stands in `view`, filled up with zeros. Good until the next is asked for. */
  tag(place: number, { view, at, bytes }: { readonly view: DataView; readonly at: number; readonly bytes: number }): Uint8Array {
    const mask = this.#starts[place] ?? 0;
    this.#state.set(this.#bound);
    absorb(this.#state, this.#key, { view, at, blocks: blocksOf(bytes) });
    absorbWords(this.#state, this.#key, [0, this.#boundBits, 0, bytes * 8]);
    for (let word = 0; word < 4; word += 1)
      this.#tagView.setInt32(word * 4, (this.#state[3 - word] ?? 0) ^ this.view.getInt32(mask + word * 4));
    return this.#tag;
  }
}

/** The IV of a sealed value and a counter from 1 on, in each block. */
function writeCounters(counters: Buffer, sealed: Uint8Array, { from, to }: { readonly from: number; readonly to: number }): void {
  for (let at = from, counter = 1; at < to; at += BLOCK_BYTES, counter += 1) {
    for (let byte = 0; byte < IV_BYTES; byte += 1) counters[at + byte] = sealed[HEADER_BYTES + byte] ?? 0;
    // A short value has no more than a few blocks.
    counters[at + BLOCK_BYTES - 1] = counter;
  }
}

function hashOf(key: HashKey, bytes: Uint8Array): HashState {
  const blocks = blocksOf(bytes.length);
  const padded = Buffer.alloc(blocks * BLOCK_BYTES);
  padded.set(bytes);
  const state = new Int32Array(4);
  absorb(state, key, { view: new DataView(padded.buffer, padded.byteOffset, padded.length), at: 0, blocks });
  return state;
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}

/** All bytes are looked at: where they differ the time does not say. */
function endsWith(bytes: Uint8Array, tag: Uint8Array): boolean {
  const at = bytes.length - TAG_BYTES;
  let different = 0;
  for (let byte = 0; byte < TAG_BYTES; byte += 1) different |= (bytes[at + byte] ?? 0) ^ (tag[byte] ?? 0);
  return different === 0;
}
