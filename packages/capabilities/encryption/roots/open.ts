import { SafekeepError, type Secret } from '@safekeep/core';
import { ageRoot } from './age.ts';
import { commandRoot } from './command.ts';
import { environmentRoot } from './environment.ts';
import { fileRoot, hasNextRoot } from './file.ts';
import type { Root, RootKind } from './root.ts';

export type RootSettings = {
  readonly kind: RootKind;
  readonly passphrase: Secret | undefined;
  readonly ageIdentity: Secret | undefined;
  readonly key: Secret | undefined;
  readonly command: string | undefined;
  readonly timeoutMs: number;
  /** The passphrase, identity, key or program before, while a root is being replaced. */
  readonly previous: Secret | undefined;
};

export type RootPlace = {
  readonly settings: RootSettings;
  readonly directory: string;
  readonly now: () => Date;
  readonly onSecretMade: (path: string) => void;
};

/** The roots of a home. */
export type Roots = {
  readonly place: RootPlace;
  /** The one that wraps; with `make` a root file is made on first use. */
  readonly current: (options?: { readonly make?: boolean }) => Promise<Root>;
  /** The one that wrapped this. Throws `key-root-wrong`. */
  readonly find: (wanted: { readonly kind: string; readonly id: string }) => Promise<Root>;
};

export function openRoots(place: RootPlace): Roots {
  const known: Root[] = [];
  const keep = (root: Root): Root => {
    if (!known.includes(root)) known.push(root);
    return root;
  };
  return {
    place,
    // Never from memory: another process may have put a new one in its place, and what is wrapped under the old one were lost.
    current: async ({ make = false } = {}) => keep(await openCurrent(place, make, known)),
    find: async ({ kind, id }) => {
      const matches = (root: Root): boolean => root.kind === kind && root.id === id;
      const found = known.find(matches);
      if (found !== undefined) return found;
      for (const open of candidates(place, kind)) {
        const root = keep(await open());
        if (matches(root)) return root;
      }
      throw new SafekeepError('key-root-wrong', { root: `${kind} ${id}` });
    },
  };
}

async function openCurrent(place: RootPlace, make: boolean, known: readonly Root[]): Promise<Root> {
  const [first] = candidates(place, place.settings.kind, { make, known });
  if (first === undefined) throw unfit(place.settings.kind);
  return await first();
}

/** What could be the root of this kind: the one of today, the next one, the one before. */
function candidates(
  { settings, directory, now, onSecretMade }: RootPlace,
  kind: string,
  { make = false, known = [] }: { readonly make?: boolean; readonly known?: readonly Root[] } = {},
): readonly (() => Promise<Root>)[] {
  const { passphrase, ageIdentity, key, command, timeoutMs, previous } = settings;
  const both = (secret: Secret | undefined): readonly Secret[] => [secret, previous].filter((each) => each !== undefined);
  if (kind === 'age') return both(ageIdentity).map((each) => () => ageRoot(each));
  if (kind === 'environment') return both(key).map((each) => async () => environmentRoot(each));
  if (kind === 'command') {
    const programs = [command, previous?.reveal()].filter((each) => each !== undefined);
    return programs.map((program) => () => commandRoot({ program, timeoutMs }));
  }
  if (kind !== 'file') return [];
  const file = { directory, passphrase, previous, now: now(), onSecretMade };
  return [
    () => fileRoot(file, { make, known }),
    async () => await fileRoot(file, { make: false, next: await hasNextRoot(directory) }),
  ];
}

function unfit(kind: RootKind): SafekeepError {
  const missing = {
    file: '',
    age: 'SAFEKEEP_ROOT_AGE_IDENTITY',
    environment: 'SAFEKEEP_ROOT_KEY',
    command: 'SAFEKEEP_ROOT_COMMAND',
  }[kind];
  return new SafekeepError('key-root-unfit', { root: kind, reason: `${missing} is not set` });
}
