import { readConfiguration, type Clock } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { keysOfHome, type Keyring } from '../../encryption/index.ts';

/** The ring of a home in which nothing was set: its root is a file that was made for it. */
export function fileRing({
  database,
  home,
  clock,
}: {
  readonly database: Database;
  readonly home: string;
  readonly clock: Clock;
}): Keyring {
  const configuration = readConfiguration({ flags: {}, environment: {}, file: {}, readFile: () => '' });
  return keysOfHome({ home, configuration, clock, say: () => undefined }, database);
}
