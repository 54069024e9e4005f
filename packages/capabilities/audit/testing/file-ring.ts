import type { Clock } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { join } from 'node:path';
import { openKeyring, openRoots, type Keyring, type RootSettings } from '../../encryption/index.ts';

const FILE_ROOT: RootSettings = {
  kind: 'file',
  passphrase: undefined,
  ageIdentity: undefined,
  key: undefined,
  command: undefined,
  timeoutMs: 10_000,
  previous: undefined,
};

/** The ring of a home whose root is a file that was made for it. */
export function fileRing({
  database,
  home,
  clock,
}: {
  readonly database: Database;
  readonly home: string;
  readonly clock: Clock;
}): Keyring {
  const directory = join(home, 'keys');
  const roots = openRoots({ settings: FILE_ROOT, directory, now: () => clock.now(), onSecretMade: () => undefined });
  return openKeyring({ database, directory, roots, clock });
}
