import { type Row, TEXT } from './row.ts';

/**
 * Converts the texts of a row from UTF-16 to UTF-8 (the row's body becomes a new buffer).
 *
 * A surrogate without its other half becomes the three bytes it would have as a character (WTF-8): not valid UTF-8, so that
 * the scan finds it, and not the replacement character, which would hide the loss.
 */
export function textToUtf8(row: Row, encoding: 'utf16le' | 'utf16be'): void {
  let bound = 0;
  for (let column = 0; column < row.kind.length; column += 1) {
    if ((row.kind[column] ?? 0) >= TEXT) bound += (row.size[column] ?? 0) * 2;
  }
  const body = Buffer.allocUnsafe(bound);
  let at = 0;
  for (let column = 0; column < row.kind.length; column += 1) {
    const kind = row.kind[column] ?? 0;
    if (kind < TEXT) continue;
    const source = row.bytes(column);
    const start = at;
    if (kind === TEXT) at = convert(source, encoding, body, at);
    else at += source.copy(body, at);
    row.start[column] = start;
    row.size[column] = at - start;
  }
  row.body = body.subarray(0, at);
  row.recordBytes = at;
}

function convert(source: Buffer, encoding: 'utf16le' | 'utf16be', target: Buffer, at: number): number {
  const little = encoding === 'utf16le';
  const unit = (index: number): number => (little ? source.readUInt16LE(index) : source.readUInt16BE(index));
  let out = at;
  for (let index = 0; index + 1 < source.length; index += 2) {
    let code = unit(index);
    if (code >= 0xd800 && code < 0xdc00 && index + 3 < source.length) {
      const second = unit(index + 2);
      if (second >= 0xdc00 && second < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
        index += 2;
      }
    }
    out = writeCodePoint(code, target, out);
  }
  return out;
}

function writeCodePoint(code: number, target: Buffer, at: number): number {
  if (code < 0x80) {
    target[at] = code;
    return at + 1;
  }
  if (code < 0x800) {
    target[at] = 0xc0 | (code >> 6);
    target[at + 1] = 0x80 | (code & 0x3f);
    return at + 2;
  }
  if (code < 0x10000) {
    target[at] = 0xe0 | (code >> 12);
    target[at + 1] = 0x80 | ((code >> 6) & 0x3f);
    target[at + 2] = 0x80 | (code & 0x3f);
    return at + 3;
  }
  target[at] = 0xf0 | (code >> 18);
  target[at + 1] = 0x80 | ((code >> 12) & 0x3f);
  target[at + 2] = 0x80 | ((code >> 6) & 0x3f);
  target[at + 3] = 0x80 | (code & 0x3f);
  return at + 4;
}
