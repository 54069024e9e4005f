import { TlogError } from './errors.ts';
import { HASH_BYTES, type Hash } from './hashing.ts';
import type { NoteSigner } from './keys.ts';
import { openNote, parseNote, signNote, type SignatureLine } from './note.ts';

/** What a log says of itself at one time: its name, its size and the root over all its leaves (C2SP tlog-checkpoint). */
export type Checkpoint = {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** Further lines, not understood here; usually none. */
  readonly extensions?: readonly string[];
};

/** The text that is signed, with its last newline. Throws `checkpoint-malformed`. */
export function checkpointText({ origin, size, root, extensions = [] }: Checkpoint): string {
  const lines = [origin, String(size), Buffer.from(root).toString('base64'), ...extensions];
  if (lines.some((line) => line === '' || line.includes('\n'))) throw malformed('its lines are neither empty nor broken');
  if (root.length !== HASH_BYTES || !Number.isSafeInteger(size) || size < 0) throw malformed('size or root are none');
  return `${lines.join('\n')}\n`;
}

export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): string {
  return signNote(checkpointText(checkpoint), signers);
}

/** Reads the text of a checkpoint. Throws `checkpoint-malformed`. */
export function parseCheckpointText(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...extensions] = text.replace(/\n$/, '').split('\n');
  const hash = Buffer.from(root, 'base64');
  if (origin === '' || extensions.includes('')) throw malformed('a line is empty');
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) throw malformed('its size is no number');
  if (hash.length !== HASH_BYTES || hash.toString('base64') !== root) throw malformed('its root is no hash in base64');
  return { origin, size: Number(size), root: hash, ...(extensions.length === 0 ? {} : { extensions }) };
}

/** What a checkpoint says, without asking who signed it: for a note of one's own, or to tell a person about it. */
export function peekCheckpoint(note: string): Checkpoint {
  return parseCheckpointText(parseNote(note).text);
}

/**
 * A checkpoint that one of `trusted` (verifier keys) has signed, of the log named `origin`. Errors as {@link openNote}, and
 * `checkpoint-malformed` and `origin-foreign`: one key may sign several logs, and one must not pass for another.
 */
export function openCheckpoint(
  note: string,
  { trusted, origin }: { readonly trusted: readonly string[]; readonly origin?: string },
): Checkpoint & { readonly signatures: readonly SignatureLine[] } {
  const { text, signatures } = openNote(note, trusted);
  const checkpoint = parseCheckpointText(text);
  if (origin !== undefined && checkpoint.origin !== origin) {
    throw new TlogError('origin-foreign', `This is a checkpoint of ${checkpoint.origin}, not of ${origin}.`);
  }
  return { ...checkpoint, signatures };
}

function malformed(reason: string): TlogError {
  return new TlogError('checkpoint-malformed', `This is no checkpoint: ${reason}.`);
}
