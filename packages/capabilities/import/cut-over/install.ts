import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { SafekeepError } from '@safekeep/core';
import { readSourceSchema } from '../objects/index.ts';
import { createChangelog, dropChangelog, hasChangelog, openTables } from './source/changelog.ts';
import type { SourcePlan } from './model.ts';
import { planSource } from './source/source-plan.ts';
import { beginImmediate, openSource, sourceFailure } from './source/connection.ts';

/** A changelog that fills itself from now on. */
export type InstalledChangelog = SourcePlan & {
  readonly changelogId: string;
  /** Entries up to this one speak of what every later reading of the file has seen. */
  readonly position: number;
  /** Makes writers wait until `close`. */
  readonly holdWriters: () => void;
  /** Ends the connection that is kept open: as long as one is, a write-ahead log stays beside the file and readers see it. */
  readonly close: () => void;
};

/**
 * Makes a SQLite file log which rows change: the one case in which a source is written, agreed to by a person before.
 *
 * The order makes it whole: whoever reads the file after this returns sees all that was committed before, and all that is
 * committed later is in the log. Replaying an entry that the reading has seen already changes nothing, for rows are read
 * again by key as they are then.
 *
 * @param check is called while writers wait, before anything is written; what it throws leaves the file as it was.
 */
export function installChangelog(file: string, check?: (sqlite: DatabaseSync) => void): InstalledChangelog {
  const sqlite = openSource(file);
  try {
    beginImmediate(sqlite);
    if (hasChangelog(sqlite)) throw new SafekeepError('import-follow-exists', { file });
    const plan = planSource(sqlite, readSourceSchema(sqlite));
    check?.(sqlite);
    const changelogId = randomUUID();
    createChangelog(sqlite, plan.tables, changelogId);
    sqlite.exec('COMMIT');
    const close = (): void => {
      if (sqlite.isOpen) sqlite.close();
    };
    return {
      ...plan,
      changelogId,
      position: 0,
      holdWriters: () => beginImmediate(sqlite),
      close,
    };
  } catch (error) {
    sqlite.close();
    throw sourceFailure(error, file);
  }
}

/** Takes everything of ours out of the file, triggers that close it included. Does nothing where there is nothing. */
export function removeChangelog(file: string): void {
  const sqlite = openSource(file);
  try {
    beginImmediate(sqlite);
    openTables(sqlite);
    dropChangelog(sqlite);
    sqlite.exec('COMMIT');
  } catch (error) {
    throw sourceFailure(error, file);
  } finally {
    sqlite.close();
  }
}
