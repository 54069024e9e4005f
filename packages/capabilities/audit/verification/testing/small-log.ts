import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { append, emptyEdge, encodeEntryBundle, leafHash, signCheckpoint, TILE_WIDTH, tileInTree, tilePath } from '@safekeep/tlog';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

export const ORIGIN = 'example.com/log';

/** A signed log of `size` entries as a map from paths to bytes. */
export function smallLog(size: number) {
  const entries = Array.from({ length: size }, (_, index) => Buffer.from(JSON.stringify({ id: `event-${index}` })));
  const signer = signingKeyFromPem(createSigningKey(), 'safekeep');
  const { root, tiles } = append(emptyEdge, entries.map(leafHash));
  const files = new Map<string, Uint8Array>(tiles.map(({ tile, bytes }) => [tilePath(tile), bytes]));
  for (let index = 0; index * TILE_WIDTH < size; index += 1) {
    const bundle = entries.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
    files.set(tilePath(tileInTree('entries', index, size)), encodeEntryBundle(bundle));
  }
  const checkpoint = signCheckpoint({ origin: ORIGIN, size, root }, [signer]);
  files.set('checkpoint', Buffer.from(checkpoint));
  return { size, root, entries, files, signer, checkpoint, reader: async (path: string) => files.get(path) };
}

/** Writes files by their paths into a folder that is gone when the test is. */
export async function inFolder(t: Ending, files: ReadonlyMap<string, Uint8Array>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-log-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  return folder;
}
