import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, cpSync, existsSync, readFileSync, renameSync, symlinkSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createFixture, type Fixture } from './fixture.ts';

/** What a person has on the PATH, e.g. Node 20; ours where there is no other. */
const MACHINE_NODE = machineNode();
const LOCKED = { packages: { '': {}, 'node_modules/left': { version: '1.0.0', integrity: 'sha512-a' } } };

/** A checkout with our bootstrap and a `test` task. `installed` puts what the lock file names in node_modules. */
function checkout(options: { task?: string; installed?: boolean } = {}): Fixture {
  const fixture = createFixture({
    'package.json': '{"name":"checkout","version":"1.0.0","type":"module"}',
    'package-lock.json': JSON.stringify(LOCKED),
    'tools/test.ts': options.task ?? 'console.log("ran", process.execPath, ...process.argv.slice(2));',
    'node_modules/.package-lock.json': JSON.stringify(options.installed === false ? { packages: {} } : LOCKED),
    'node_modules/.bin/.keep': '',
  });
  symlinkSync(process.execPath, path.join(fixture.root, 'node_modules/.bin/node'));
  const isOurs = (file: string): boolean => !file.endsWith('.test.ts');
  cpSync(path.join(import.meta.dirname, 'bootstrap'), path.join(fixture.root, 'tools/bootstrap'), {
    recursive: true,
    filter: isOurs,
  });
  cpSync(path.join(import.meta.dirname, 'bootstrap.mjs'), path.join(fixture.root, 'tools/bootstrap.mjs'));
  return fixture;
}

type Call = {
  readonly args?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly nodeFlags?: readonly string[];
  readonly uid?: number;
};

function command(fixture: Fixture, { args = ['test'], nodeFlags = [] }: Call): string[] {
  return [...nodeFlags, path.join(fixture.root, 'tools/bootstrap.mjs'), ...args];
}

function bootstrap(fixture: Fixture, call: Call = {}): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(MACHINE_NODE, command(fixture, call), {
    encoding: 'utf8',
    env: { ...process.env, ...call.environment },
    ...(call.uid === undefined ? {} : { uid: call.uid }),
  });
}

function startBootstrap(fixture: Fixture, call: Call = {}): ChildProcess {
  const options: SpawnOptions = { env: { ...process.env, ...call.environment }, stdio: ['ignore', 'pipe', 'pipe'] };
  return spawn(MACHINE_NODE, command(fixture, call), options);
}

/** A program in the place of npm, called the way npm names itself to its scripts. */
function standInNpm(fixture: Fixture, source: string): NodeJS.ProcessEnv {
  const config = "if (process.argv[2] === 'config') { console.log('registry=none'); process.exit(); }";
  fixture.write({ 'stand-in/npm-cli.js': `import fs from 'node:fs';\n${config}\n${source}` });
  return { npm_execpath: path.join(fixture.root, 'stand-in/npm-cli.js') };
}

const INSTALL = `fs.cpSync('package-lock.json', 'node_modules/.package-lock.json');`;

test('when everything is installed the task runs at once, with the Node from npm and all arguments, and npm is not called', () => {
  using fixture = checkout();
  const environment = standInNpm(fixture, `fs.writeFileSync('called', '');`);
  const { status, stdout, stderr } = bootstrap(fixture, { args: ['test', '--long', 'a b'], environment });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: `ran ${process.execPath} --long a b\n`, stderr: '' });
  assert.ok(!existsSync(path.join(fixture.root, 'called')));
});

test('the exit code of the task is ours', () => {
  using fixture = checkout({ task: 'process.exitCode = 7;' });
  assert.equal(bootstrap(fixture).status, 7);
});

test('SIGTERM, SIGHUP and SIGINT reach the task, and when it dies of one so do we', async () => {
  using fixture = checkout({ task: 'console.log("ready"); setInterval(() => {}, 1e6);' });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
    const child = startBootstrap(fixture);
    const ended = once(child, 'exit');
    await untilSaid(child.stdout, 'ready');
    child.kill(signal);
    assert.deepEqual(await ended, [null, signal]);
  }
});

test('a task that ends in its own way after a signal decides the exit code', async () => {
  using fixture = checkout({
    task: 'process.on("SIGTERM", () => process.exit(5)); console.log("ready"); setInterval(() => {}, 1e6);',
  });
  const child = startBootstrap(fixture);
  const ended = once(child, 'exit');
  await untilSaid(child.stdout, 'ready');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [5, null]);
});

test('what is missing is installed first, told on stderr only', () => {
  using fixture = checkout({ installed: false });
  const { status, stdout, stderr } = bootstrap(fixture, {
    environment: standInNpm(fixture, `console.log('added 1 package');${INSTALL}`),
  });
  assert.equal(status, 0);
  assert.match(stdout, /^ran .*\n$/);
  assert.match(stderr, /^safekeep: installing what is missing.*\nsafekeep: installed in \d+ s\n$/);
  assert.ok(!existsSync(path.join(fixture.root, '.install-lock')));
});

