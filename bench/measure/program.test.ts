import assert from 'node:assert/strict';
import { dirname, isAbsolute } from 'node:path';
import { test } from 'node:test';
import { findProgram, programAvailable, programVersion } from './program.ts';

const node = { name: 'node', debianPackage: 'nodejs', folders: [dirname(process.execPath)] };

test('a program is found in PATH or in the folders named, and asked for its version', async () => {
  assert.equal(await programAvailable(node), true);
  assert.ok(isAbsolute((await findProgram(node)) ?? ''));
  assert.match(await programVersion(node), /^v\d+\.\d+\.\d+$/);
});

test('a rival that is not installed is told with the package that brings it', async () => {
  const rival = { name: 'no-such-loader', debianPackage: 'loader' };
  assert.equal(await programAvailable(rival), 'no-such-loader is not installed (Debian: apt-get install loader)');
  await assert.rejects(programVersion(rival), /no-such-loader/);
});
