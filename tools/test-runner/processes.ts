import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/** Stands in the environment of a test process and so in that of everything it starts. */
export const MARK = 'SAFEKEEP_TEST_MARK';

/** How the processes of one test file are known. */
export type Family = {
  /** The process group that the test process leads. */
  readonly group: number;
  /** The value of `MARK`: servers leave the group they were started in, their environment stays. */
  readonly mark: string;
};

const POLL_MS = 20;

/** Waits `graceMs` for what is already ending, then kills what still runs of a test file. Returns the killed, by name. */
export async function endLeftovers(family: Family, graceMs: number): Promise<string[]> {
  const untilMs = performance.now() + graceMs;
  let left = living(family);
  while (left.length > 0 && performance.now() < untilMs) {
    await wait(POLL_MS);
    left = living(family);
  }
  const names = left.map(nameOf);
  for (const target of left) kill(target);
  return names;
}

/** Kills a test process and everything in its group. */
export function killGroup(group: number): void {
  kill(-group);
}

/** Process ids; a negative one is a whole group, all that can be known where there is no /proc. */
function living({ group, mark }: Family): number[] {
  if (process.platform !== 'linux') return isThere(-group) ? [-group] : [];
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => isInGroup(pid, group) || readProcess(pid, 'environ').split('\0').includes(`${MARK}=${mark}`));
}

/** proc_pid_stat(5): `pid (command) state ppid pgrp …`. A zombie has ended; who should take note of it is not our matter. */
function isInGroup(pid: number, group: number): boolean {
  const stat = readProcess(pid, 'stat');
  const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return pgrp === String(group) && state !== 'Z' && state !== 'X';
}

function nameOf(target: number): string {
  const command = target > 0 ? readProcess(target, 'cmdline').replaceAll('\0', ' ').trim() : 'a process of the group';
  return `${command} (${Math.abs(target)})`;
}

/** Empty for a process of another user, and for one that ended since it was listed. */
function readProcess(pid: number, file: 'environ' | 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function isThere(target: number): boolean {
  try {
    return process.kill(target, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** What has ended meanwhile needs no killing, and what belongs to another user we cannot kill: it is named all the same. */
function kill(target: number): void {
  try {
    process.kill(target, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
