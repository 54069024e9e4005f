import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { safekeep, temporaryHome } from '../testing/safekeep.ts';

test('stop says that nothing was running where there is no home, or a file in its place', async (t) => {
  const folder = await temporaryHome(t);
  await writeFile(join(folder, 'file'), '');
  for (const name of ['none', 'file']) {
    const { code, stdout } = await safekeep(['stop', '--home', join(folder, name), '--json']);
    assert.deepEqual([code, JSON.parse(stdout)], [0, { stopped: false, processes: [] }], name);
  }
  assert.deepEqual(await readdir(folder), ['file']);
});
