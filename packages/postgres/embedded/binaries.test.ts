import assert from 'node:assert/strict';
import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { copiedBinaries } from './binaries.ts';
import { temporaryFolder } from './testing/temporary-home.ts';

const isUnsafe = (error: unknown): boolean => isSafekeepError(error, 'runtime-unsafe');

async function nativePackage(folder: string): Promise<string> {
  const native = join(folder, 'package', 'native');
  for (const name of ['bin', 'lib']) await mkdir(join(native, name), { recursive: true });
  for (const name of ['initdb', 'pg_ctl', 'postgres']) await writeFile(join(native, 'bin', name), '#!/bin/sh\n', { mode: 0o700 });
  await chmod(native, 0o700);
  return native;
}

test('a copy of the programs may be read and run, and not changed, by everybody', async (t) => {
  const folder = await temporaryFolder(t);
  const { pgCtl } = await copiedBinaries(await nativePackage(folder), '18', join(folder, 'runtime'));
  assert.equal(pgCtl, join(folder, 'runtime', 'postgresql-18', 'bin', 'pg_ctl'));
  for (const path of ['', 'bin', 'bin/pg_ctl']) {
    assert.equal((await stat(join(folder, 'runtime', 'postgresql-18', path))).mode & 0o777, 0o755, path);
  }
});

test('programs that another user could have put into the runtime directory are not run', async (t) => {
  const folder = await temporaryFolder(t);
  const native = await nativePackage(folder);
  const runtime = join(folder, 'runtime');
  await copiedBinaries(native, '18', runtime);
  for (const path of [runtime, join(runtime, 'postgresql-18'), join(runtime, 'postgresql-18', 'bin')]) {
    await chmod(path, 0o777);
    await assert.rejects(copiedBinaries(native, '18', runtime), isUnsafe, path);
    await chmod(path, 0o755);
  }
  if (process.getuid?.() !== 0) return;
  await chown(join(runtime, 'postgresql-18'), 54321, 54321);
  await assert.rejects(copiedBinaries(native, '18', runtime), isUnsafe, 'owned by somebody else');
});

test('programs are not run from a path that a shell would change', async (t) => {
  const folder = await temporaryFolder(t);
  const native = await nativePackage(folder);
  for (const sign of ['$', '`', '"', '\\', '\n']) {
    await assert.rejects(copiedBinaries(native, '18', join(folder, `run${sign}time`)), isUnsafe, JSON.stringify(sign));
  }
});
