import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import { TlogError } from './errors.ts';

/** Signature types of C2SP signed-note that are verified here; lines of others (ML-DSA-44 is 0x06) are ignored. */
const ED25519 = 0x01;
const ED25519_COSIGNATURE = 0x04;
const COSIGNATURE_BYTES = 8 + 64;
// DER of SubjectPublicKeyInfo for Ed25519 (RFC 8410): this prefix and the 32 bytes of the key.
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Checks signatures of one key. Made from a verifier key that came through another channel than what it checks. */
export type NoteVerifier = {
  readonly keyName: string;
  /** 8 hex digits. */
  readonly keyId: string;
  /** `text` is the text of the note with its last newline. A cosignature carries its time in itself. */
  readonly verifies: (text: string, signature: Uint8Array) => boolean;
};

/** Puts a key's line below a note. `verifierKey` is its public half, `signBytes` Ed25519 (RFC 8032) over the bytes as they are. */
export type NoteSigner = { readonly verifierKey: string; readonly signBytes: (bytes: Uint8Array) => Uint8Array };

/** First four bytes of SHA-256(name || 0x0A || type || public key), in hex. */
export function keyIdOf(keyName: string, type: number, publicKey: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${keyName}\n`), Buffer.of(type), publicKey]), 'hex').slice(0, 8);
}

/**
 * Reads `<name>+<8 hex digits>+<base64(type || public key)>`: Ed25519 of a log (type 1) or of a witness (type 4).
 * Throws `key-malformed`, also when the id does not belong to the key, and `key-unsupported`.
 */
export function noteVerifier(verifierKey: string): NoteVerifier {
  const { keyName, keyId, type, publicKey } = parseVerifierKey(verifierKey);
  if (type !== ED25519 && type !== ED25519_COSIGNATURE) {
    throw new TlogError('key-unsupported', `Signatures of type ${type} are not verified here.`);
  }
  if (publicKey.length !== 32) throw new TlogError('key-malformed', 'An Ed25519 key has 32 bytes.');
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  const verifies = type === ED25519 ? verifiesNote : verifiesCosignature;
  return { keyName, keyId, verifies: (text, signature) => verifies(key, text, signature) };
}

/** The parts of a verifier key of any type. Throws `key-malformed`. */
export function parseVerifierKey(verifierKey: string) {
  const [, keyName, keyId, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(verifierKey.trim()) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  const type = bytes[0];
  if (keyName === undefined || keyId === undefined || type === undefined) {
    throw new TlogError('key-malformed', 'A verifier key reads <name>+<8 hex digits>+<base64>.');
  }
  const publicKey = bytes.subarray(1);
  if (keyIdOf(keyName, type, publicKey) !== keyId)
    throw new TlogError('key-malformed', 'The verifier key does not carry its own id.');
  return { keyName, keyId, type, publicKey };
}

function verifiesNote(key: KeyObject, text: string, signature: Uint8Array): boolean {
  return signature.length === 64 && verify(null, Buffer.from(text, 'utf8'), key, signature);
}

/** C2SP tlog-cosignature: u64 time, then Ed25519 over `cosignature/v1`, the time and the text. */
function verifiesCosignature(key: KeyObject, text: string, signature: Uint8Array): boolean {
  if (signature.length !== COSIGNATURE_BYTES) return false;
  const time = cosignatureTime(signature);
  return verify(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`, 'utf8'), key, signature.subarray(8));
}

/** When a witness signed, in seconds since 1970. */
export function cosignatureTime(signature: Uint8Array): bigint {
  return Buffer.from(signature.subarray(0, 8)).readBigUInt64BE();
}
