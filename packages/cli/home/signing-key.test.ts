import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { createSigningKey, verify } from '@safekeep/crypto';
import { HOME_KEYS, readHomeKey, refuseLostKey } from '@safekeep/files';
import { openSigningKey } from './signing-key.ts';

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-keys-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const broken = (error: unknown): boolean => isSafekeepError(error, 'key-file-broken');

test('the key is made once, private, and the same ever after, also for eight who ask at once', async (t) => {
  const home = await folderOf(t);
  const signers = await Promise.all(Array.from({ length: 8 }, () => openSigningKey(home)));
  const [first] = signers;
  assert.ok(first);
  assert.equal(new Set(signers.map(({ verifierKey }) => verifierKey)).size, 1);
  assert.equal((await openSigningKey(home)).verifierKey, first.verifierKey);
  assert.equal((await stat(join(home, 'keys'))).mode & 0o777, 0o700);
  assert.equal((await stat(join(home, 'keys', 'signing.pem'))).mode & 0o777, 0o600);
  assert.equal((await readFile(join(home, 'keys', 'signing.vkey'), 'utf8')).trim(), first.verifierKey);
  verify('report', { a: 1 }, first.signDocument('report', { a: 1 }), first.verifierKey);
});

test('a key that others can read is not used', async (t) => {
  const home = await folderOf(t);
  await openSigningKey(home);
  await chmod(join(home, 'keys', 'signing.pem'), 0o644);
  await assert.rejects(openSigningKey(home), (error) => isSafekeepError(error, 'key-file-unsafe') && error.message.includes('644'));
});

test('the public half is handed on, and whoever may read it: the keys of the home are none the worse for it', async (t) => {
  const home = await folderOf(t);
  const { verifierKey } = await openSigningKey(home);
  await chmod(join(home, 'keys', 'signing.vkey'), 0o644);
  for (const name of HOME_KEYS) await refuseLostKey(home, name);
  assert.equal((await readHomeKey(home, 'signing.vkey'))?.trim(), verifierKey);
  await chmod(join(home, 'keys', 'signing.pem'), 0o644);
  await assert.rejects(refuseLostKey(home, 'signing.pem'), (error) => isSafekeepError(error, 'key-file-unsafe'));
});

test('a public half that cannot be read is told, and no other key is made beside it', async (t) => {
  const home = await folderOf(t);
  await mkdir(join(home, 'keys', 'signing.vkey'), { recursive: true });
  await assert.rejects(openSigningKey(home), (error) => isSafekeepError(error, 'file-unreadable'));
  assert.deepEqual(await readdir(join(home, 'keys')), ['signing.vkey']);
});

test('a lost, broken or exchanged key is told and never made anew', async (t) => {
  const home = await folderOf(t);
  await openSigningKey(home);
  const path = join(home, 'keys', 'signing.pem');
  await writeFile(path, 'garbage');
  await assert.rejects(openSigningKey(home), broken);
  await writeFile(path, createSigningKey());
  await assert.rejects(openSigningKey(home), broken);
  await rm(path);
  await assert.rejects(openSigningKey(home), broken);
});

test('a home that has signed and holds no key any more makes none: the folder was lost, and a backup shall find its place', async (t) => {
  for (const trace of ['audit', 'certificates', 'ledger']) {
    const home = await folderOf(t);
    await mkdir(join(home, trace));
    await openSigningKey(home);
    await rm(join(home, 'keys'), { recursive: true });
    await writeFile(join(home, trace, 'signed'), '');
    await assert.rejects(openSigningKey(home), (error) => isSafekeepError(error, 'home-key-lost'));
    assert.deepEqual(await readdir(home), [trace]);
  }
});
