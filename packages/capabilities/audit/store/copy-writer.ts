/** Rows are sent in pieces of about this size. */
const PIECE_BYTES = 65_536;
/** PostgreSQL manual, COPY, binary format: signature, flags, length of the header's extension. */
const HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
const TRAILER = Buffer.from('ffff', 'hex');
const TEXT_OID = 25;
const JSONB_VERSION = 1;
/** PostgreSQL counts from 2000-01-01 UTC. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
const WORD = 2 ** 32;

/**
 * Rows in the binary format of COPY: neither here nor in the server is anything turned into a text and back. A null is written by every
 * method that may be given one.
 */
export type CopyWriter = ReturnType<typeof copyWriter>;

export function copyWriter() {
  let piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let at = HEADER.copy(piece);
  const done: Buffer[] = [];
  /** Bytes that are not reused: the socket may still read them. */
  const need = (size: number): void => {
    if (at + size <= piece.length) return;
    done.push(piece.subarray(0, at));
    piece = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, size));
    at = 0;
  };
  const none = (): void => {
    need(4);
    at = piece.writeInt32BE(-1, at);
  };
  const texted = (value: string, version?: number): void => {
    // A character of UTF-16 has three bytes of UTF-8 at most.
    need(5 + 3 * value.length);
    const from = at + 4;
    const begin = version === undefined ? from : piece.writeUInt8(version, from);
    const end = begin + piece.write(value, begin, 'utf8');
    piece.writeInt32BE(end - from, at);
    at = end;
  };
  const wide = (value: number): void => {
    at = piece.writeInt32BE(Math.floor(value / WORD), at);
    at = piece.writeUInt32BE(value - Math.floor(value / WORD) * WORD, at);
  };
  const instants = instantReader();
  return {
    begin: (columns: number): void => {
      need(2);
      at = piece.writeInt16BE(columns, at);
    },
    text: (value: string | null): void => (value === null ? none() : texted(value)),
    jsonb: (value: string | null): void => (value === null ? none() : texted(value, JSONB_VERSION)),
    integer: (value: number): void => {
      need(8);
      at = piece.writeInt32BE(value, piece.writeInt32BE(4, at));
    },
    /** @throws `RangeError` beyond 2^53 */
    bigint: (value: number | string): void => {
      const number = Number(value);
      if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is beyond what is written exactly`);
      need(12);
      at = piece.writeInt32BE(8, at);
      wide(number);
    },
    /** UTC, microseconds: `2026-11-29T14:30:00.123456Z`. */
    instant: (value: string): void => {
      need(12);
      at = piece.writeInt32BE(8, at);
      wide(instants(value));
    },
    uuid: (value: string): void => {
      need(20);
      at = piece.writeInt32BE(16, at);
      at += piece.write(value.replaceAll('-', ''), at, 'hex');
    },
    bytes: (value: Uint8Array | null): void => {
      if (value === null) return none();
      need(4 + value.length);
      at = piece.writeInt32BE(value.length, at);
      piece.set(value, at);
      at += value.length;
    },
    texts: (values: readonly string[] | null): void => {
      if (values === null) return none();
      const bytes = values.map((value) => Buffer.from(value, 'utf8'));
      need(24 + bytes.reduce((sum, { length }) => sum + 4 + length, 0));
      const from = at;
      // Dimensions, no nulls in it, type; of the one dimension its length and first place.
      const head = values.length === 0 ? [0, 0, TEXT_OID] : [1, 0, TEXT_OID, values.length, 1];
      at += 4;
      for (const number of head) at = piece.writeInt32BE(number, at);
      for (const each of bytes) {
        at = piece.writeInt32BE(each.length, at);
        at += each.copy(piece, at);
      }
      piece.writeInt32BE(at - from - 4, from);
    },
    /** What is full since it was asked last. */
    full: (): Buffer[] => done.splice(0),
    end: (): Buffer[] => [...done.splice(0), piece.subarray(0, at), TRAILER],
  };
}

/** To microseconds since 2000. Of instants that follow each other most are of the same second. */
function instantReader(): (value: string) => number {
  let [second, secondMs] = ['', Number.NaN];
  return (value) => {
    const own = value.slice(0, 19);
    if (own !== second) [second, secondMs] = [own, Date.parse(`${own}Z`)];
    const micros = (secondMs - EPOCH_MS) * 1000 + Number(value.slice(20, 26));
    if (!/^\d{6}$/.test(value.slice(20, 26)) || value.length !== 27 || !Number.isSafeInteger(micros))
      throw new RangeError(`${value} is no instant`);
    return micros;
  };
}
