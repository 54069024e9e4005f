import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify as verifyBytes,
  type KeyObject,
} from 'node:crypto';
import { SafekeepError } from '@safekeep/core/values';
import canonicalize from 'canonicalize';

/** A signature that stands beside a document: who signed (by key name and id) and the Ed25519 signature in base64. */
export type Signature = {
  readonly keyName: string;
  /** First four bytes of SHA-256(name || 0x0A || 0x01 || public key), in hex: the key id of C2SP signed-note. */
  readonly keyId: string;
  readonly algorithm: 'Ed25519';
  readonly signature: string;
};

/** Holds a private key that never leaves it. */
export type Signer = {
  readonly keyName: string;
  /** The public half as `<name>+<8 hex digits>+<base64(0x01 || 32 bytes)>`, the verifier key of C2SP signed-note. */
  readonly verifierKey: string;
  /** Ed25519 (RFC 8032) over the bytes as they are; 64 bytes. */
  readonly signBytes: (bytes: Uint8Array) => Buffer;
  /** Signs a JSON document in its canonical form (RFC 8785), with a context so that one kind cannot pass for another. */
  readonly signDocument: (kind: string, document: object) => Signature;
};

const ED25519 = 0x01;
// DER of SubjectPublicKeyInfo for Ed25519 (RFC 8410): this prefix and the 32 bytes of the key.
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
// C2SP signed-note: a key name is non-empty and has neither spaces nor plus signs.
const KEY_NAME = /^[^\s+]+$/;

/** A new Ed25519 key in PKCS #8 PEM. The caller stores it where only the owner reads (mode 0600). */
export function createSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Opens a key made by {@link createSigningKey}. Throws `TypeError` when the text is not an Ed25519 private key. */
export function signingKeyFromPem(pem: string, keyName: string): Signer {
  if (!KEY_NAME.test(keyName)) throw new TypeError(`A key name has no spaces and no plus sign: ${keyName}`);
  const privateKey = openPrivateKey(pem);
  const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
  const id = keyId(keyName, raw);
  const signBytes = (bytes: Uint8Array): Buffer => sign(null, bytes, privateKey);
  return {
    keyName,
    verifierKey: `${keyName}+${id}+${Buffer.concat([Buffer.of(ED25519), raw]).toString('base64')}`,
    signBytes,
    signDocument: (kind, document) => ({
      keyName,
      keyId: id,
      algorithm: 'Ed25519',
      signature: signBytes(signedBytes(kind, document)).toString('base64'),
    }),
  };
}

/** The parts of a verifier key. Throws `signature-invalid` when it is malformed or its id does not belong to its key. */
export function verifierKey(text: string): { readonly keyName: string; readonly keyId: string; readonly publicKey: KeyObject } {
  const [, keyName, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  if (keyName === undefined || bytes.length !== 33 || bytes[0] !== ED25519) throw invalid('the verifier key is malformed');
  const raw = bytes.subarray(1);
  if (keyId(keyName, raw) !== id) throw invalid('the verifier key does not carry its own id');
  return {
    keyName,
    keyId: id,
    publicKey: createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' }),
  };
}

/**
 * Checks a document against a verifier key that came through another channel than the document itself.
 * Returns normally or throws `signature-invalid` with the reason.
 */
export function verify(kind: string, document: object, signature: Signature, trustedKey: string): void {
  const key = verifierKey(trustedKey);
  if (signature.keyName !== key.keyName || signature.keyId !== key.keyId) {
    throw invalid(`it was made by the key ${signature.keyName}, not by ${key.keyName}`);
  }
  const bytes = Buffer.from(signature.signature, 'base64');
  if (bytes.length !== 64 || !verifyBytes(null, signedBytes(kind, document), key.publicKey, bytes)) {
    throw invalid('the document or the signature was changed');
  }
}

function signedBytes(kind: string, document: object): Buffer {
  const canonical = canonicalize(document);
  if (canonical === undefined) throw new TypeError('A document to sign must be plain JSON');
  return Buffer.from(`safekeep/1 ${kind}\n${canonical}`, 'utf8');
}

function keyId(keyName: string, rawPublicKey: Uint8Array): string {
  return createHash('sha256').update(`${keyName}\n`).update(Buffer.of(ED25519)).update(rawPublicKey).digest('hex').slice(0, 8);
}

function openPrivateKey(pem: string): KeyObject {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError(`Not an Ed25519 key but ${key.asymmetricKeyType ?? 'unknown'}`);
  return key;
}

function invalid(reason: string): SafekeepError {
  return new SafekeepError('signature-invalid', { reason });
}
