import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { embeddedDirectory, openEmbedded, stopEmbedded } from './home.ts';
import { ask, temporaryFolder, temporaryHome } from './testing/temporary-home.ts';

const isMoved = (error: unknown): boolean => isSafekeepError(error, 'embedded-moved');
const rootOnly = { skip: process.getuid?.() !== 0 && 'only root meets a folder that its server cannot enter' };

test('a home that was moved, or is reached through a link, opens the same data', async (t) => {
  const home = await temporaryHome(t);
  const first = await openEmbedded(home, { purpose: 'one' });
  await ask(first.url.reveal(), 'create table kept as select 1 as n');
  const link = join(dirname(home), 'link');
  await symlink(home, link);
  const linked = await openEmbedded(link, { purpose: 'link' });
  assert.deepEqual([linked.started, linked.port], [false, first.port]);
  await first.release();
  await linked.release();
  const moved = join(dirname(home), 'moved');
  await rename(home, moved);
  const second = await openEmbedded(moved, { purpose: 'two' });
  assert.deepEqual(await ask(second.url.reveal(), 'select n from kept'), [{ n: 1 }]);
  assert.equal(await embeddedDirectory(moved), join(moved, 'embedded'));
  await second.release();
});

test('a copy of a home never uses, nor stops, the server of the original', async (t) => {
  const home = await temporaryHome(t);
  await (await openEmbedded(home, { purpose: 'one' })).release();
  const original = await openEmbedded(home, { purpose: 'original' });
  const copy = await temporaryHome(t);
  execFileSync('cp', ['-a', home, copy]);
  assert.equal(await stopEmbedded(copy), undefined);
  const copied = await openEmbedded(copy, { purpose: 'copy' });
  assert.equal(copied.started, true);
  assert.notEqual(copied.port, original.port);
  await copied.release();
  assert.deepEqual(await ask(original.url.reveal(), 'select 1 as one'), [{ one: 1 }]);
  await original.release();
});

test('data that is not where it is remembered is refused and never made anew', async (t) => {
  const home = await temporaryHome(t);
  await (await openEmbedded(home, { purpose: 'one' })).release();
  const data = join(home, 'embedded', 'data');
  await rename(data, `${home}-data`);
  await assert.rejects(openEmbedded(home, { purpose: 'two' }), isMoved);
  await rm(join(home, 'embedded', 'server.json'));
  await assert.rejects(openEmbedded(home, { purpose: 'three' }), isMoved, 'not even where server.json is lost too');
  await rename(`${home}-data`, data);
  await (await openEmbedded(home, { purpose: 'four' })).release();
});

test('data outside the home goes with a home that moves, and is refused to its copy', rootOnly, async (t) => {
  const folder = await temporaryFolder(t);
  const runtimeDirectory = join(folder, 'runtime');
  const closed = join(folder, 'closed');
  await mkdir(closed, { mode: 0o700 });
  const home = join(closed, 'home');
  const lease = await openEmbedded(home, { purpose: 'one', runtimeDirectory });
  await ask(lease.url.reveal(), 'create table kept as select 1 as n');
  const copy = join(closed, 'copy');
  await cp(home, copy, { recursive: true });
  await assert.rejects(openEmbedded(copy, { purpose: 'copy', runtimeDirectory }), isMoved);
  assert.equal(await stopEmbedded(copy, { runtimeDirectory }), undefined);
  assert.deepEqual(await ask(lease.url.reveal(), 'select n from kept'), [{ n: 1 }]);
  await lease.release();
  const moved = join(closed, 'moved');
  await rename(home, moved);
  const again = await openEmbedded(moved, { purpose: 'two', runtimeDirectory });
  assert.deepEqual(await ask(again.url.reveal(), 'select n from kept'), [{ n: 1 }]);
  await again.release();
  await assert.rejects(openEmbedded(copy, { purpose: 'copy', runtimeDirectory }), isMoved, 'its owner lives elsewhere now');
});
