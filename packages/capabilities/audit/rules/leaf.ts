import { hash } from 'node:crypto';
import type { Commitment, CommitmentKind, EventRow, Leaf, SealedBlob } from '../model.ts';

/** An entry of a tile has 65,535 bytes at most; the names of 1,600 columns can be longer. */
const LEAF_BYTES_AT_MOST = 60_000;
const MANY_COLUMNS = ['*'];

export const SALT_BYTES = 16;
const HASH_BYTES = 32;
const COMMITMENT_BYTES = 1 + HASH_BYTES;

/**
 * The bytes of a leaf: JSON with sorted keys and no blanks (RFC 8785, for it holds texts and lists of texts only). They are made
 * from columns that are never written again, so they need not be stored beside them, and an edit of any of these columns shows.
 */
export function leafBytes(leaf: Leaf): Buffer {
  const bytes = encode(leaf, leaf.columns);
  return bytes.length <= LEAF_BYTES_AT_MOST ? bytes : encode(leaf, MANY_COLUMNS);
}

function encode(leaf: Leaf, columns: readonly string[] | null): Buffer {
  return Buffer.from(
    JSON.stringify({
      action: leaf.action,
      actor: leaf.actor === null ? null : Buffer.from(leaf.actor).toString('base64'),
      at: leaf.at,
      attribution: leaf.attribution,
      columns,
      commitments: leaf.commitments.map(({ kind, hash: made }) => `${kind}:${Buffer.from(made).toString('base64')}`),
      id: leaf.id,
      kind: leaf.kind,
      sequenced_at: leaf.sequencedAt,
      table: leaf.table,
      v: 1,
    }),
    'utf8',
  );
}

/** The leaf that a stored event stands for. */
export function leafOf(row: EventRow): Leaf {
  return {
    id: row.id,
    at: row.at,
    sequencedAt: row.sequencedAt,
    kind: row.kind,
    action: row.action,
    table: row.table,
    columns: row.columns,
    actor: row.actorPseudonym,
    attribution: row.attribution,
    commitments: readCommitments(row.commitments),
  };
}

// One buffer for all that is short: hashing waits for nothing, and a new one each time would take as long as the hash.
const together = Buffer.alloc(4096);

/** `SHA-256(salt || bytes)`. */
export function commit(salt: Uint8Array, bytes: Uint8Array): Buffer {
  const length = salt.length + bytes.length;
  const into = length > together.length ? Buffer.allocUnsafe(length) : together;
  into.set(salt);
  into.set(bytes, salt.length);
  // By way of a text: Node makes one in a third of the time that an ArrayBuffer takes.
  return Buffer.from(hash('sha256', into.subarray(0, length), 'binary'), 'latin1');
}

/** What the commitment `l` is over. */
export function linkBytes(row: Pick<EventRow, 'record' | 'subject' | 'otherSubjects'>): Buffer {
  return Buffer.from(
    JSON.stringify([row.record, ...(row.subject === null ? [] : [row.subject]), ...(row.otherSubjects ?? [])]),
    'utf8',
  );
}

/** What the commitment `r` is over; undefined when nothing is readable. */
export function readableBytes(row: Pick<EventRow, 'purpose' | 'request' | 'details'>): Buffer | undefined {
  if (row.purpose === null && row.request === null && row.details === null) return undefined;
  return Buffer.from(JSON.stringify([row.purpose, row.request, row.details]), 'utf8');
}

/** What a blob is bound to: it opens in this event, at this place, and nowhere else. */
export function blobContext(event: { readonly tenant: string; readonly id: string }, place: number): Buffer {
  return Buffer.from(`safekeep audit 1\n${event.tenant}\n${event.id}\n${place}`, 'utf8');
}

export function writeCommitments(commitments: readonly Commitment[]): Buffer {
  const bytes = Buffer.allocUnsafe(commitments.length * COMMITMENT_BYTES);
  for (const [place, { kind, hash: made }] of commitments.entries()) {
    bytes[place * COMMITMENT_BYTES] = kind.charCodeAt(0);
    bytes.set(made, place * COMMITMENT_BYTES + 1);
  }
  return bytes;
}

export function readCommitments(bytes: Uint8Array): readonly Commitment[] {
  return Array.from({ length: Math.floor(bytes.length / COMMITMENT_BYTES) }, (_, place) => {
    const at = place * COMMITMENT_BYTES;
    return { kind: kindOf(bytes[at]), hash: bytes.subarray(at + 1, at + COMMITMENT_BYTES) };
  });
}

function kindOf(byte: number | undefined): CommitmentKind {
  const letter = String.fromCharCode(byte ?? 0);
  if (letter === 'l' || letter === 'r' || letter === 's') return letter;
  throw new TypeError(`There is no commitment of kind ${byte}`);
}

/** The salt of the commitment at this place; undefined once it was destroyed. */
export function saltAt(salts: Uint8Array, place: number): Buffer | undefined {
  const salt = Buffer.from(salts.subarray(place * SALT_BYTES, (place + 1) * SALT_BYTES));
  return salt.length === SALT_BYTES && salt.some((byte) => byte !== 0) ? salt : undefined;
}

/** Blobs one after the other: length of the key's id (1 byte), the id, length of the blob (4, big-endian), the blob. */
export function writeSealed(blobs: readonly SealedBlob[]): Buffer | null {
  if (blobs.length === 0) return null;
  const size = blobs.reduce((sum, { keyId, bytes }) => sum + 1 + Buffer.byteLength(keyId) + 4 + bytes.length, 0);
  const sealed = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { keyId, bytes } of blobs) {
    const length = sealed.write(keyId, at + 1, 'utf8');
    at = sealed.writeUInt32BE(bytes.length, sealed.writeUInt8(length, at) + length);
    sealed.set(bytes, at);
    at += bytes.length;
  }
  return sealed;
}

/** Throws `RangeError` where the bytes end within a blob. */
export function readSealed(sealed: Uint8Array | null): readonly SealedBlob[] {
  const bytes = Buffer.from(sealed ?? []);
  const blobs: SealedBlob[] = [];
  for (let at = 0; at < bytes.length;) {
    const idEnd = at + 1 + bytes.readUInt8(at);
    const end = idEnd + 4 + bytes.readUInt32BE(idEnd);
    if (end > bytes.length) throw new RangeError('The sealed bytes end within a blob');
    blobs.push({ keyId: bytes.toString('utf8', at + 1, idEnd), bytes: bytes.subarray(idEnd + 4, end) });
    at = end;
  }
  return blobs;
}
