import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestServer } from '@safekeep/postgres/testing';
import { importAndFollow } from '../../actions/import-and-follow.ts';
import { importOptions, temporaryFolder, workbench, type Ending, type Workbench } from '../../testing/workbench.ts';
import { fillShop } from './shop.ts';

export type TestContext = Ending & { readonly after: (run: () => Promise<void>) => void };

export type FollowedShop = Workbench & { readonly file: string; readonly sqlite: DatabaseSync; readonly runId: string };

/** A shop that is imported and followed from before its first row was read. `sqlite` is its application's connection. */
export async function followedShop(
  t: TestContext,
  options: { readonly server?: TestServer; readonly fill?: (sqlite: DatabaseSync) => void } = {},
): Promise<FollowedShop> {
  const bench = await workbench(t, options.server);
  const { file, sqlite } = openShop(t, options.fill);
  // Not while the import runs in this process: POSIX takes the locks of a file from a process that closes any descriptor of it.
  sqlite.close();
  const { runId, problems } = await importAndFollow(bench.context, importOptions(file));
  if (problems.length > 0) throw new Error(problems.join('; '));
  sqlite.open();
  sqlite.exec('PRAGMA synchronous = OFF');
  return { ...bench, file, sqlite, runId };
}

/** The file of a shop, and its application's connection, closed with the test. */
export function openShop(
  t: TestContext,
  fill: (sqlite: DatabaseSync) => void = fillShop,
): { readonly file: string; readonly sqlite: DatabaseSync } {
  const file = join(temporaryFolder(t), 'shop.sqlite');
  const sqlite = new DatabaseSync(file, { timeout: 20_000 });
  t.after(() => {
    if (sqlite.isOpen) sqlite.close();
  });
  // Nothing here needs to survive a power cut.
  sqlite.exec('PRAGMA synchronous = OFF');
  fill(sqlite);
  return { file, sqlite };
}
