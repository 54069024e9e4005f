import { FLAG_ROW, FLAG_SUBJECT, HEADER_BYTES } from './header.ts';

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

export function flagsOf({ subject = false, row }: Place): number {
  return (subject ? FLAG_SUBJECT : 0) | (row === undefined ? 0 : FLAG_ROW);
}

/** Makes the authenticated data of values of one place: all of it but the header is the same for all of them. */
export function placeBinder(place: Place): (sealed: Uint8Array) => Buffer {
  if (!UUID.test(place.field)) throw new TypeError('The field of a place is a UUID');
  const tenant = part(place.tenant);
  const row = place.row === undefined ? Buffer.alloc(0) : part(place.row);
  const data = Buffer.concat([
    DOMAIN,
    Buffer.alloc(HEADER_BYTES),
    tenant,
    Buffer.from(place.field.replaceAll('-', ''), 'hex').subarray(0, FIELD_BYTES),
    row,
  ]);
  return (sealed) => {
    data.set(sealed.subarray(0, HEADER_BYTES), DOMAIN.length);
    return data;
  };
}

/** For bytes that are not the value of a field: `context` says what they are and where they belong. */
export function contextBinder(context: Uint8Array): (sealed: Uint8Array) => Buffer {
  const data = Buffer.concat([DOMAIN, Buffer.alloc(HEADER_BYTES), context]);
  return (sealed) => {
    data.set(sealed.subarray(0, HEADER_BYTES), DOMAIN.length);
    return data;
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
