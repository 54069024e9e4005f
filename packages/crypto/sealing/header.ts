import { SafekeepError } from '@safekeep/core/values';

// Layout of SK1; SPEC.md says it byte by byte.
export const HEADER_BYTES = 12;
export const IV_BYTES = 12;
export const TAG_BYTES = 16;
/** 41 over the value: header, IV, type and tag. */
export const OVERHEAD_BYTES = HEADER_BYTES + IV_BYTES + 1 + TAG_BYTES;

/** 0xFA never occurs in UTF-8 (RFC 3629): no text of an application begins like a sealed value. */
const MAGIC = 0xfa53;
const VERSION_AND_SUITE = 0x11;

/** Sealed under the key of one person. */
export const FLAG_SUBJECT = 1;
/** Bound to the key of its row. */
export const FLAG_ROW = 2;
/** Bytes under a context of the caller's instead of a typed value of a field. */
export const FLAG_BYTES = 4;
const FLAGS_KNOWN = FLAG_SUBJECT | FLAG_ROW | FLAG_BYTES;

export type Header = { readonly flags: number; readonly keyId: string };

/** Whether bytes begin like a sealed value of any version and are long enough to be one. Says nothing about whether it opens. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes.length >= OVERHEAD_BYTES - 1 && bytes[0] === MAGIC >> 8 && bytes[1] === (MAGIC & 0xff);
}

/** Whether bytes have a header that {@link parseHeader} reads: of bytes by chance one in 2^29 do. */
export function beginsSealed(bytes: Uint8Array): boolean {
  const [, , version, flags = 0] = bytes;
  return isSealed(bytes) && version === VERSION_AND_SUITE && (flags & ~FLAGS_KNOWN) === 0;
}

/** Everything of a sealed value that needs no key. @throws `sealed-malformed`, `sealed-unknown-format` */
export function parseHeader(sealed: Uint8Array): Header {
  if (!isSealed(sealed)) throw new SafekeepError('sealed-malformed', { reason: 'it has not the form of a sealed value' });
  const [, , version = 0, flags = 0] = sealed;
  if (version !== VERSION_AND_SUITE || (flags & ~FLAGS_KNOWN) !== 0)
    throw new SafekeepError('sealed-unknown-format', { version, flags });
  return { flags, keyId: Buffer.from(sealed.subarray(4, HEADER_BYTES)).toString('hex') };
}

/** {@link HEADER_BYTES} of them. */
export function makeHeader(flags: number, keyId: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(MAGIC >> 8, MAGIC & 0xff, VERSION_AND_SUITE, flags), keyId]);
}
