/** A set that may say yes to one in a few hundred that it does not hold, in a byte and a half a member. */
export type Bloom = { readonly bits: Uint8Array };

const HASHES = 6;
const BITS_A_MEMBER = 10;

export function emptyBloom(members: number): Bloom {
  return { bits: new Uint8Array(Math.ceil((members * BITS_A_MEMBER) / 8)) };
}

/** Mixes the 32 bits of a hash anew: murmur3's finaliser. */
export function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85_eb_ca_6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2_b2_ae_35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export function addTo({ bits }: Bloom, hash: number): void {
  const size = bits.length * 8;
  const step = mix(hash ^ 0x9e_37_79_b9) | 1;
  let place = mix(hash);
  for (let index = 0; index < HASHES; index += 1) {
    const bit = (place >>> 0) % size;
    bits[bit >>> 3] = (bits[bit >>> 3] ?? 0) | (1 << (bit & 7));
    place = (place + step) | 0;
  }
}

export function holds({ bits }: Bloom, hash: number): boolean {
  const size = bits.length * 8;
  const step = mix(hash ^ 0x9e_37_79_b9) | 1;
  let place = mix(hash);
  for (let index = 0; index < HASHES; index += 1) {
    const bit = (place >>> 0) % size;
    if (((bits[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
    place = (place + step) | 0;
  }
  return true;
}
