import { readConfiguration, systemClock } from '@safekeep/core';
import { keysOfHome, type Keyring } from '@safekeep/capabilities/encryption';
import type { Database } from '@safekeep/postgres';

/** The ring of a home in which nothing was set: its root is a file that was made for it. */
export function fileRing(database: Database, home: string): Keyring {
  const configuration = readConfiguration({ flags: {}, environment: {}, file: {}, readFile: () => '' });
  return keysOfHome({ home, configuration, clock: systemClock, say: () => undefined }, database);
}