test('npm is asked to leave the lock file and install scripts alone, whatever the calling npm was told', () => {
  using fixture = checkout({ installed: false });
  const environment = {
    ...standInNpm(
      fixture,
      `fs.writeFileSync('call.json', JSON.stringify({ args: process.argv.slice(2), env: process.env }));${INSTALL}`,
    ),
    npm_config_workspace: 'somewhere',
    npm_config_omit: 'dev',
    NPM_CONFIG_DRY_RUN: 'true',
    npm_config_registry: 'http://127.0.0.1:9/',
  };
  assert.equal(bootstrap(fixture, { environment }).status, 0);
  const call = JSON.parse(readFileSync(path.join(fixture.root, 'call.json'), 'utf8'));
  for (const flag of ['install', '--no-save', '--ignore-scripts', '--include=dev']) assert.ok(call.args.includes(flag), flag);
  const settings = Object.keys(call.env).filter((name) => /^npm_config_/i.test(name));
  assert.deepEqual(settings, ['npm_config_registry']);
});

test('npm itself installs a checkout whose packages are all at hand, without a network', () => {
  using fixture = checkout({ installed: false });
  const root = { name: 'checkout', version: '1.0.0', workspaces: ['packages/*'] };
  fixture.write({
    'package.json': JSON.stringify({ ...root, type: 'module' }),
    'packages/left/package.json': '{"name":"left","version":"1.0.0"}',
    'package-lock.json': JSON.stringify({
      name: 'checkout',
      version: '1.0.0',
      lockfileVersion: 3,
      requires: true,
      packages: { '': root, 'node_modules/left': { resolved: 'packages/left', link: true }, 'packages/left': { version: '1.0.0' } },
    }),
  });
  const lock = readFileSync(path.join(fixture.root, 'package-lock.json'), 'utf8');
  const { status, stderr } = bootstrap(fixture, { environment: noNetwork(fixture) });
  assert.equal(status, 0, stderr);
  assert.ok(existsSync(path.join(fixture.root, 'node_modules/left/package.json')));
  assert.equal(readFileSync(path.join(fixture.root, 'package-lock.json'), 'utf8'), lock);
  assert.equal(bootstrap(fixture, { environment: noNetwork(fixture) }).stderr, '', 'the second time nothing is missing');
});

test('without a network one line says so, with what to do', () => {
  using fixture = checkout({ installed: false });
  fixture.write({
    'package.json': '{"name":"checkout","version":"1.0.0","dependencies":{"left":"1.0.0"}}',
    'package-lock.json': JSON.stringify({
      lockfileVersion: 3,
      packages: { ...LOCKED.packages, '': { dependencies: { left: '1.0.0' } } },
    }),
  });
  const { status, stderr } = bootstrap(fixture, { environment: noNetwork(fixture) });
  assert.equal(status, 2);
  assert.match(lastLine(stderr), /^safekeep: the npm registry cannot be reached \(ECONNREFUSED\)\. Check the network/);
});

test('an npm that fails for an unknown reason is quoted', () => {
  using fixture = checkout({ installed: false });
  const { status, stderr } = bootstrap(fixture, {
    environment: standInNpm(fixture, `console.error('npm error odd'); process.exit(1);`),
  });
  assert.equal(status, 2);
  assert.match(stderr, /npm could not install:\nnpm error odd\n$/);
});

test('an installation that does not give what the lock file names is refused by name', () => {
  using fixture = checkout({ installed: false });
  const { status, stderr } = bootstrap(fixture, { environment: standInNpm(fixture, '') });
  assert.equal(status, 2);
  assert.match(lastLine(stderr), /1 package\(s\) other than package-lock\.json asks for: node_modules\/left\./);
});

test('two commands at once install once, one after the other', async () => {
  using fixture = checkout({ installed: false });
  const environment = standInNpm(
    fixture,
    `
    fs.appendFileSync('calls', 'x');
    while (!fs.existsSync('second-waits')) await new Promise((resolve) => setTimeout(resolve, 5));
    ${INSTALL}`,
  );
  const first = startBootstrap(fixture, { environment });
  const firstEnded = once(first, 'exit');
  await untilSaid(first.stderr, 'installing');
  const second = startBootstrap(fixture, { environment });
  const secondEnded = once(second, 'exit');
  await untilSaid(second.stderr, 'waiting for it');
  fixture.write({ 'second-waits': '' });
  assert.deepEqual(
    [await firstEnded, await secondEnded],
    [
      [0, null],
      [0, null],
    ],
  );
  assert.equal(readFileSync(path.join(fixture.root, 'calls'), 'utf8'), 'x');
});

test('the lock of an installer that died does not hold up the next one', () => {
  using fixture = checkout({ installed: false });
  fixture.write({ '.install-lock': 'of a dead process' });
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(path.join(fixture.root, '.install-lock'), longAgo, longAgo);
  assert.equal(bootstrap(fixture, { environment: standInNpm(fixture, INSTALL) }).status, 0);
});

