import type pg from 'pg';
import { startTestServers, testDatabase, testServers } from '@safekeep/postgres/testing';
import type { Stage } from '../measure/bench.ts';

/** For a pool of the contender's own; it crosses into child processes. Holds a password: never printed or kept. */
export type DatabaseFixture = { readonly url: string };

/**
 * A fresh database, filled by `fill`, on a server of the bench's own: the embedded PostgreSQL with the settings of the
 * test servers. Those do not wait for the disk (fsync is off): compare what reads, or both sides on this same server.
 */
export async function stageDatabase(fill: (pool: pg.Pool) => Promise<void>): Promise<Stage<DatabaseFixture>> {
  await using down = new AsyncDisposableStack();
  const servers = await startTestServers();
  down.defer(servers.stop);
  // How testServers learns of them; child processes of contenders inherit it.
  Object.assign(process.env, servers.env);
  const database = down.use(await testDatabase(undefined, { server: testServers()[0] }));
  await fill(database.pool);
  const kept = down.move();
  return {
    fixture: { url: database.url.reveal() },
    version: `PostgreSQL ${database.database.server.version}`,
    close: () => kept.disposeAsync(),
  };
}
