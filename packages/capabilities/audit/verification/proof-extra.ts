import { createHash } from 'node:crypto';
import { Type } from '@safekeep/core/schema';
import Schema from 'typebox/schema';

/**
 * What a proof file carries beside the proof, so that it needs nothing else: the entry as it was hashed, and what opens its
 * commitments. A salt opens a commitment to whoever has the file, for good: it is given to those who may know the values.
 */
const ProofExtra = Type.Object({
  version: Type.Literal(1),
  /** Base64. */
  entry: Type.String(),
  openings: Type.Array(
    Type.Object({
      /** Which commitment of the entry, from 0. */
      commitment: Type.Integer({ minimum: 0 }),
      /** Base64. */
      salt: Type.String(),
      /** Base64: the bytes that were committed to; sealed ones stay sealed. */
      blob: Type.String(),
    }),
  ),
});

export type Opening = { readonly commitment: number; readonly salt: Uint8Array; readonly blob: Uint8Array };

export function formatProofExtra(entry: Uint8Array, openings: readonly Opening[]): Uint8Array {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return Buffer.from(
    JSON.stringify({
      version: 1,
      entry: base64(entry),
      openings: openings.map(({ commitment, salt, blob }) => ({ commitment, salt: base64(salt), blob: base64(blob) })),
    }),
  );
}

/** The entry and what does not open any more, or why this is no extra of ours. */
export function readProofExtra(
  extra: Uint8Array | undefined,
): { readonly entry: Uint8Array; readonly unfit: readonly string[] } | { readonly fault: string } {
  if (extra === undefined) return { fault: 'The file does not carry its entry (no line `extra`), so there is nothing to compare.' };
  const parsed = jsonOf(extra);
  if (!Schema.Check(ProofExtra, parsed)) return { fault: 'The extra of the file is none that Safekeep writes.' };
  const entry = Buffer.from(parsed.entry, 'base64');
  const commitments = commitmentsOf(entry);
  const unfit = parsed.openings.flatMap(({ commitment, salt, blob }) => {
    const opened = createHash('sha256').update(Buffer.from(salt, 'base64')).update(Buffer.from(blob, 'base64')).digest();
    return commitments[commitment]?.equals(opened) === true
      ? []
      : [`What is said to open commitment ${commitment} does not open it.`];
  });
  return { entry, unfit };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // Not JSON: told as an extra that is none of ours.
    return undefined;
  }
}

/** The hashes in a leaf: `"commitments":["l:<base64>",…]`. */
function commitmentsOf(entry: Uint8Array): readonly Buffer[] {
  const leaf = jsonOf(entry);
  return Schema.Check(LeafCommitments, leaf) ? leaf.commitments.map((text) => Buffer.from(text.slice(2), 'base64')) : [];
}

const LeafCommitments = Type.Object({ commitments: Type.Array(Type.String()) });
