import { TlogError } from './errors.ts';
import { noteVerifier, parseVerifierKey, type NoteSigner } from './keys.ts';

/** C2SP signed-note: at least 16 must be accepted; enough for a log, its successor and a large set of witnesses. */
export const SIGNATURES_AT_MOST = 64;
/** Beyond any checkpoint with that many post-quantum signatures of nearly 5 kB. */
export const NOTE_BYTES_AT_MOST = 512 * 1024;

/** A line below a note. It says nothing before it is verified. */
export type SignatureLine = {
  readonly keyName: string;
  /** 8 hex digits. */
  readonly keyId: string;
  readonly signature: Uint8Array;
  /** The line as it stands, without its newline. */
  readonly line: string;
};

/** A note taken apart, not verified. `text` ends in a newline. */
export type Note = { readonly text: string; readonly signatures: readonly SignatureLine[] };

/** A text and the lines of its signers. `text` must end in a newline and have no other control characters. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  if (!text.endsWith('\n') || hasControls(text))
    throw new TlogError('note-malformed', 'The text of a note ends in a newline and has no control characters.');
  if (signers.length === 0) throw new TlogError('note-unsigned', 'A note has at least one signature.');
  return `${text}\n${signers.map((signer) => `${signatureLine(text, signer)}\n`).join('')}`;
}

function signatureLine(text: string, { verifierKey, signBytes }: NoteSigner): string {
  const { keyName, keyId } = parseVerifierKey(verifierKey);
  const signature = signBytes(Buffer.from(text, 'utf8'));
  return `— ${keyName} ${Buffer.concat([Buffer.from(keyId, 'hex'), signature]).toString('base64')}`;
}

/** Adds lines (of witnesses, say) to a note, without those it has already. */
export function addSignatures(note: string, lines: readonly string[]): string {
  const known = new Set(parseNote(note).signatures.map(({ line }) => line));
  const signed =
    note +
    lines
      .filter((line) => !known.has(line))
      .map((line) => `${line}\n`)
      .join('');
  parseNote(signed);
  return signed;
}

/** Takes a note apart. Throws `note-malformed`. */
export function parseNote(note: string): Note {
  if (Buffer.byteLength(note) > NOTE_BYTES_AT_MOST) throw malformed(`it is longer than ${NOTE_BYTES_AT_MOST} bytes`);
  if (hasControls(note) || !note.isWellFormed()) throw malformed('it has control characters or is no text');
  const gap = note.lastIndexOf('\n\n');
  if (gap < 0 || !note.endsWith('\n')) throw malformed('no blank line parts the text from its signatures');
  const lines = note.slice(gap + 2, -1).split('\n');
  if (lines.length > SIGNATURES_AT_MOST) throw malformed(`it has more than ${SIGNATURES_AT_MOST} signatures`);
  return { text: note.slice(0, gap + 1), signatures: lines.map(parseSignatureLine) };
}

/** Reads `— <name> <base64(id || signature)>`. Throws `note-malformed`. */
export function parseSignatureLine(line: string): SignatureLine {
  const [, keyName, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  if (keyName === undefined || bytes.length < 5 || bytes.toString('base64') !== encoded)
    throw malformed('a signature line is not one');
  return { keyName, keyId: bytes.subarray(0, 4).toString('hex'), signature: bytes.subarray(4), line };
}

/**
 * The text of a note that at least one of `trusted` has signed, and whose signatures of these stood. Lines of other keys are
 * ignored. Throws `note-malformed`, `signature-wrong` when a trusted key's line does not fit, `note-unsigned` when there is none.
 */
export function openNote(
  note: string,
  trusted: readonly string[],
): { readonly text: string; readonly signatures: readonly SignatureLine[] } {
  const { text, signatures } = parseNote(note);
  const verifiers = trusted.map(noteVerifier);
  const verified = signatures.filter(({ keyName, keyId, signature }) => {
    const verifier = verifiers.find((each) => each.keyName === keyName && each.keyId === keyId);
    if (verifier === undefined) return false;
    if (verifier.verifies(text, signature)) return true;
    throw new TlogError(
      'signature-wrong',
      `The signature of ${keyName} (${keyId}) does not fit the text: one of them was changed.`,
    );
  });
  if (verified.length === 0) {
    const names = signatures.map(({ keyName, keyId }) => `${keyName} (${keyId})`).join(', ');
    throw new TlogError('note-unsigned', `No trusted key has signed it; it carries signatures of ${names}.`);
  }
  return { text, signatures: verified };
}

function hasControls(text: string): boolean {
  return /[\x00-\x09\x0b-\x1f]/.test(text);
}

function malformed(reason: string): TlogError {
  return new TlogError('note-malformed', `This is no signed note: ${reason}.`);
}
