import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { createSigningKey, verify } from '@safekeep/crypto';
import { openSigningKey } from './signing-key.ts';

async function keys(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-keys-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'keys');
}

const broken = (error: unknown): boolean => isSafekeepError(error, 'key-file-broken');

test('the key is made once, private, and the same ever after, also for eight who ask at once', async (t) => {
  const directory = await keys(t);
  const signers = await Promise.all(Array.from({ length: 8 }, () => openSigningKey(directory)));
  const [first] = signers;
  assert.ok(first);
  assert.equal(new Set(signers.map(({ verifierKey }) => verifierKey)).size, 1);
  assert.equal((await openSigningKey(directory)).verifierKey, first.verifierKey);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(join(directory, 'signing.pem'))).mode & 0o777, 0o600);
  assert.equal((await readFile(join(directory, 'signing.vkey'), 'utf8')).trim(), first.verifierKey);
  verify('report', { a: 1 }, first.signDocument('report', { a: 1 }), first.verifierKey);
});

test('a key that others can read is not used', async (t) => {
  const directory = await keys(t);
  await openSigningKey(directory);
  await chmod(join(directory, 'signing.pem'), 0o644);
  await assert.rejects(
    openSigningKey(directory),
    (error) => isSafekeepError(error, 'key-file-unsafe') && error.message.includes('644'),
  );
});

test('a lost, broken or exchanged key is told and never made anew', async (t) => {
  const directory = await keys(t);
  await openSigningKey(directory);
  const path = join(directory, 'signing.pem');
  await writeFile(path, 'garbage');
  await assert.rejects(openSigningKey(directory), broken);
  await writeFile(path, createSigningKey());
  await assert.rejects(openSigningKey(directory), broken);
  await rm(path);
  await assert.rejects(openSigningKey(directory), broken);
});
