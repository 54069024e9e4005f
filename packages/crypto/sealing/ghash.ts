/**
 * GHASH of Galois/counter mode (NIST SP 800-38D, 6.4). The runtime offers it only inside of a whole cipher, whose making costs ten
 * times as much as a short value. No table is read at a place that a secret decides, and nothing branches: bits are multiplied
 * without carries by leaving three empty ones between each two, so the time tells nothing of key or content.
 */

/** Products of 32-bit words that make one of 128 bits (Karatsuba, twice), and as many of the words reversed, for the high halves. */
const PRODUCTS = 9;
const SPREADS = 4;
const REVERSED_AT = PRODUCTS * SPREADS;

/** The hash key with every product's side spread over four words. As secret as the key: whoever has it can forge tags. */
export type HashKey = Int32Array;
/** Four words of 32 bits; the first bytes of a block are the last word. */
export type HashState = Int32Array;

/** @param block the cipher's own block for zero, at the beginning of `view` */
export function hashKey(view: DataView): HashKey {
  const words = [view.getInt32(12), view.getInt32(8), view.getInt32(4), view.getInt32(0)] as const;
  const [a, b, c, d] = words;
  const [ra, rb, rc, rd] = [reversed(a), reversed(b), reversed(c), reversed(d)];
  const sides = [...sidesOf(a, b, c, d), ...sidesOf(ra, rb, rc, rd)];
  return Int32Array.from(sides.flatMap((side) => [side & 0x11111111, side & 0x22222222, side & 0x44444444, side & 0x88888888]));
}

function sidesOf(a: number, b: number, c: number, d: number): readonly number[] {
  return [a, b, c, d, a ^ b, c ^ d, a ^ c, b ^ d, a ^ b ^ c ^ d];
}

/** Takes in blocks of 16 bytes from `at` on. */
export function absorb(state: HashState, key: HashKey, { view, at, blocks }: Stretch): void {
  for (let block = 0; block < blocks; block += 1) {
    const place = at + 16 * block;
    absorbWords(state, key, [view.getInt32(place), view.getInt32(place + 4), view.getInt32(place + 8), view.getInt32(place + 12)]);
  }
}

export type Stretch = { readonly view: DataView; readonly at: number; readonly blocks: number };

/** One block as its words, the first bytes first. */
export function absorbWords(state: HashState, key: HashKey, [d, c, b, a]: readonly [number, number, number, number]): void {
  multiply(state, key, (state[0] ?? 0) ^ a, (state[1] ?? 0) ^ b, (state[2] ?? 0) ^ c, (state[3] ?? 0) ^ d);
}

