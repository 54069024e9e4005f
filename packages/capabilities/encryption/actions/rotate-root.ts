import { SafekeepError } from '@safekeep/core';
import { epochsOf, kekCheck, readKek, replaceKek, tenantsOf } from '../files/epochs.ts';
import { withStoreLock } from '../files/lock.ts';
import { fileRoot, promoteNextRoot, type FileRootOptions } from '../roots/file.ts';
import type { Root } from '../roots/root.ts';
import { openKek, wrapKek } from './epoch-keys.ts';
import type { Keyring } from './open-keys.ts';

export type RootRotated = {
  readonly now: string;
  readonly before: readonly string[];
  readonly rewrapped: number;
  readonly destruction: Readonly<Record<string, string>>;
};

/**
 * Wraps the keys of all epochs of all tenants of this home under a new root: of the kind `file` a new root file, else the one that
 * the settings name. The old root goes when nothing is wrapped under it any more. One that was killed goes on where it stopped.
 *
 * @throws `key-busy`, `key-root-wrong`, `key-root-unreachable`, `key-store-unwritable`: then the old root still opens what it did.
 */
export async function rotateRoot(
  ring: Keyring,
  { destroyOld = false }: { readonly destroyOld?: boolean } = {},
): Promise<RootRotated> {
  const { directory, roots } = ring.ground;
  return await withStoreLock(directory, async () => {
    const { place } = roots;
    const files: FileRootOptions = {
      directory,
      passphrase: place.settings.passphrase,
      previous: place.settings.previous,
      now: place.now(),
      onSecretMade: place.onSecretMade,
    };
    const isFile = place.settings.kind === 'file';
    const target = isFile ? await fileRoot(files, { make: true, next: true }) : await roots.current({ make: true });
    const before = new Map<string, Root>();
    let rewrapped = 0;
    for (const tenant of await tenantsOf(directory)) {
      for (const { epoch, destroyedAt } of await epochsOf(directory, tenant)) {
        const kek = destroyedAt === null ? await readKek(directory, tenant, epoch) : undefined;
        if (kek === undefined || (kek.root.kind === target.kind && kek.root.id === target.id)) continue;
        const old = await roots.find(kek.root);
        before.set(`${old.kind} ${old.id}`, old);
        const bytes = await openKek(roots, kek);
        await replaceKek(directory, await wrapKek(target, bytes, { tenant, epoch, createdAt: kek.createdAt }));
        await verifyKek(directory, target, { tenant, epoch, check: kekCheck(bytes) });
        bytes.fill(0);
        rewrapped += 1;
      }
    }
    if (isFile) await promoteNextRoot(directory);
    const destruction: Record<string, string> = {};
    for (const [name, old] of before) {
      // A file of ours goes with it. Another one may serve others too: only when that is asked for.
      if (old.kind === 'file' ? isFile : !destroyOld) continue;
      const answer = await old.destroy();
      destruction[name] = answer === 'unsupported' ? answer : answer.at.toISOString();
    }
    for (const tenant of await tenantsOf(directory))
      await ring.log({ operation: 'rotate-root', tenant, keyId: null, rows: rewrapped, error: null });
    return { now: `${target.kind} ${target.id}`, before: [...before.keys()], rewrapped, destruction };
  });
}

async function verifyKek(
  directory: string,
  root: Root,
  { tenant, epoch, check }: { readonly tenant: string; readonly epoch: number; readonly check: string },
): Promise<void> {
  const kek = await readKek(directory, tenant, epoch);
  const bytes = kek === undefined ? undefined : await root.unwrap(Buffer.from(kek.wrapped, 'base64'));
  if (bytes === undefined || kekCheck(bytes) !== check)
    throw new SafekeepError('key-root-wrong', { root: `${root.kind} ${root.id}` });
}
