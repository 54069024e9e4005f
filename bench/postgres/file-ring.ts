import { join } from 'node:path';
import { systemClock } from '@safekeep/core';
import { openKeyring, openRoots, type Keyring } from '@safekeep/capabilities/encryption';
import type { Database } from '@safekeep/postgres';

/** The ring of a home whose root is a file that was made for it. */
export function fileRing(database: Database, home: string): Keyring {
  const directory = join(home, 'keys');
  const settings = {
    kind: 'file',
    passphrase: undefined,
    ageIdentity: undefined,
    key: undefined,
    command: undefined,
    timeoutMs: 10_000,
    previous: undefined,
  } as const;
  const roots = openRoots({ settings, directory, now: () => systemClock.now(), onSecretMade: () => undefined });
  return openKeyring({ database, directory, clock: systemClock, roots });
}
