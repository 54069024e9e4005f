import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SafekeepError } from '@safekeep/core';

const execute = promisify(execFile);

/** The operating-system user that runs the server. */
export type ServerUser = { readonly uid: number; readonly gid: number };

// The name that distributions give to the user of their own PostgreSQL, then ours.
const CANDIDATES = ['postgres', 'safekeep'] as const;

/**
 * PostgreSQL refuses to run as root, so root needs somebody else to run it: the system's `postgres` user, or a system
 * user without login named `safekeep`, made here when neither exists. Data that stands is served by its owner, who may be
 * the ordinary user whose home it is. Anybody but root runs it themselves (`undefined`).
 *
 * @throws `embedded-user` when root has no such user and may not make one.
 */
export async function serverUser(data?: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  // Data that is not there yet, or that even root cannot look at, has no owner who could serve it.
  const owner = data === undefined ? undefined : await stat(data).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of CANDIDATES) {
    const found = await lookUp(name);
    if (found) return found;
  }
  return await createSystemUser();
}

/** Whether `user` (or, where undefined, ourselves) can reach `path` and run or enter it. Asked of the kernel, so access lists count too. */
export async function canReach(path: string, user: ServerUser | undefined): Promise<boolean> {
  if (user === undefined) return true;
  return await execute('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], { ...user, cwd: '/' }).then(
    () => true,
    () => false,
  );
}

async function lookUp(name: string): Promise<ServerUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([execute('id', ['-u', name]), execute('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    // `id` ends with 1 for a name that does not exist: the answer, not a failure.
    return undefined;
  }
}

async function createSystemUser(): Promise<ServerUser> {
  let reason = 'neither useradd nor adduser worked';
  // shadow-utils on most systems, busybox on Alpine.
  for (const [tool, args] of [
    ['useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', 'safekeep']],
    ['adduser', ['-S', '-H', '-D', 'safekeep']],
  ] as const) {
    try {
      await execute(tool, args);
      const made = await lookUp('safekeep');
      if (made) return made;
    } catch (error) {
      reason = error instanceof Error ? (error.message.split('\n')[0] ?? reason) : reason;
    }
  }
  throw new SafekeepError('embedded-user', { reason });
}
