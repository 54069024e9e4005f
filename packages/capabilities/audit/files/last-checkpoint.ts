import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { privateFiles } from '@safekeep/files';
import { peekCheckpoint, type Checkpoint } from '@safekeep/tlog';

const { makeFolder, replaceFile } = privateFiles();

/**
 * The newest signed checkpoint of a log, kept outside of the database that it is about: a database put back to an earlier state brings
 * its own checkpoints back along, and would sign another history after them.
 */
export type LastCheckpoint = {
  readonly read: (log: LogName) => Promise<(Checkpoint & { readonly note: string }) | undefined>;
  /** In which database the log was begun, whatever era it is in; undefined before the first write. */
  readonly owner: (log: LogName) => Promise<string | undefined>;
  /** On disk before it returns. Only under the sequencer's lock. `database` is remembered beside it: see {@link ownersOfLogs}. */
  readonly write: (log: LogName, note: string, database: string) => Promise<void>;
};

/** Each era of a log has a file of its own, which stays when the next one begins: else nobody would miss what an era lost. */
export type LogName = { readonly tenant: string; readonly origin: string };

const SAFE = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export function lastCheckpoint(home: string): LastCheckpoint {
  const directory = join(home, 'audit');
  const pathOf = (log: LogName): string => join(directory, `${logName(log)}.checkpoint`);
  return {
    read: async (log) => {
      const path = pathOf(log);
      try {
        const note = await readFile(path, 'utf8');
        const checkpoint = peekCheckpoint(note);
        // What was put there of another log says nothing of this one.
        return checkpoint.origin === log.origin ? { ...checkpoint, note } : undefined;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw new SafekeepError(
          'file-unreadable',
          { path, reason: error instanceof Error ? error.message : 'unknown' },
          { cause: error },
        );
      }
    },
    owner: (log) => readOwner(ownerPath(pathOf(log))),
    write: async (log, note, database) => {
      const path = pathOf(log);
      await makeFolder(directory);
      const owner = ownerPath(path);
      if ((await readOwner(owner)) !== database) await replaceFile(owner, `${database}\n`);
      await replaceFile(path, note);
    },
  };
}

/** Why a file could not be written. */
export function unwritable(path: string, cause: unknown): SafekeepError {
  const code = codeOf(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new SafekeepError('disk-full', { path }, { cause });
  return new SafekeepError('file-unwritable', { path, reason: cause instanceof Error ? cause.message : 'unknown' }, { cause });
}

/** What files of a log begin with. A tenant's name comes from a row and must not become a path. */
export function logName({ tenant, origin }: LogName): string {
  const id = /\/([0-9a-f]{8}(?:-\d{1,7})?)$/.exec(origin)?.[1] ?? 'log';
  return `${tenantName(tenant)}-${id}`;
}

export function tenantName(tenant: string): string {
  return SAFE.test(tenant) ? tenant : `x${Buffer.from(tenant).toString('hex').slice(0, 120)}`;
}

/** One for all eras. An era has fewer digits than the name of a log. */
function ownerPath(path: string): string {
  return path.replace(/(-[0-9a-f]{8})(?:-\d{1,7})?\.checkpoint$/, '$1.database');
}

async function readOwner(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * In which database each log that the home has a checkpoint of was signed, by the 8 hex digits of its origin. A home may serve several
 * databases: without this a log that was thrown away whole could not be told from one of another database.
 */
export async function ownersOfLogs(home: string): Promise<ReadonlyMap<string, string>> {
  const directory = join(home, 'audit');
  const names = await readdir(directory).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const owners = new Map<string, string>();
  for (const name of names) {
    const id = /-([0-9a-f]{8})\.database$/.exec(name)?.[1];
    const owner = id === undefined ? undefined : await readOwner(join(directory, name));
    if (id !== undefined && owner !== undefined) owners.set(id, owner);
  }
  return owners;
}