test('an interrupted installation says so, exits like the signal and gives the lock back', async () => {
  using fixture = checkout({ installed: false });
  const environment = standInNpm(fixture, `fs.writeFileSync('npm-runs', ''); setInterval(() => {}, 1e6);`);
  const child = startBootstrap(fixture, { environment });
  const ended = once(child, 'exit');
  while (!existsSync(path.join(fixture.root, 'npm-runs'))) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [143, null]);
  assert.ok(!existsSync(path.join(fixture.root, '.install-lock')));
});

// Below a folder that only root may enter nobody else can run the Node of this checkout.
const nobody = process.getuid?.() === 0 ? { uid: 65_534 } : {};
const closed = spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', process.execPath], { ...nobody, cwd: '/' }).status !== 0;
const readOnly = { skip: closed && 'another user cannot enter this checkout' };

test('an installed checkout works for a user who may not write in it, a missing installation is refused clearly', readOnly, () => {
  using installed = checkout();
  using missing = checkout({ installed: false });
  for (const { root } of [installed, missing]) chmodSync(root, 0o555);
  const good = bootstrap(installed, nobody);
  assert.equal(good.status, 0, good.stderr);
  const refused = bootstrap(missing, nobody);
  for (const { root } of [installed, missing]) chmodSync(root, 0o755);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^safekeep: .* cannot be written \(EACCES\)/);
});

test('packages for other platforms, and for a C library only npm can tell, need not be there', () => {
  using fixture = checkout();
  const elsewhere = { version: '1.0.0', integrity: 'sha512-b', optional: true };
  const packages = {
    ...LOCKED.packages,
    'node_modules/other-os': { ...elsewhere, os: ['aix'], cpu: [process.arch] },
    'node_modules/not-here': { ...elsewhere, os: [`!${process.platform}`], cpu: [process.arch] },
    'node_modules/of-libc': { ...elsewhere, os: [process.platform], cpu: [process.arch], libc: ['musl'] },
  };
  fixture.write({ 'package-lock.json': JSON.stringify({ packages }) });
  assert.equal(bootstrap(fixture, { environment: standInNpm(fixture, 'process.exit(1);') }).status, 0);
});

test('an optional package for this platform, and another version of a package, are missing', () => {
  using fixture = checkout();
  const environment = standInNpm(fixture, 'process.exit(1);');
  const here = { version: '1.0.0', integrity: 'sha512-b', optional: true, os: [process.platform], cpu: process.arch };
  for (const changed of [{ 'node_modules/here': here }, { 'node_modules/left': { version: '1.0.1', integrity: 'sha512-c' } }]) {
    fixture.write({ 'package-lock.json': JSON.stringify({ packages: { ...LOCKED.packages, ...changed } }) });
    assert.equal(bootstrap(fixture, { environment }).status, 2);
  }
});

test('where the Node from npm cannot run, a machine with a newer one uses that, an older one is told what to install', () => {
  using fixture = checkout();
  // The loader this names is not there: what happens to a program made for another C library.
  fixture.write({ 'node_modules/.bin/other': '#!/not/there\n' });
  chmodSync(path.join(fixture.root, 'node_modules/.bin/other'), 0o755);
  renameSync(path.join(fixture.root, 'node_modules/.bin/other'), path.join(fixture.root, 'node_modules/.bin/node'));
  const { status, stdout } = spawnSync(process.execPath, command(fixture, {}), { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [0, `ran ${process.execPath}\n`]);
  const old = bootstrap(fixture, { nodeFlags: pretending('20.1.0') });
  assert.equal(old.status, 2);
  assert.match(
    old.stderr,
    /^safekeep: npm has no Node 24 that runs on this platform .* this Node is 20\.1\.0\. Install Node 22\.18 or newer/,
  );
});

test('a Node below 20 is told apart before anything is done', () => {
  using fixture = checkout({ installed: false });
  const { status, stderr } = bootstrap(fixture, { nodeFlags: pretending('18.19.0') });
  assert.equal(status, 2);
  assert.match(stderr, /^safekeep: Node 18\.19\.0 is too old\. Install Node 20 or newer/);
});

test('an unknown task is refused with the list of tasks', () => {
  using fixture = checkout();
  const { status, stderr } = bootstrap(fixture, { args: ['tset'] });
  assert.equal(status, 2);
  assert.match(stderr, /no task "tset"\. Tasks: start, test, check/);
});

function noNetwork(fixture: Fixture): NodeJS.ProcessEnv {
  // Port 9 (discard) answers nowhere; an own cache so that nothing is found in the person's.
  return {
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_fetch_retries: '0',
    npm_config_cache: path.join(fixture.root, 'cache'),
  };
}

function pretending(version: string): string[] {
  const source = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  return ['--import', `data:text/javascript,${encodeURIComponent(source)}`];
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

async function untilSaid(stream: ChildProcess['stdout'], words: string): Promise<void> {
  assert.ok(stream !== null);
  let said = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (said.includes(words)) return;
  }
  assert.fail(`it ended without saying "${words}", but: ${said}`);
}

function machineNode(): string {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => !folder.includes('node_modules'));
  const candidates = folders.map((folder) => path.join(folder, 'node'));
  return candidates.find(isExecutable) ?? process.execPath;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
