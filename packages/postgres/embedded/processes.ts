import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ServerUser } from './server-user.ts';

const execute = promisify(execFile);
const HAS_PROC = existsSync('/proc/self/cwd');
// A postmaster notes its start a moment after the system does, and both count whole seconds.
const START_TOLERANCE_MS = 5000;

/**
 * What tells a process from a later one with the same number: its start time, from /proc (proc(5), field 22) or, elsewhere,
 * from ps. `undefined` for a process that does not run.
 */
export function birthOf(pid: number): string | undefined {
  if (!HAS_PROC) return startOf(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces: count from the last parenthesis.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    // No such entry: no such process.
    return undefined;
  }
}

/** `lstart` of ps, in UTC whatever the time zone of the moment. */
function startOf(pid: number): string | undefined {
  try {
    const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' };
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env }).trim() || undefined;
  } catch {
    // ps ends with 1 for a process that does not run: the answer, not a failure.
    return undefined;
  }
}

/**
 * Whether `pid` is a server at work in `directory` (a real path). A postmaster's working folder is its data directory,
 * which no other process with a reused number has; without /proc its start is compared with the one it noted itself.
 */
export async function worksIn(pid: number, directory: string, options: WorkOptions): Promise<boolean> {
  if (!HAS_PROC) {
    const start = startOf(pid);
    return start !== undefined && Math.abs(Date.parse(`${start} UTC`) - options.startedMs) < START_TOLERANCE_MS;
  }
  try {
    // As the server's user: root in a container may lack the right to look at another user's process (ptrace(2)).
    const { stdout } = await execute('readlink', ['-n', `/proc/${pid}/cwd`], { ...options.user, cwd: '/' });
    return stdout === directory;
  } catch {
    // It is gone, or it is the process of another user and so no server of ours.
    return false;
  }
}

type WorkOptions = { readonly startedMs: number; readonly user: ServerUser | undefined };
