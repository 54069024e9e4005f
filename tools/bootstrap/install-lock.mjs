import { randomUUID } from 'node:crypto';
import { readFileSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';

import { Refusal } from './refusal.mjs';

const POLL_MS = 200;
/** How often the holder shows that it lives. */
const HEARTBEAT_MS = 1_000;
/** A lock this long without a heartbeat was left by a process that died. */
const STALE_MS = 15_000;
/** How long to wait before believing that the lock is ours: longer than another needs from reading to removing a stale one. */
const CONFIRM_MS = 100;

/**
 * Runs `work` while no other process of this checkout does. The lock is a file in the root (npm empties node_modules)
 * and lives by its time of change, not by a process id: those say nothing across containers that share a folder.
 */
export async function withInstallLock(root, work) {
  const file = path.join(root, '.install-lock');
  const token = randomUUID();
  await take(file, token);
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS);
  const leave = () => release(file, token);
  process.on('exit', leave);
  try {
    await work();
  } finally {
    clearInterval(heartbeat);
    process.off('exit', leave);
    leave();
  }
}

async function take(file, token) {
  let told = false;
  while (true) {
    if (create(file, token)) {
      await wait(CONFIRM_MS);
      if (contentOf(file) === token) return;
    } else if (isStale(file)) {
      remove(file);
    } else {
      if (!told) process.stderr.write('safekeep: another command is installing; waiting for it …\n');
      told = true;
      await wait(POLL_MS);
    }
  }
}

function create(file, token) {
  try {
    writeFileSync(file, token, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new Refusal(
      `${path.dirname(file)} cannot be written (${error.code}), so nothing can be installed there. Run as its owner, or give this user write access.`,
    );
  }
}

function isStale(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > STALE_MS;
}

function touch(file) {
  const now = new Date();
  ignoringAbsence(() => utimesSync(file, now, now));
}

function release(file, token) {
  if (contentOf(file) === token) remove(file);
}

function contentOf(file) {
  return ignoringAbsence(() => readFileSync(file, 'utf8'));
}

function remove(file) {
  ignoringAbsence(() => unlinkSync(file));
}

function ignoringAbsence(action) {
  try {
    return action();
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}
