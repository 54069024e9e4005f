import { TlogError } from './errors.ts';
import { SIZE_AT_MOST } from './tiles.ts';
import type { Hash } from './hashing.ts';
import { noteVerifier } from './keys.ts';
import { NOTE_BYTES_AT_MOST, parseNote, parseSignatureLine, SIGNATURES_AT_MOST } from './note.ts';
import { PROOF_HASHES_AT_MOST } from './proofs.ts';

/** POSTs to `<submission prefix>/add-checkpoint`. How, and within which limits of time and length, is the caller's. */
export type WitnessTransport = (body: string) => Promise<{ readonly status: number; readonly body: string }>;

/** The body of `add-checkpoint` (C2SP tlog-witness). */
export function addCheckpointBody({
  oldSize,
  proof,
  checkpoint,
}: {
  oldSize: number;
  proof: readonly Hash[];
  checkpoint: string;
}): string {
  if (proof.length > PROOF_HASHES_AT_MOST) throw new TlogError('proof-malformed', 'A consistency proof has at most 63 hashes.');
  return [`old ${oldSize}`, ...proof.map((hash) => Buffer.from(hash).toString('base64')), '', checkpoint].join('\n');
}

/**
 * Asks a witness to countersign a checkpoint, and once more when it has seen another size than we thought. Returns its
 * verified lines (add them with `addSignatures`) and the size it has seen before. `proofFrom` gives the consistency proof
 * from an older size. Throws `witness-conflict` (it has seen a larger tree, or another one of this size: a fork or a
 * rollback, look at it) and `witness-refused` (anything else it answers, or lines that are not its own).
 */
export async function cosign({
  checkpoint,
  size,
  oldSize,
  witnessKeys,
  proofFrom,
  send,
}: {
  readonly checkpoint: string;
  readonly size: number;
  readonly oldSize: number;
  readonly witnessKeys: readonly string[];
  readonly proofFrom: (oldSize: number) => Promise<readonly Hash[]>;
  readonly send: WitnessTransport;
}): Promise<{ readonly lines: readonly string[]; readonly oldSize: number }> {
  const ask = async (from: number) => send(addCheckpointBody({ oldSize: from, proof: await proofFrom(from), checkpoint }));
  const first = await ask(oldSize);
  if (first.status !== 409) return { lines: linesOf(first, checkpoint, witnessKeys), oldSize };
  const seen = seenSize(first.body);
  if (seen === undefined || seen === oldSize || seen > size) {
    throw new TlogError(
      'witness-conflict',
      `The witness has seen ${seen ?? 'another tree'}; the checkpoint of ${size} does not follow from it.`,
    );
  }
  const second = await ask(seen);
  if (second.status === 409)
    throw new TlogError('witness-conflict', `The witness does not accept the checkpoint of ${size} after ${seen}.`);
  return { lines: linesOf(second, checkpoint, witnessKeys), oldSize: seen };
}

function linesOf({ status, body }: { status: number; body: string }, checkpoint: string, witnessKeys: readonly string[]): string[] {
  if (status !== 200) throw new TlogError('witness-refused', `The witness answered ${status}.`);
  if (body.length > NOTE_BYTES_AT_MOST) throw new TlogError('witness-refused', 'The answer of the witness is too long.');
  const lines = body.split('\n').filter((line) => line !== '');
  if (lines.length > SIGNATURES_AT_MOST) throw new TlogError('witness-refused', 'The answer of the witness has too many lines.');
  const { text } = parseNote(checkpoint);
  const verifiers = witnessKeys.map(noteVerifier);
  const verified = lines.filter((line) => {
    const { keyName, keyId, signature } = parseSignatureLine(line);
    return verifiers.some((each) => each.keyName === keyName && each.keyId === keyId && each.verifies(text, signature));
  });
  if (verified.length === 0) throw new TlogError('witness-refused', 'No line of the answer is a signature of the witness.');
  return verified;
}

function seenSize(body: string): number | undefined {
  const [, size] = /^(0|[1-9]\d{0,15})\n?$/.exec(body) ?? [];
  return size === undefined || Number(size) > SIZE_AT_MOST ? undefined : Number(size);
}
