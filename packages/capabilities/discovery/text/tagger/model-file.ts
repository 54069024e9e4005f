import type { Bloom } from './bloom.ts';
import { LABELS, ROWS, type Lists } from './features.ts';

export type Model = { readonly weights: Int16Array; readonly lists: Lists };

/** Weights are kept as whole numbers of this part of one. */
export const WEIGHT_SCALE = 1_000;

const MAGIC = 'SKTAG1\n\0';
const HEADER = 8 + 6 * 4;
const ORDER = ['given', 'family', 'places', 'plain', 'english'] as const;

/** Magic, six lengths, weights of 16 bits, the five lists. All little endian, as every machine is that Node 22 runs on but IBM Z. */
export function packModel({ weights, lists }: Model): Buffer {
  const header = Buffer.alloc(HEADER);
  header.write(MAGIC, 'latin1');
  header.writeUInt32LE(weights.byteLength, 8);
  ORDER.forEach((name, at) => header.writeUInt32LE(lists[name].bits.length, 12 + at * 4));
  return Buffer.concat([
    header,
    Buffer.from(weights.buffer, weights.byteOffset, weights.byteLength),
    ...ORDER.map((name) => Buffer.from(lists[name].bits)),
  ]);
}

/** The model out of its file, which is part of the program and so trusted; a damaged one is refused all the same. */
export function unpackModel(bytes: Buffer): Model {
  const lengths = Array.from({ length: 6 }, (_, at) => bytes.readUInt32LE(8 + at * 4));
  const total = HEADER + lengths.reduce((sum, length) => sum + length, 0);
  if (bytes.toString('latin1', 0, 8) !== MAGIC || lengths[0] !== ROWS * LABELS.length * 2 || bytes.length !== total) {
    throw new Error('the model of the tagger is damaged: install Safekeep again');
  }
  let at = HEADER;
  const take = (length: number): Uint8Array => {
    at += length;
    return Uint8Array.prototype.slice.call(bytes, at - length, at);
  };
  const [weights, ...blooms] = lengths.map(take);
  const [given, family, places, plain, english] = blooms.map((bits): Bloom => ({ bits }));
  if (
    weights === undefined ||
    given === undefined ||
    family === undefined ||
    places === undefined ||
    plain === undefined ||
    english === undefined
  ) {
    throw new Error('six parts were read');
  }
  return {
    weights: new Int16Array(weights.buffer, weights.byteOffset, weights.length / 2),
    lists: { given, family, places, plain, english },
  };
}
