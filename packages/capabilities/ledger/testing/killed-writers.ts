import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
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

async function appendUntilKilled(args: readonly string[], afterMs: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
  const ended = once(child, 'close');
  // From its first entry on; starting the process is not what is tested.
  await Promise.race([once(child.stdout, 'data'), ended]);
  await Promise.race([wait(afterMs), ended]);
  child.kill('SIGKILL');
  await ended;
  // A line that the kill cut off was acknowledged all the same, but its id cannot be known.
  return told
    .slice(0, told.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((id) => id !== '');
}
