import { readBytes } from './segments.ts';

const CHUNK_BYTES = 1_048_576;

/** Whether two files begin with the same `length` bytes. */
export async function compareFiles(one: string, other: string, length: number): Promise<boolean> {
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const chunkBytes = Math.min(CHUNK_BYTES, length - at);
    const [a, b] = [await readBytes(one, at, chunkBytes), await readBytes(other, at, chunkBytes)];
    if (!a.equals(b)) return false;
  }
  return true;
}
