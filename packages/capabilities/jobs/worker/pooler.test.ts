import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Secret } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { enqueueBatch } from '../actions/enqueue.ts';
import { EFFECTS, STEPS, stepped } from '../testing/kinds.ts';
import { openWorkshop, TENANT, until } from '../testing/workshop.ts';

const PGBOUNCER = '/usr/sbin/pgbouncer';
// Debian's uid of nobody; pgBouncer refuses to run as root.
const NOBODY = 65_534;

test(
  'jobs are enqueued and run through pgBouncer in transaction mode',
  { skip: !existsSync(PGBOUNCER) && 'pgbouncer is not installed' },
  async (t) => {
    const shop = await openWorkshop(t);
    await shop.pool.query(EFFECTS);
    const target = new URL(shop.url.reveal());
    const folder = await mkdtemp(join(tmpdir(), 'safekeep-pooler-'));
    await chmod(folder, 0o755);
    const port = await freePort();
    await writeFile(join(folder, 'users.txt'), `"${target.username}" "${target.password}"\n`);
    await writeFile(
      join(folder, 'pgbouncer.ini'),
      `[databases]\n* = host=127.0.0.1 port=${target.port}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\nunix_socket_dir=\nauth_type=plain\nauth_file=${folder}/users.txt\npool_mode=transaction\ndefault_pool_size=3\n`,
    );
    const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    const pooler = spawn(PGBOUNCER, [join(folder, 'pgbouncer.ini')], { ...user, cwd: '/', stdio: 'ignore' });
    try {
      target.port = String(port);
      const database = await until(() => openDatabase(new Secret(target.href)).catch(() => undefined));
      const jobs = await enqueueBatch(
        database,
        stepped,
        Array.from({ length: 20 }, () => ({ payload: {} })),
        { tenant: TENANT },
      );
      const worker = await shop.worker([stepped], { database });
      for (const { id } of jobs) await shop.becomes(id, 'done');
      assert.equal((await shop.pool.query('select from public.effects')).rowCount, jobs.length * STEPS);
      await worker.drain();
      await database.close();
    } finally {
      const gone = once(pooler, 'exit');
      pooler.kill('SIGTERM');
      await gone;
      await rm(folder, { recursive: true, force: true });
      const others = "select from pg_stat_activity where datname = current_database() and application_name not like 'test %'";
      await until(async () => (await shop.pool.query(others)).rowCount === 0);
    }
  },
);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  server.close();
  await once(server, 'close');
  return address.port;
}
