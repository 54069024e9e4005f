import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it, after } from 'node:test';
import { createFixture, type Fixture } from '../fixture.ts';
import { buildPackages } from './build-packages.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

describe('what is published', () => {
  let user: Fixture;

  /** Somebody's project with our packages as npm would unpack them, and the dependencies they ask for. */
  before(() => {
    user = createFixture({ 'package.json': '{"type":"module"}' });
    const built = path.join(user.root, 'built');
    const names = buildPackages(ROOT, built);
    mkdirSync(path.join(user.root, 'node_modules/@safekeep'), { recursive: true });
    for (const name of names) {
      const unpacked = name === 'cli' ? 'safekeep' : `@safekeep/${name}`;
      renameSync(path.join(built, name), path.join(user.root, 'node_modules', unpacked));
    }
    const foreign = readdirSync(path.join(ROOT, 'node_modules')).filter(
      (name) => name !== 'safekeep' && !/^(@safekeep|\.)/.test(name),
    );
    for (const name of foreign) symlinkSync(path.join(ROOT, 'node_modules', name), path.join(user.root, 'node_modules', name));
  });
  after(() => user[Symbol.dispose]());

  it('holds no TypeScript source and nothing that only tests need', () => {
    const files = globSync('node_modules/{safekeep,@safekeep}/**/*', { cwd: user.root });
    assert.ok(files.length > 0);
    assert.deepEqual(
      files.filter((file) => /(?<!\.d)\.ts$|\.test[.-]|\/testing\/|\/fixtures\//.test(file)),
      [],
    );
  });

  it('runs from node_modules, where Node refuses to strip types', () => {
    const bin = path.join(user.root, 'node_modules/safekeep/bin/safekeep.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, '--version'], { cwd: user.root, encoding: 'utf8' });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('finds its SQL files and can be imported by name', () => {
    const source =
      "import { SafekeepError } from '@safekeep/core'; import '@safekeep/postgres'; console.log(new SafekeepError('job-unknown', { job: 1 }).code);";
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
      cwd: user.root,
      encoding: 'utf8',
    });
    assert.equal(stdout, 'job-unknown\n', stderr);
    assert.ok(globSync('node_modules/@safekeep/postgres/sql/migrations/*.up.sql', { cwd: user.root }).length > 0);
  });

  it('carries its types', () => {
    user.write({
      'good.ts':
        "import { SafekeepError } from '@safekeep/core';\nexport const e: Error = new SafekeepError('job-unknown', { job: 1 });\n",
      'bad.ts':
        "import { SafekeepError } from '@safekeep/core';\nexport const e: number = new SafekeepError('job-unknown', { job: 1 });\n",
    });
    const check = (file: string) =>
      spawnSync(
        path.join(ROOT, 'node_modules/.bin/tsc'),
        ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', file],
        { cwd: user.root, encoding: 'utf8' },
      );
    assert.deepEqual(check('good.ts').stdout, '');
    assert.match(check('bad.ts').stdout, /bad\.ts.*TS2322/);
  });
});
