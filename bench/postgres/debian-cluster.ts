import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, programAvailable, programVersion, type Program } from '../measure/program.ts';
import { removeFolder } from './folder.ts';

const execute = promisify(execFile);

const PACKAGE = { debianPackage: 'postgresql-15', folders: ['/usr/lib/postgresql/15/bin'] };
const INITDB: Program = { name: 'initdb', ...PACKAGE };
const PG_CTL: Program = { name: 'pg_ctl', ...PACKAGE };

/** For a contender: whether Debian's PostgreSQL is here, and which. */
export const debianPostgres = {
  available: () => programAvailable(PG_CTL),
  version: () => programVersion(PG_CTL),
};

/** A data directory for Debian's programs, run as they are: what somebody would do by hand. */
export type DebianCluster = {
  readonly folder: string;
  readonly password: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
};

/** `folder` must be there. It becomes the property of the server's user. */
export async function debianCluster(folder: string): Promise<DebianCluster> {
  const cluster = { folder, password: randomBytes(24).toString('base64url') };
  // PostgreSQL refuses to run as root; Debian's package made a user for it.
  if (process.getuid?.() !== 0) return cluster;
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await execute('id', [flag, 'postgres'])).stdout)));
  if (uid === undefined || gid === undefined) throw new Error('`id postgres` gave no ids.');
  await chown(folder, uid, gid);
  return { ...cluster, owner: { uid, gid } };
}

/** With checksums and password login, as ours. */
export async function initialise(cluster: DebianCluster): Promise<void> {
  const passwordFile = join(cluster.folder, 'password');
  await writeFile(passwordFile, cluster.password, { mode: 0o600 });
  if (cluster.owner) await chown(passwordFile, cluster.owner.uid, cluster.owner.gid);
  const login = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  await runProgram(cluster, INITDB, [
    `--pgdata=${dataOf(cluster)}`,
    ...login,
    '--data-checksums',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
  ]);
}

/** Returns the URL of its database `postgres`. `more`: settings beside those of a server of its own, as `name=value`. */
export async function start(cluster: DebianCluster, more: readonly string[] = []): Promise<string> {
  const port = await freePort();
  const settings = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories=''${more.map((setting) => ` -c ${setting}`).join('')}`;
  await runProgram(cluster, PG_CTL, ['start', '-w', '-D', dataOf(cluster), '-l', join(cluster.folder, 'log'), '-o', settings]);
  return `postgres://postgres:${cluster.password}@127.0.0.1:${port}/postgres`;
}

export async function stop(cluster: DebianCluster): Promise<void> {
  await runProgram(cluster, PG_CTL, ['stop', '-w', '-m', 'fast', '-D', dataOf(cluster)]);
}

/** Running or not. */
export async function removeCluster(cluster: DebianCluster): Promise<void> {
  if (existsSync(join(dataOf(cluster), 'postmaster.pid'))) await stop(cluster);
  await removeFolder(cluster.folder);
}

function dataOf(cluster: DebianCluster): string {
  return join(cluster.folder, 'data');
}

async function runProgram({ folder, owner }: DebianCluster, program: Program, args: readonly string[]): Promise<void> {
  const path = await findProgram(program);
  if (path === undefined) throw new Error(`${program.name} was there when the bench began, and is gone.`);
  await execute(path, args, { ...owner, cwd: folder });
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('The system gave no free port.');
  return address.port;
}
