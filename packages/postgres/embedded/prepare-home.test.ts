import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { prepareHome } from './home.ts';
import { temporaryFolder } from './testing/temporary-home.ts';

test('a folder with files of somebody else is no home, and stays as it is', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'package.json'), '{}');
  await writeFile(join(folder, '.gitignore'), 'dist/\n');
  await chmod(folder, 0o750);
  await assert.rejects(prepareHome(folder), (error) => isSafekeepError(error, 'home-occupied'));
  assert.deepEqual((await readdir(folder)).toSorted(), ['.gitignore', 'package.json']);
  assert.equal(await readFile(join(folder, '.gitignore'), 'utf8'), 'dist/\n');
  assert.equal((await stat(folder)).mode & 0o7777, 0o750);
});

test('a folder that stands empty, or holds what Safekeep puts there, becomes a home and keeps its mode', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'log'));
  await chmod(folder, 0o750);
  await prepareHome(folder);
  assert.equal((await stat(folder)).mode & 0o7777, 0o750);
  await writeFile(join(folder, 'home.lock'), '');
  await writeFile(join(folder, '.gitignore'), 'mine\n');
  await writeFile(join(folder, 'notes.txt'), 'put there later');
  await prepareHome(folder);
  assert.equal(await readFile(join(folder, '.gitignore'), 'utf8'), 'mine\n');
});

test('a folder that everybody may write to is no home, and keeps its sticky bit', async (t) => {
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o1777);
  await assert.rejects(prepareHome(folder), (error) => isSafekeepError(error, 'home-unfit'));
  assert.equal((await stat(folder)).mode & 0o7777, 0o1777);
});

test('a line break in the path of a home is refused before anything is made', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(prepareHome(join(folder, 'two\nlines')), (error) => isSafekeepError(error, 'home-unfit'));
  assert.deepEqual(await readdir(folder), []);
});
