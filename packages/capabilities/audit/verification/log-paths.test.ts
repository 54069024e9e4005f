import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { tilePath, tilesOfTree } from '@safekeep/tlog';
import { TENANT, writtenLog } from '../testing/written-log.ts';
import { exportTiles } from './export-tiles.ts';
import { readLogPath } from './log-paths.ts';

test('what a server hands out is byte for byte what the export writes, and nothing that is not signed', async (t) => {
  const { database, pool } = await testDatabase(t, { migrated: true });
  assert.equal(await readLogPath(database, TENANT, 'checkpoint'), undefined);
  const log = await writtenLog(pool);
  await log.write(300, (index) => ({ record: String(index) }));
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-log-'));
  t.after(() => rm(folder, { recursive: true }));
  const directory = join(folder, 'log');
  await exportTiles(database, { tenant: TENANT, directory, signal: new AbortController().signal, progress: () => undefined });
  for (const path of ['checkpoint', ...[...tilesOfTree(300)].map(tilePath)]) {
    const resource = await readLogPath(database, TENANT, path);
    assert.deepEqual(Buffer.from(resource?.body ?? []), await readFile(join(directory, path)), path);
    assert.equal(resource?.isImmutable, path !== 'checkpoint');
  }
  // A narrower partial tile of an older size is still there; a wider one is of no signed tree.
  assert.equal((await readLogPath(database, TENANT, 'tile/0/001.p/43'))?.body.length, 43 * 32);
  for (const path of [
    'tile/0/001.p/45',
    'tile/0/001',
    'tile/0/002',
    'tile/2/000',
    'tile/entries/002',
    '../checkpoint',
    'tile/0/1',
    '',
  ]) {
    assert.equal(await readLogPath(database, TENANT, path), undefined, path);
  }
  await pool.query('delete from safekeep.audit_events where leaf_index = 7');
  assert.equal(await readLogPath(database, TENANT, 'tile/entries/000'), undefined);
  assert.equal(await readLogPath(database, 'other', 'checkpoint'), undefined);
});