// The names: p and q are low and reversed high halves of products, v the 256 bits of the whole, w these one bit further up.
function multiply(state: HashState, key: HashKey, a: number, b: number, c: number, d: number): void {
  const p0 = product(a, key, 0);
  const p1 = product(b, key, 4);
  const p2 = product(c, key, 8);
  const p3 = product(d, key, 12);
  const p01 = product(a ^ b, key, 16) ^ p0 ^ p1;
  const p23 = product(c ^ d, key, 20) ^ p2 ^ p3;
  const p02 = product(a ^ c, key, 24) ^ p0 ^ p2;
  const p13 = product(b ^ d, key, 28) ^ p1 ^ p3;
  const p03 = product(a ^ b ^ c ^ d, key, 32) ^ p01 ^ p23 ^ p02 ^ p13 ^ p0 ^ p1 ^ p2 ^ p3;
  const ra = reversed(a);
  const rb = reversed(b);
  const rc = reversed(c);
  const rd = reversed(d);
  const q0 = product(ra, key, REVERSED_AT);
  const q1 = product(rb, key, REVERSED_AT + 4);
  const q2 = product(rc, key, REVERSED_AT + 8);
  const q3 = product(rd, key, REVERSED_AT + 12);
  const q01 = product(ra ^ rb, key, REVERSED_AT + 16) ^ q0 ^ q1;
  const q23 = product(rc ^ rd, key, REVERSED_AT + 20) ^ q2 ^ q3;
  const q02 = product(ra ^ rc, key, REVERSED_AT + 24) ^ q0 ^ q2;
  const q13 = product(rb ^ rd, key, REVERSED_AT + 28) ^ q1 ^ q3;
  const q03 = product(ra ^ rb ^ rc ^ rd, key, REVERSED_AT + 32) ^ q01 ^ q23 ^ q02 ^ q13 ^ q0 ^ q1 ^ q2 ^ q3;

  const v0 = p0;
  const v1 = p01 ^ high(q0);
  const v2 = p02 ^ p1 ^ high(q01);
  const v3 = p03 ^ high(q02 ^ q1);
  const v4 = p13 ^ p2 ^ high(q03);
  const v5 = p23 ^ high(q13 ^ q2);
  const v6 = p3 ^ high(q23);
  const v7 = high(q3);
  // GHASH counts bits from the other end: the product stands one bit too low.
  const w0 = v0 << 1;
  const w1 = (v1 << 1) | (v0 >>> 31);
  const w2 = (v2 << 1) | (v1 >>> 31);
  const w3 = ((v3 << 1) | (v2 >>> 31)) ^ folded(w0);
  // Modulo x^128 + x^7 + x^2 + x + 1, the lowest word first.
  state[0] = ((v4 << 1) | (v3 >>> 31)) ^ w0 ^ (w0 >>> 1) ^ (w0 >>> 2) ^ (w0 >>> 7) ^ folded(w1);
  state[1] = ((v5 << 1) | (v4 >>> 31)) ^ w1 ^ (w1 >>> 1) ^ (w1 >>> 2) ^ (w1 >>> 7) ^ folded(w2);
  state[2] = ((v6 << 1) | (v5 >>> 31)) ^ w2 ^ (w2 >>> 1) ^ (w2 >>> 2) ^ (w2 >>> 7) ^ folded(w3);
  state[3] = ((v7 << 1) | (v6 >>> 31)) ^ w3 ^ (w3 >>> 1) ^ (w3 >>> 2) ^ (w3 >>> 7);
}

/** The lower 32 bits of a product without carries: between bits of one spread there is room for the sum of four. */
function product(word: number, key: HashKey, at: number): number {
  const x0 = word & 0x11111111;
  const x1 = word & 0x22222222;
  const x2 = word & 0x44444444;
  const x3 = word & 0x88888888;
  const y0 = key[at] ?? 0;
  const y1 = key[at + 1] ?? 0;
  const y2 = key[at + 2] ?? 0;
  const y3 = key[at + 3] ?? 0;
  return (
    ((Math.imul(x0, y0) ^ Math.imul(x1, y3) ^ Math.imul(x2, y2) ^ Math.imul(x3, y1)) & 0x11111111) |
    ((Math.imul(x0, y1) ^ Math.imul(x1, y0) ^ Math.imul(x2, y3) ^ Math.imul(x3, y2)) & 0x22222222) |
    ((Math.imul(x0, y2) ^ Math.imul(x1, y1) ^ Math.imul(x2, y0) ^ Math.imul(x3, y3)) & 0x44444444) |
    ((Math.imul(x0, y3) ^ Math.imul(x1, y2) ^ Math.imul(x2, y1) ^ Math.imul(x3, y0)) & 0x88888888)
  );
}

/** The upper half of a product, of 31 bits, from the lower half of the product of both words reversed. */
function high(reversedProduct: number): number {
  return reversed(reversedProduct) >>> 1;
}

function folded(word: number): number {
  return (word << 31) ^ (word << 30) ^ (word << 25);
}

function reversed(word: number): number {
  const ones = ((word >>> 1) & 0x55555555) | ((word & 0x55555555) << 1);
  const pairs = ((ones >>> 2) & 0x33333333) | ((ones & 0x33333333) << 2);
  const nibbles = ((pairs >>> 4) & 0x0f0f0f0f) | ((pairs & 0x0f0f0f0f) << 4);
  const bytes = ((nibbles >>> 8) & 0x00ff00ff) | ((nibbles & 0x00ff00ff) << 8);
  return (bytes >>> 16) | (bytes << 16);
}
