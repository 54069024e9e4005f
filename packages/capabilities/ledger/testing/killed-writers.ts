import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { untilKilled } from '@safekeep/postgres/testing';
import { gather, intent, workbench } from './workbench.ts';

const CHILD = fileURLToPath(new URL('./append.test-process.ts', import.meta.url));
const LONGEST_MS = 120;

/**
 * Kills writers at random moments, and looks each time whether every acknowledged entry is there once, the chain verifies, and
 * nobody has to mend anything.
 */
export async function killAndLook(
  t: { readonly after: (run: () => Promise<void>) => void },
  kills: number,
  random: () => number,
): Promise<number> {
  const { folder, directory, copyDirectory, keyFile, signingKey, open, verify } = await workbench(t, { copy: true });
  const pem = join(folder, 'signing.pem');
  await writeFile(pem, signingKey, { mode: 0o600 });
  const acknowledged: string[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    acknowledged.push(...(await appendUntilKilled([CHILD, directory, copyDirectory, keyFile, pem], random() * LONGEST_MS)));
    const ledger = await open();
    await ledger.append(intent());
    const found = (await gather(ledger.read())).map(({ entry }) => entry.id);
    ledger.close();
    assert.equal(new Set(found).size, found.length, 'nothing is there twice');
    const present = new Set<string>(found);
    assert.deepEqual(
      acknowledged.filter((id) => !present.has(id)),
      [],
      'everything acknowledged is there',
    );
    const { faults, copy } = await verify();
    assert.deepEqual([faults, copy.state], [[], 'equal']);
  }
  return acknowledged.length;
}

/** A line that the kill cut off was acknowledged all the same, but its id cannot be known. */
async function appendUntilKilled(args: readonly string[], afterMs: number): Promise<readonly string[]> {
  return (await untilKilled(args, afterMs)).filter((id) => id !== '');
}
