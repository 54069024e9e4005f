// A verifier that shares no line with the program it judges. Written only from RFC 6962, RFC 8032 and the texts of C2SP
// (signed-note, tlog-checkpoint, tlog-tiles, tlog-proof), with node:crypto and the file system. Keep it so: import nothing of ours.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What an auditor would write down. Empty: the log is whole. */
export type Finding = { readonly what: string; readonly index?: number };

export type Head = { readonly origin: string; readonly size: number; readonly root: Buffer };

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part);
  return sum.digest();
};
const leafOf = (entry: Uint8Array): Buffer => sha256(Buffer.of(0), entry);
const parentOf = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.of(1), left, right);

/** signed-note and tlog-checkpoint: the head, if the key of `vkey` has signed it. */
export function readHead(note: string, vkey: string): Head | undefined {
  const parts = /^(.+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey.trim());
  const [, name = '', id = '', encoded = ''] = parts ?? [];
  const typed = Buffer.from(encoded, 'base64');
  if (typed.length !== 33 || typed[0] !== 1) return undefined;
  if (
    sha256(Buffer.from(`${name}\n`), typed)
      .subarray(0, 4)
      .toString('hex') !== id
  )
    return undefined;
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: typed.subarray(1).toString('base64url') }, format: 'jwk' });
  const end = note.lastIndexOf('\n\n') + 1;
  const text = note.slice(0, end);
  for (const line of note.slice(end + 1).split('\n')) {
    const [dash, signer, signature = ''] = line.split(' ');
    const bytes = Buffer.from(signature, 'base64');
    if (dash !== '\u2014' || signer !== name || bytes.subarray(0, 4).toString('hex') !== id) continue;
    if (!verify(null, Buffer.from(text), key, bytes.subarray(4))) return undefined;
    const [origin = '', size = '', root = ''] = text.split('\n');
    return { origin, size: Number(size), root: Buffer.from(root, 'base64') };
  }
  return undefined;
}

/** tlog-tiles: `tile/<L>/<N>[.p/<W>]`. */
function pathOf(level: string, index: number, width: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/\d{3}/g) ?? [];
  const number = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${number}${width < 256 ? `.p/${width}` : ''}`;
}

/** Reads the whole exported log in `directory` and says everything that is wrong with it. */
export function judgeLog(directory: string, vkey: string): { readonly head?: Head; readonly findings: readonly Finding[] } {
  const head = readHead(readFileSync(join(directory, 'checkpoint'), 'utf8'), vkey);
  if (head === undefined) return { findings: [{ what: 'the checkpoint is not signed by this key' }] };
  const findings: Finding[] = [];
  let row: Buffer[] = [];
  for (let start = 0; start < head.size; start += 256) {
    const width = Math.min(256, head.size - start);
    const file = join(directory, pathOf('entries', start / 256, width));
    const entries = existsSync(file) ? entriesOf(readFileSync(file)) : [];
    if (entries.length !== width) findings.push({ what: 'a bundle of entries is missing or cut', index: start });
    row.push(...Array.from({ length: width }, (_, at) => leafOf(entries[at] ?? Buffer.alloc(0))));
  }
  const leaves = row;
  for (let level = 0; row.length > 0; level += 1) {
    const above: Buffer[] = [];
    for (let start = 0; start < row.length; start += 256) {
      const hashes = row.slice(start, start + 256);
      const file = join(directory, pathOf(String(level), start / 256, hashes.length));
      const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
      const wrong = hashes.findIndex((hash, at) => !hash.equals(bytes.subarray(at * 32, (at + 1) * 32)));
      if (wrong >= 0 || bytes.length !== hashes.length * 32) {
        findings.push({
          what: `tile ${level}/${start / 256} does not fit what it covers`,
          index: (start + Math.max(0, wrong)) * 256 ** level,
        });
      }
      if (hashes.length === 256) above.push(rootOf(hashes));
    }
    row = above;
  }
  if (!rootOf(leaves).equals(head.root)) findings.push({ what: 'the entries do not lead to the signed root' });
  return { head, findings };
}

/** The first `size` leaves of an exported log still lead to what an older checkpoint has signed: nothing was rewritten since. */
export function continues(directory: string, older: Head, head: Head): boolean {
  if (older.origin !== head.origin || older.size > head.size) return false;
  const leaves: Buffer[] = [];
  for (let start = 0; start < head.size; start += 256) {
    const file = join(directory, pathOf('entries', start / 256, Math.min(256, head.size - start)));
    leaves.push(...entriesOf(readFileSync(file)).map(leafOf));
  }
  return rootOf(leaves.slice(0, older.size)).equals(older.root);
}

/** tlog-proof: whether `entry` stands where the file says, in a tree that the key has signed. */
export function judgeProof(text: string, entry: Uint8Array, vkey: string): boolean {
  const gap = text.indexOf('\n\n');
  const lines = text.slice(0, gap).split('\n');
  const head = readHead(text.slice(gap + 2), vkey);
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1' || head === undefined) return false;
  if (lines[0]?.startsWith('extra ') === true) lines.shift();
  const index = Number(/^index (\d+)$/.exec(lines.shift() ?? '')?.[1] ?? 'none');
  const path = lines.map((line) => Buffer.from(line, 'base64'));
  const root = climb(leafOf(entry), index, head.size, path);
  return root?.equals(head.root) === true;
}

/** RFC 6962, 2.1.1, read backwards: the root that a path leads to. */
function climb(leaf: Buffer, index: number, size: number, path: readonly Buffer[]): Buffer | undefined {
  if (!(index >= 0 && index < size)) return undefined;
  if (size === 1) return path.length === 0 ? leaf : undefined;
  const last = path.at(-1);
  if (last === undefined) return undefined;
  const k = powerBelow(size);
  const rest = path.slice(0, -1);
  if (index < k) {
    const left = climb(leaf, index, k, rest);
    return left === undefined ? undefined : parentOf(left, last);
  }
  const right = climb(leaf, index - k, size - k, rest);
  return right === undefined ? undefined : parentOf(last, right);
}

/** tlog-tiles: big-endian uint16, then so many bytes; what does not fit ends the list. */
export function entriesOf(bytes: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

/** RFC 6962, 2.1: MTH, over leaf hashes. */
function rootOf(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes;
  if (first === undefined) return sha256();
  if (hashes.length === 1) return first;
  const k = powerBelow(hashes.length);
  return parentOf(rootOf(hashes.slice(0, k)), rootOf(hashes.slice(k)));
}

function powerBelow(count: number): number {
  return 2 ** (Math.ceil(Math.log2(count)) - 1);
}
