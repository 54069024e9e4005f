import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import pg from 'pg';
import { stopEmbedded } from '../home.ts';

/** An empty folder that the server's user may pass; gone after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-home-'));
  await chmod(folder, 0o711);
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The path of a home inside a folder of its own; the home's server is stopped after the test. */
export async function temporaryHome(t: TestContext, name = 'home'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-home-'));
  await chmod(folder, 0o711);
  const home = join(folder, name);
  t.after(async () => {
    await stopEmbedded(home);
    await rm(folder, { recursive: true, force: true });
  });
  return home;
}

export async function ask(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}
