import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEmbedded, usersOfHome } from '@safekeep/postgres';
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

test('a process of another user is named and goes on', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const folder = await temporaryHome(t);
  const home = join(folder, 'home');
  // Begun by root in the home of somebody else, as sudo does.
  await (await openEmbedded(home, { purpose: 'the first start' })).release();
  execFileSync('chown', ['-R', '54321:54321', home]);
  const lease = await openEmbedded(home, { purpose: 'a test' });
  const { code, stdout, stderr } = await safekeep(['stop', '--home', home, '--json'], { user: 54321, cwd: '/' });
  if (stdout === '') return t.skip(`another user cannot run what lies here: ${stderr.slice(0, 200)}`);
  const { error } = JSON.parse(stdout);
  assert.deepEqual([code, error.code], [2, 'process-foreign']);
  assert.match(error.message, new RegExp(`Process ${process.pid} uses this home`));
  assert.equal((await usersOfHome(home)).length, 1);
  await lease.release();
});
