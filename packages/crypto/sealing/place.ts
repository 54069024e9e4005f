import { FLAG_BYTES, FLAG_ROW, FLAG_SUBJECT, makeHeader } from './header.ts';
import type { SealingKey } from './key.ts';

/**
 * Where a value belongs. It opens there and nowhere else: cut out and put into another column, tenant, person or row it is as
 * good as changed. Names are no part of it: renaming a column must not destroy what stands in it.
 */
export type Place = {
  readonly tenant: string;
  /** The UUID that the map keeps for the column. */
  readonly field: string;
  /** Sealed under the key of one person: its id is in the header, and so the value is bound to that person. */
  readonly subject?: boolean;
  /** The key of the row as `safekeep.key_part` writes it; only where it is known before the write and never changes. */
  readonly row?: string;
};

const DOMAIN = Buffer.from('safekeep/1', 'latin1');
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const FIELD_BYTES = 16;
/** Both lengths are written in four bytes; a name or key near that is no name or key. */
const PART_BYTES_AT_MOST = 65_535;

function flagsOf({ subject = false, row }: Place): number {
  return (subject ? FLAG_SUBJECT : 0) | (row === undefined ? 0 : FLAG_ROW);
}

/** What is the same for all values of one key at one place: their first 12 bytes, and the authenticated data that has them in it. */
export type Bound = { readonly key: SealingKey; readonly header: Buffer; readonly data: Buffer };

/** Works it out for a key; the last one is remembered, for most values of a place are under one. */
export type Binder = (key: SealingKey) => Bound;

export function placeBinder(place: Place): Binder {
  if (!UUID.test(place.field)) throw new TypeError('The field of a place is a UUID');
  const row = place.row === undefined ? Buffer.alloc(0) : part(place.row);
  const field = Buffer.from(place.field.replaceAll('-', ''), 'hex').subarray(0, FIELD_BYTES);
  return binder(flagsOf(place), Buffer.concat([part(place.tenant), field, row]));
}

/** For bytes that are not the value of a field: `context` says what they are and where they belong. */
export function contextBinder(context: Uint8Array): Binder {
  return binder(FLAG_BYTES, context);
}

function binder(flags: number, rest: Uint8Array): Binder {
  let last: Bound | undefined;
  return (key) => {
    if (last?.key === key) return last;
    const header = makeHeader(flags, key.idBytes);
    last = { key, header, data: Buffer.concat([DOMAIN, header, rest]) };
    return last;
  };
}

function part(text: string): Buffer {
  if (!text.isWellFormed()) throw new TypeError('A tenant or row key is well-formed Unicode');
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > PART_BYTES_AT_MOST) throw new TypeError(`A tenant or row key has at most ${PART_BYTES_AT_MOST} bytes`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
