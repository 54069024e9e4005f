#!/usr/bin/env node
// Starts the CLI on a Node that can run it. Plain JavaScript of an old dialect on purpose: whatever Node the machine has
// must be able to read this file, to say what is missing or to hand over to the Node that npm installed beside us.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Other users can read the process list: a URL given with --db does not stay in it.
process.title = 'safekeep';

const OLDEST = [22, 18];
const LAUNCHED = 'SAFEKEEP_LAUNCHED';
const here = dirname(fileURLToPath(import.meta.url));

function isFit(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** The Node of this checkout's node_modules, searched upwards as Node itself would. */
function nodeBeside() {
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Ends with the Node that handed over to this one, which is what whoever started it knows: a kill -9 of it is meant for the work. */
function endWithLauncher() {
  if (process.env[LAUNCHED] === undefined) return;
  delete process.env[LAUNCHED];
  const end = () => process.kill(process.pid, 'SIGKILL');
  // The system closes the channel with the launcher, however that ends.
  process.once('disconnect', end);
  if (!process.connected) end();
  process.channel?.unref();
}

if (isFit(process.versions.node)) {
  endWithLauncher();
  // Half of the time of a short command is reading its own code. Where the folder cannot be written, nothing is kept.
  const modules = join(here, '..', '..', '..', 'node_modules');
  if (process.env.NODE_COMPILE_CACHE === undefined && existsSync(modules))
    nodeModule.enableCompileCache?.(join(modules, '.cache', 'compiled'));
  const main = join(here, '..', 'main.ts');
  await import(existsSync(main) ? main : join(here, '..', 'main.js'));
} else {
  const node = nodeBeside();
  if (node === undefined) {
    console.error(
      `safekeep needs Node ${OLDEST.join('.')} or newer; this is ${process.versions.node}.\n  what to do: install a newer Node from https://nodejs.org, or run \`npm install\` in the checkout.`,
    );
    process.exit(2);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [LAUNCHED]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 3) : 130));
}
