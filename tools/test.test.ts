import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createFixture, type Fixture } from './fixture.ts';

/** A repository with our runner and these test files in packages/core, where no database is needed. */
function repository(tests: Readonly<Record<string, string>>): Fixture {
  const fixture = createFixture({ 'package.json': '{"type":"module"}' });
  cpSync(path.join(import.meta.dirname, 'test-runner'), path.join(fixture.root, 'tools/test-runner'), {
    recursive: true,
    filter: (file) => !file.endsWith('.test.ts'),
  });
  // The runner searches the logs of a run with our own package.
  symlinkSync(path.resolve(import.meta.dirname, '..', 'node_modules'), path.join(fixture.root, 'node_modules'));
  cpSync(path.join(import.meta.dirname, 'test.ts'), path.join(fixture.root, 'tools/test.ts'));
  for (const [name, source] of Object.entries(tests)) {
    fixture.write({ [`packages/core/${name}`]: `import test from 'node:test';\n${source}` });
  }
  return fixture;
}

function npmTest(fixture: Fixture, ...args: string[]): { status: number | null; lines: string[] } {
  const { status, stdout } = spawnSync(process.execPath, [path.join(fixture.root, 'tools/test.ts'), ...args], { encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n') };
}

test('a good run exits 0 with the totals as its last line and leaves no file behind', () => {
  using fixture = repository({ 'a.test.ts': `test('x', () => {});`, 'b.test.ts': `test('y', { skip: 'why' }, () => {});` });
  const before = readdirSync(tmpdir());
  const { status, lines } = npmTest(fixture);
  assert.equal(status, 0);
  assert.equal(lines.at(-1), '1 passed, 0 failed, 1 skipped');
  assert.deepEqual(readdirSync(tmpdir()), before);
});

test('a failure, and a file that does not load, exit 1', () => {
  using fixture = repository({
    'a.test.ts': `test('x', () => { throw new Error('no'); });`,
    'b.test.ts': `import './nowhere.ts';`,
  });
  const { status, lines } = npmTest(fixture);
  assert.equal(status, 1);
  assert.equal(lines.at(-1), '0 passed, 2 failed');
});

test('a run in which nothing passed is not a good run', () => {
  using fixture = repository({ 'a.test.ts': `test('x', { skip: 'why' }, () => {});` });
  const { status, lines } = npmTest(fixture);
  assert.equal(status, 1);
  assert.equal(lines.at(-1), '0 passed, 0 failed, 1 skipped');
});

test('only what the arguments name is run, and a mistyped name is an error', () => {
  using fixture = repository({ 'a.test.ts': `test('x', () => {});`, 'b.test.ts': `test('y', () => { throw new Error('no'); });` });
  assert.equal(npmTest(fixture, 'a.test').status, 0);
  const mistyped = npmTest(fixture, 'c.test');
  assert.equal(mistyped.status, 2);
  assert.match(mistyped.lines[0] ?? '', /no test file matches c\.test/);
});

test('--long runs the long tests too and tells every test so', () => {
  const source = `test('x', () => { if (process.env.SAFEKEEP_TEST_LONG !== '1') throw new Error('short'); });`;
  using fixture = repository({ 'a.long.test.ts': source, 'b.test.ts': `test('y', () => {});` });
  assert.equal(npmTest(fixture).lines.at(-1), '1 passed, 0 failed');
  assert.equal(npmTest(fixture, '--long').lines.at(-1), '2 passed, 0 failed');
});

test('an interrupted run ends its test processes, cleans up and exits 1', async () => {
  using fixture = repository({
    'a.test.ts': `test('x', () => { console.log('running'); return new Promise(() => setInterval(() => {}, 1e6)); });`,
  });
  const before = readdirSync(tmpdir());
  const runner = spawn(process.execPath, [path.join(fixture.root, 'tools/test.ts'), '--jobs', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(runner, 'exit');
  await untilRunning(fixture, before);
  runner.kill('SIGINT');
  assert.deepEqual(await ended, [1, null]);
  assert.deepEqual(readdirSync(tmpdir()), before);
});

/** The run folder holds the scratch folder of the first file once its process has been started. */
async function untilRunning(fixture: Fixture, before: readonly string[]): Promise<void> {
  const isRunning = (): boolean => {
    const folder = readdirSync(tmpdir()).find((name) => !before.includes(name) && path.basename(fixture.root) !== name);
    return folder !== undefined && readdirSync(path.join(tmpdir(), folder)).includes('t0');
  };
  while (!isRunning()) await wait(5);
}
