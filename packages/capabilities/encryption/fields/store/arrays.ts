/**
 * Arrays in PostgreSQL's binary form (`array_send` of the server): a batch of 5,000 values goes as the bytes that they are, where
 * the text form would write each in hex, quote it, and have the server take it apart again.
 */

/** pg_type.oid of the elements; these are fixed in the server's catalogue. */
const OID = { bytea: 17, int8: 20, text: 25, tid: 27 } as const;

const HEADER_BYTES = 20;
const ABSENT = -1;

export function byteaArray(values: readonly (Uint8Array | null)[]): Buffer {
  return encode(OID.bytea, values);
}

export function textArray(values: readonly (string | null)[]): Buffer {
  return encode(
    OID.text,
    values.map((value) => (value === null ? null : Buffer.from(value, 'utf8'))),
  );
}

/** In decimal, as node-postgres gives an int8. */
export function int8Array(values: readonly (string | null)[]): Buffer {
  return encode(
    OID.int8,
    values.map((value) => {
      if (value === null) return null;
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeBigInt64BE(BigInt(value));
      return bytes;
    }),
  );
}

/** Places as PostgreSQL prints them: `(12,3)`. */
export function tidArray(places: readonly string[]): Buffer {
  return encode(
    OID.tid,
    places.map((place) => {
      const comma = place.indexOf(',');
      const bytes = Buffer.allocUnsafe(6);
      bytes.writeUInt32BE(Number(place.slice(1, comma)));
      bytes.writeUInt16BE(Number(place.slice(comma + 1, -1)), 4);
      return bytes;
    }),
  );
}

function encode(elementType: number, values: readonly (Uint8Array | null)[]): Buffer {
  const bodyBytes = values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), 0);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes);
  // One dimension, whether any is NULL, the type, how many, and the number of the first.
  for (const [place, header] of [1, values.includes(null) ? 1 : 0, elementType, values.length, 1].entries())
    bytes.writeInt32BE(header, place * 4);
  let at = HEADER_BYTES;
  for (const value of values) {
    bytes.writeInt32BE(value === null ? ABSENT : value.length, at);
    at += 4;
    if (value === null) continue;
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}
