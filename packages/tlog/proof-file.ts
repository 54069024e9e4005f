import { openCheckpoint, type Checkpoint } from './checkpoint.ts';
import { TlogError } from './errors.ts';
import { HASH_BYTES, leafHash, type Hash } from './hashing.ts';
import { PROOF_HASHES_AT_MOST, verifyInclusion } from './proofs.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';

/** An entry's place in a signed tree (C2SP tlog-proof), to be checked by whoever has the entry and a verifier key. */
export type ProofFile = {
  readonly index: number;
  readonly proof: readonly Hash[];
  /** The signed note of the checkpoint, as the log gave it out. */
  readonly checkpoint: string;
  /** Whatever helps to make the entry again. Not signed: it is true only when the entry made from it is in the tree. */
  readonly extra?: Uint8Array;
};

export function formatProof({ index, proof, checkpoint, extra }: ProofFile): string {
  return [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${Buffer.from(extra).toString('base64')}`]),
    `index ${index}`,
    ...proof.map((hash) => Buffer.from(hash).toString('base64')),
    '',
    checkpoint,
  ].join('\n');
}

/** Throws `proof-malformed`. The checkpoint within is looked at by {@link verifyProof}. */
export function parseProof(text: string): ProofFile {
  const gap = text.indexOf('\n\n');
  const [header, ...lines] = text.slice(0, Math.max(gap, 0)).split('\n');
  if (header !== HEADER) throw malformed(`its first line is not ${HEADER}`);
  const extra = lines[0]?.startsWith('extra ') === true ? fromBase64(lines.shift()?.slice('extra '.length) ?? '') : undefined;
  const [, index] = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? '') ?? [];
  if (index === undefined || !Number.isSafeInteger(Number(index))) throw malformed('the index is no number');
  if (lines.length > PROOF_HASHES_AT_MOST) throw malformed(`it has more than ${PROOF_HASHES_AT_MOST} hashes`);
  const proof = lines.map(fromBase64);
  if (proof.some(({ length }) => length !== HASH_BYTES)) throw malformed(`its hashes have ${HASH_BYTES} bytes`);
  return { index: Number(index), proof, checkpoint: text.slice(gap + 2), ...(extra === undefined ? {} : { extra }) };
}

/**
 * Checks that `entry` stands at the place the proof names, in a tree signed by one of `trusted`. Returns the checkpoint.
 * Errors as {@link parseProof}, {@link openCheckpoint} and {@link verifyInclusion}.
 */
export function verifyProof(
  text: string,
  options: { readonly entry: Uint8Array; readonly trusted: readonly string[]; readonly origin?: string },
): Checkpoint {
  const { index, proof, checkpoint } = parseProof(text);
  const { entry, ...trust } = options;
  const { signatures: _, ...tree } = openCheckpoint(checkpoint, trust);
  verifyInclusion({ index, size: tree.size, root: tree.root, leaf: leafHash(entry) }, proof);
  return tree;
}

function fromBase64(encoded: string): Uint8Array {
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) throw malformed('a line is no base64');
  return bytes;
}

function malformed(reason: string): TlogError {
  return new TlogError('proof-malformed', `This is no proof: ${reason}.`);
}
