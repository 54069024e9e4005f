import { SafekeepError } from '@safekeep/core';
import { registerFollow } from '../cut-over/follow.ts';
import { installChangelog, removeChangelog } from '../cut-over/install.ts';
import type { ImportOptions, ImportResult } from '../model.ts';
import type { ImportContext } from './import-context.ts';
import { importSqlite } from './import-sqlite.ts';

/**
 * Imports a file that stays in use: it logs its own changes from before its first row is read, so that nothing falls between
 * the import and the first catching up. The caller has asked a person, for this writes into the source.
 */
export async function importAndFollow(context: ImportContext, options: ImportOptions): Promise<ImportResult> {
  if (options.onInvalid === 'quarantine')
    throw new SafekeepError('usage', {
      problem: '--follow does not go with --on-invalid quarantine: rows in quarantine cannot be followed',
    });
  const changelog = installChangelog(options.file);
  let isFollowed = false;
  try {
    // Two connections have to see the same state; with writes in between they would not.
    changelog.holdWriters();
    // Closed as soon as they do: when the import closes its own descriptors of the file, this process loses every lock on it.
    const result = await importSqlite(context, options, () => changelog.close());
    if (result.state === 'done') {
      await registerFollow(context, result.runId, changelog);
      isFollowed = true;
    }
    return result;
  } finally {
    changelog.close();
    if (!isFollowed) removeChangelog(options.file);
  }
}
