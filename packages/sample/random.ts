/**
 * One independent stream of random numbers for each thing that is made up, so that a patient stays the same person
 * however many bookings the size asks for. The numbers are part of the contract: changing one changes every sample.
 */
const STREAMS = {
  staff: 1,
  block: 2,
  household: 3,
  patient: 4,
  arrival: 5,
  day: 6,
  booking: 7,
  message: 8,
  recall: 9,
  voice: 10,
  login: 11,
  document: 12,
  note: 13,
} as const;

export type Stream = keyof typeof STREAMS;

/**
 * Repeatable random numbers: the same on every machine, and never a source of secrets.
 *
 * The generator is sfc32 ("small fast counting", Chris Doty-Humphrey, PractRand); its state is filled by mixing seed,
 * stream and index with the finaliser of MurmurHash3 (Austin Appleby, public domain). Only integer arithmetic and exact
 * IEEE operations are used: no Math.pow or Math.sin, whose last bit is the engine's choice.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream: Stream, index: number) {
    this.#a = mix(seed ^ 0x9e3779b9);
    this.#b = mix(this.#a ^ STREAMS[stream]);
    this.#c = mix(this.#b ^ index);
    // sfc32's author asks for 12 rounds before the first output when the state was not random to begin with.
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    const out = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + out) | 0;
    return out >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * limit);
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.next() < percent * 42_949_672.96;
  }

  pick<Item>(list: readonly Item[]): Item {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new RangeError('Nothing to pick from: the list is empty');
    return item;
  }

  /** `length` decimal digits, leading zeros included. */
  digits(length: number): string {
    return String(this.below(10 ** length)).padStart(length, '0');
  }
}

function mix(word: number): number {
  let hash = word | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
