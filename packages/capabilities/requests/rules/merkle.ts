import { hash } from 'node:crypto';

/** The Merkle tree hash of RFC 6962, section 2.1, over leaves that are told one after the other; keeps one hash a level. */
export class MerkleTree {
  #size = 0;
  /** Roots of the whole subtrees so far, largest first. */
  readonly #roots: { readonly hash: Buffer; readonly leaves: number }[] = [];

  add(leaf: Uint8Array): void {
    let made = { hash: sha256(Buffer.of(0), leaf), leaves: 1 };
    for (let last = this.#roots.at(-1); last !== undefined && last.leaves === made.leaves; last = this.#roots.at(-1)) {
      this.#roots.pop();
      made = { hash: sha256(Buffer.of(1), last.hash, made.hash), leaves: made.leaves * 2 };
    }
    this.#roots.push(made);
    this.#size += 1;
  }

  get size(): number {
    return this.#size;
  }

  root(): Buffer {
    const [last, ...rest] = this.#roots.toReversed();
    if (last === undefined) return sha256();
    return rest.reduce((right, left) => sha256(Buffer.of(1), left.hash, right), last.hash);
  }
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}
