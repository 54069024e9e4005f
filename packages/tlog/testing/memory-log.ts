import { generateKeyPairSync, sign } from 'node:crypto';
import { append, emptyEdge, type Edge } from '../edge.ts';
import { leafHash, type Hash } from '../hashing.ts';
import { keyIdOf, type NoteSigner } from '../keys.ts';
import { encodeEntryBundle, parseTilePath, TILE_WIDTH, tileInTree, tilePath, type TileReader } from '../tiles.ts';

/** `entry 0`, `entry 1`, … */
export function numbered(count: number, from = 0): Buffer[] {
  return Array.from({ length: count }, (_, at) => Buffer.from(`entry ${from + at}`));
}

/** A log in memory whose tiles are kept by path, every partial one included. */
export function memoryLog() {
  const files = new Map<string, Uint8Array>();
  const entries: Uint8Array[] = [];
  let edge: Edge = emptyEdge;
  const grow = (added: readonly Uint8Array[]): { size: number; root: Hash } => {
    const result = append(edge, added.map(leafHash));
    const firstBundle = Math.floor(entries.length / TILE_WIDTH);
    entries.push(...added);
    edge = result.edge;
    for (const { tile, bytes } of result.tiles) files.set(tilePath(tile), bytes);
    for (let index = firstBundle; index * TILE_WIDTH < entries.length; index += 1) {
      const bundle = entries.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
      files.set(tilePath(tileInTree('entries', index, entries.length)), encodeEntryBundle(bundle));
    }
    return { size: edge.size, root: result.root };
  };
  const read: string[] = [];
  const reader: TileReader = async (path) => {
    if (parseTilePath(path) === undefined) throw new Error(`no path of a tile: ${path}`);
    read.push(path);
    return files.get(path);
  };
  return { files, entries, grow, reader, read, edge: () => edge };
}

/** A key pair as the home's signer has it. Type 1 signs notes, type 4 countersigns them at second 1679315147. */
export function signerNamed(keyName: string, type: 1 | 4 = 1): NoteSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const verifierKey = `${keyName}+${keyIdOf(keyName, type, raw)}+${Buffer.concat([Buffer.of(type), raw]).toString('base64')}`;
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(1_679_315_147n);
  const cosign = (text: Uint8Array): Buffer =>
    Buffer.concat([time, sign(null, Buffer.concat([Buffer.from('cosignature/v1\ntime 1679315147\n'), text]), privateKey)]);
  return { verifierKey, signBytes: type === 1 ? (bytes) => sign(null, bytes, privateKey) : cosign };
}
