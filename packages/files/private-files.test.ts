import assert from 'node:assert/strict';
import { chmod, link, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { privateFiles, readPrivate } from './private-files.ts';

const { makeFolder, createOnce, replaceFile, destroyFile } = privateFiles(
  (path, reason, cause) => new SafekeepError('file-unwritable', { path, reason }, { cause }),
);

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'safekeep-files-'));
  t.after(() => rm(made, { recursive: true }));
  return made;
}

test('of twenty that make one file one wins, all read the winner’s, and nothing else is left', async (t) => {
  const home = await folder(t);
  const path = join(home, 'deep', 'keys', 'a.key');
  await makeFolder(join(home, 'deep', 'keys'));
  const made = await Promise.all(Array.from({ length: 20 }, (_, number) => createOnce(path, `key ${number}`)));
  assert.equal(made.filter(Boolean).length, 1);
  assert.equal(await readPrivate(path), `key ${made.indexOf(true)}`);
  assert.deepEqual(await readdir(join(home, 'deep', 'keys')), ['a.key']);
  const modes = await Promise.all([path, join(home, 'deep', 'keys')].map(async (each) => (await stat(each)).mode & 0o777));
  assert.deepEqual(modes, [0o600, 0o700]);
});

test('a file is replaced whole, destroyed under its every name, and one that is not there is told by nothing', async (t) => {
  const path = join(await folder(t), 'a.key');
  await replaceFile(path, 'first');
  await replaceFile(path, 'second');
  assert.equal(await readPrivate(path), 'second');
  const other = `${path}.other`;
  await link(path, other);
  await destroyFile(path);
  // Overwritten, and not only unlinked.
  assert.equal((await readFile(other)).length, 6);
  assert.notEqual(await readFile(other, 'utf8'), 'second');
  await destroyFile(path);
  assert.equal(await readPrivate(path), undefined);
});

test('what others may read, or is far too large for a key, is not read; a refusal of the system is told with its code', async (t) => {
  const home = await folder(t);
  const path = join(home, 'a.key');
  await createOnce(path, 'key');
  await chmod(path, 0o640);
  await assert.rejects(readPrivate(path), (error) => isSafekeepError(error, 'key-file-unsafe'));
  await writeFile(join(home, 'large'), Buffer.alloc(5 * 2 ** 20), { mode: 0o600 });
  await assert.rejects(readPrivate(join(home, 'large')), (error) => isSafekeepError(error, 'key-file-broken'));
  await assert.rejects(readPrivate(join(path, 'below')), (error) => isSafekeepError(error, 'file-unreadable'));
  for (const refused of [() => createOnce(join(path, 'below'), ''), () => makeFolder(join(path, 'below'))])
    await assert.rejects(refused(), (error) => isSafekeepError(error, 'file-unwritable') && error.message.includes('ENOTDIR'));
});
