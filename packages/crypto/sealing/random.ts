import { randomFillSync } from 'node:crypto';

/** One call to the system for many IVs: drawing each by itself takes longer than the encryption. */
const POOL_BYTES = 12 * 1024;

const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** Random bytes into all of `target`; never given out twice. */
export function fillRandom(target: Buffer): void {
  if (used + target.length > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  pool.copy(target, 0, used, used + target.length);
  used += target.length;
}
