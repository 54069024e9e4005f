import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createFixture } from '../fixture.ts';
import { testEnvironment } from './environment.ts';
import { LIMITS, runFile, type FileReport, type Limits } from './run-file.ts';
import { createRunFolder } from './run-folder.ts';

type Ran = FileReport & { readonly output: string };

/** Runs one test file with this source the way a test run does. */
async function run(source: string, limits: Partial<Limits> = {}, signal = new AbortController().signal): Promise<Ran> {
  using fixture = createFixture({
    'package.json': '{"type":"module"}',
    'x.test.ts': `import test, { describe, it } from 'node:test';\n${source}`,
  });
  const folder = createRunFolder();
  try {
    const report = await runFile({
      root: fixture.root,
      file: 'x.test.ts',
      index: 7,
      folder,
      environment: testEnvironment(process.env, {}),
      limits: { ...LIMITS, graceMs: 200, ...limits },
      signal,
    });
    assert.deepEqual(readdirSync(folder.root).sort(), ['logs', 'servers'], 'the temporary folder of the file is gone');
    return { ...report, output: readFileSync(path.join(folder.logs, 'x.test.ts.output'), 'utf8') };
  } finally {
    folder.remove();
  }
}

const outcomes = ({ results }: FileReport): string[] =>
  results.map(({ path: titles, outcome }) => `${outcome}: ${titles.join(' > ')}`);

test('results carry the titles of their suites, and suites themselves do not count', async () => {
  const report = await run(`
    describe('outer', () => { describe('inner', () => { it('works', () => {}); }); it('fails', () => { throw new Error('broken'); }); });
    test('parent', async (t) => { await t.test('child', () => {}); });
  `);
  assert.deepEqual(outcomes(report), [
    'passed: outer > inner > works',
    'failed: outer > fails',
    'passed: parent > child',
    'passed: parent',
  ]);
  assert.deepEqual(report.faults, []);
});

test('a failure shows what was thrown, with its cause', async () => {
  const report = await run(`test('x', () => { throw new Error('outside', { cause: new RangeError('inside') }); });`);
  const [result] = report.results;
  assert.match(result?.detail ?? '', /Error: outside[^]*x\.test\.ts[^]*RangeError: inside/);
});

test('a failing hook of a suite is a failure', async () => {
  const report = await run(`import { before } from 'node:test';
    describe('suite', () => { before(() => { throw new Error('no ground'); }); it('x', () => {}); });`);
  assert.ok(report.results.some(({ path: titles, detail }) => titles.join() === 'suite' && /no ground/.test(detail)));
});

test('a skip needs a reason, and TODO is a failure', async () => {
  const report = await run(`
    test('a', { skip: 'no Redis here' }, () => {});
    test('b', (t) => t.skip('nor here'));
    test('c', { skip: true }, () => {});
    test.skip('d', () => {});
    test.todo('e');
  `);
  assert.deepEqual(outcomes(report), ['skipped: a', 'skipped: b', 'failed: c', 'failed: d', 'failed: e']);
  assert.deepEqual(
    report.results.slice(0, 2).map(({ detail }) => detail),
    ['no Redis here', 'nor here'],
  );
});

test('a file that cannot be loaded is one fault that shows why', async () => {
  const report = await run(`import './nowhere.ts';`);
  assert.equal(report.faults.length, 1);
  assert.match(report.faults[0] ?? '', /exit code 1[^]*nowhere\.ts/);
});

test('a file without a test is a fault', async () => {
  assert.deepEqual((await run('')).faults, ['holds no test that came to an end']);
});

test('an error after the end of a test is a fault although every test passed', async () => {
  const report = await run(`test('x', () => { setTimeout(() => { throw new Error('too late'); }, 10); });`);
  assert.deepEqual(outcomes(report), ['passed: x']);
  assert.match(report.faults.join(), /too late/);
});

test('a process that ends itself in the middle of a test is a fault', async () => {
  const exited = await run(
    `test('x', () => {}); test('y', async () => { await new Promise((resolve) => setTimeout(resolve, 20)); process.exit(0); });`,
  );
  assert.deepEqual(outcomes(exited), ['passed: x']);
  assert.match(exited.faults.join(), /ended before all its tests had/);
  assert.match((await run(`test('x', () => { process.kill(process.pid, 'SIGKILL'); });`)).faults.join(), /killed by SIGKILL/);
});

test('a test over its time fails, an endless loop is killed at the limit of the file', async () => {
  const slow = await run(
    `import { setTimeout as wait } from 'node:timers/promises';
    test('x', (t) => wait(60_000, undefined, { signal: t.signal }));`,
    { testMs: 50 },
  );
  assert.deepEqual(outcomes(slow), ['failed: x']);
  const endless = await run(`test('x', () => { for (;;); });`, { fileMs: 700 });
  assert.match(endless.faults.join(), /ran longer than 0\.7 s/);
});

test('a file that does not end after its last test is killed and told', async () => {
  const report = await run(`test('x', () => {}); setInterval(() => {}, 1_000);`, { idleMs: 300 });
  assert.deepEqual(outcomes(report), ['passed: x']);
  assert.match(report.faults.join(), /did not end within 0\.3 s of its last test/);
});

test('a child left running is killed and named, in the group or out of it', async () => {
  for (const detached of [false, true]) {
    const report = await run(`import { spawn } from 'node:child_process';
      test('x', () => { const child = spawn('sleep', ['1000'], { stdio: 'inherit', detached: ${detached} }); console.log('pid', child.pid); child.unref(); });`);
    assert.match(report.faults.join(), /left a process running: sleep 1000/);
    const pid = /pid (\d+)/.exec(report.output)?.[1];
    assert.ok(pid !== undefined && !existsSync(`/proc/${pid}/cwd`), 'it runs no more');
  }
});

test('files left in the temporary folder are a fault that names them', async () => {
  const report = await run(`import { writeFileSync } from 'node:fs'; import { tmpdir } from 'node:os';
    test('x', () => { writeFileSync(tmpdir() + '/forgotten.txt', ''); });`);
  assert.deepEqual(report.faults, ['left 1 file(s) in its temporary folder: forgotten.txt']);
});

test('stdout and stderr are kept in the logs of the run and do not disturb the results', async () => {
  const report = await run(
    `test('x', () => { console.log('to stdout'); console.error('to stderr'); process.stdout.write('{"kind":"result"}\\\\n'); });`,
  );
  assert.deepEqual(outcomes(report), ['passed: x']);
  assert.match(report.output, /to stdout/);
  assert.match(report.output, /to stderr/);
});

test('when the run is stopped, the file is stopped with it', async () => {
  const stopping = new AbortController();
  const running = run(`test('x', () => new Promise(() => { setInterval(() => {}, 1_000); }));`, {}, stopping.signal);
  stopping.abort();
  assert.match((await running).faults.join(), /stopped with the run/);
});
