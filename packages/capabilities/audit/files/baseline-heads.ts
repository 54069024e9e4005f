import { join } from 'node:path';
import { SafekeepError } from '@safekeep/core';
import { privateFiles, readPrivate } from '@safekeep/files';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import { tenantName } from './last-checkpoint.ts';

const { makeFolder, replaceFile } = privateFiles();

const Head = Type.Object({ id: Type.Union([Type.String(), Type.Null()]), next: Type.Optional(Type.String()) });
/**
 * The newest baseline of a table: its id, which binds all that the log tells of it, since both stand under one mark; null before the first. `next`
 * is written down before it is committed: after a crash only the log tells whether it came to be.
 */
export type Head = Readonly<Static<typeof Head>>;
const Heads = Type.Record(Type.String(), Head);

/** By table. */
export type Heads = ReadonlyMap<string, Head>;

/** Whose baselines: of a tenant's log, in a database as `readDatabaseId` names it. */
export type HeadsOf = { readonly tenant: string; readonly database: string };

/**
 * Which baselines were taken last, kept outside of the database that they are about: who deletes the newest one before the log has it, or puts
 * the log back to before it, has the one of before stand again, or none, and whatever was done unseen made right by the next.
 */
export type BaselineHeads = {
  /** Empty where the home knows of none yet. Throws `file-unreadable`, `key-file-unsafe`. */
  readonly read: (of: HeadsOf) => Promise<Heads>;
  /** On disk before it returns. */
  readonly write: (of: HeadsOf, heads: Heads) => Promise<void>;
};

export function baselineHeads(home: string): BaselineHeads {
  const directory = join(home, 'audit');
  const pathOf = ({ tenant, database }: HeadsOf): string =>
    join(directory, `${tenantName(tenant)}-${database.replace('/', '-')}.baselines`);
  return {
    read: async (of) => {
      const path = pathOf(of);
      const text = await readPrivate(path);
      return text === undefined ? new Map() : new Map(Object.entries(parsed(text, path)));
    },
    write: async (of, heads) => {
      await makeFolder(directory);
      await replaceFile(pathOf(of), `${JSON.stringify(Object.fromEntries(heads))}\n`);
    },
  };
}

function parsed(text: string, path: string): Static<typeof Heads> {
  try {
    return Schema.Parse(Heads, JSON.parse(text));
  } catch (cause) {
    throw new SafekeepError('file-unreadable', { path, reason: 'it is no list of baselines' }, { cause });
  }
}
