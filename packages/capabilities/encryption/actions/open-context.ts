import { join, resolve } from 'node:path';
import { isSafekeepError } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type { CommandContext } from '../../capability.ts';
import type { RecordEvent } from '../model.ts';
import { openRoots } from '../roots/open.ts';
import { readEpochs } from '../store/epochs.ts';
import { listRing } from './list-keys.ts';
import { openKeyring, type Keyring } from './open-keys.ts';

/** Who puts into the log what the keys of a command do. */
export type RecordFor = (context: CommandContext) => RecordEvent;

export type OpenKeysOptions = {
  readonly database?: Database;
  readonly record?: RecordEvent;
};

/** Where the key files of a call lie. */
function keysDirectory({ home, configuration }: Pick<CommandContext, 'home' | 'configuration'>): string {
  const { keysDirectory: named } = configuration;
  return named === undefined ? join(home, 'keys') : resolve(named);
}

/** The key ring of a home. Nothing is read or made before a key is asked for. Whoever opens it closes it. */
export async function openKeys(context: CommandContext, { database, record }: OpenKeysOptions = {}): Promise<Keyring> {
  return keysOfHome(context, database ?? (await context.database()), record);
}

/** The same for an application, which has no command around it. `say` is told once, when a secret is made for the home. */
export function keysOfHome(
  context: Pick<CommandContext, 'home' | 'configuration' | 'clock' | 'say'>,
  database: Database,
  record?: RecordEvent,
): Keyring {
  const { configuration, clock } = context;
  const directory = keysDirectory(context);
  const roots = openRoots({
    directory,
    now: () => clock.now(),
    settings: {
      kind: configuration.rootKind,
      passphrase: configuration.rootPassphrase,
      ageIdentity: configuration.rootAgeIdentity,
      key: configuration.rootKey,
      command: configuration.rootCommand,
      timeoutMs: configuration.rootTimeoutMs,
      previous: configuration.rootPrevious,
    },
    onSecretMade: (path) =>
      context.say(
        `All keys of this home are opened by a secret that was made for it: ${path}. Whoever copies that folder and the database reads everything. Set SAFEKEEP_ROOT_PASSPHRASE and run "safekeep keys rotate root" to keep the two apart, and "safekeep keys backup --out FOLDER --shares 3 --threshold 2" before anything is lost.`,
      ),
  });
  return openKeyring({
    database,
    directory,
    roots,
    clock,
    ...(record === undefined ? {} : { record }),
  });
}

export type KeysHealth = { readonly state: 'ok' | 'warn' | 'fail' | 'not-evaluable'; readonly detail: string };

const UNPARTED =
  'the secret that opens the keys lies beside them, so whoever copies that folder and the database reads everything: set SAFEKEEP_ROOT_PASSPHRASE, then safekeep keys rotate root';

/** Whether the keys of this tenant open, and what is to be done about them: for doctor. */
export async function keysHealth(context: CommandContext, database: Database): Promise<KeysHealth> {
  const { tenant } = context;
  const ring = await openKeys(context, { database });
  try {
    const epochs = await inTenant(database, tenant, (client) => readEpochs(client, tenant));
    if (epochs.length === 0) return { state: 'ok', detail: 'no keys yet; the first sealed value makes them' };
    const epoch = await ring.epochs.current(tenant);
    const { alerts } = await listRing(ring, tenant, { limit: 1, places: undefined });
    const { isUnparted = false } = await ring.ground.roots.current();
    const worries = [
      ...(alerts.length === 0 ? [] : [`${alerts.join(', ')}: safekeep keys list`]),
      ...(isUnparted ? [UNPARTED] : []),
    ];
    return { state: worries.length === 0 ? 'ok' : 'warn', detail: [`epoch ${epoch} opens`, ...worries].join('; ') };
  } catch (error) {
    if (isSafekeepError(error)) return { state: 'fail', detail: `${error.message} ${error.remedy}` };
    throw error;
  } finally {
    ring.forget();
  }
}
