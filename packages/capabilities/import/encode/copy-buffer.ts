/** Bytes of a binary COPY in the making; big-endian, as PostgreSQL sends everything. */
export class CopyBuffer {
  bytes: Buffer;
  at = 0;

  constructor(capacityBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacityBytes);
  }

  get room(): number {
    return this.bytes.length - this.at;
  }

  int16(value: number): void {
    const { bytes, at } = this;
    bytes[at] = value >> 8;
    bytes[at + 1] = value;
    this.at = at + 2;
  }

  int32(value: number): void {
    const { bytes, at } = this;
    bytes[at] = value >> 24;
    bytes[at + 1] = value >> 16;
    bytes[at + 2] = value >> 8;
    bytes[at + 3] = value;
    this.at = at + 4;
  }

  // One byte at a time beats Buffer.copy (a native call) up to this length.
  static readonly #LOOP_BYTES = 48;

  copy(source: Buffer, start: number, size: number): void {
    const { bytes, at } = this;
    if (size <= CopyBuffer.#LOOP_BYTES) {
      for (let index = 0; index < size; index += 1) bytes[at + index] = source[start + index] ?? 0;
    } else {
      source.copy(bytes, at, start, start + size);
    }
    this.at = at + size;
  }
}
