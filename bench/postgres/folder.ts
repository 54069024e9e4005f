import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary folder for a cluster: the server's user must be able to pass through it. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-bench-'));
  await chmod(folder, 0o711);
  return folder;
}

/**
 * Removes what a stopped server left. Its log collector may outlive it by a moment and take a file away or put one down
 * while we look; that is no fault.
 */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
