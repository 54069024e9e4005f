import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopEmbedded } from '@safekeep/postgres';

/** How a command ended. */
export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another user of this system, by number; the test must be root's. */
  readonly user?: number;
  /** Called with all of stderr so far whenever more comes, and a way to send the process a signal. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  /** Whoever reads stdout goes away at once. */
  readonly closeStdout?: boolean;
};

const BIN = join(import.meta.dirname, '..', 'bin', 'safekeep.mjs');

/** What a command finds in its environment: our own settings do not leak in, but where the run gathers its logs does. */
export function surroundings(own: RunOptions['environment']): Readonly<Record<string, string | undefined>> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('SAFEKEEP_') || name === 'SAFEKEEP_TEST_LOG_DIR',
  );
  return { ...Object.fromEntries(inherited), ...own };
}

/** Runs the CLI as a user would, without a terminal. */
export function safekeep(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: options.cwd ?? tmpdir(),
      env: surroundings(options.environment),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      options.onStderr?.(stderr, (signal) => void child.kill(signal));
    });
    if (options.closeStdout === true) child.stdout.destroy();
    child.once('error', failed);
    child.once('close', (code) => done({ code: code ?? -1, stdout, stderr }));
  });
}

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

/** A folder for a home (or anything else) that is gone after the test, its server stopped before. */
export async function temporaryHome(test: Ending): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-home-'));
  // The server's user passes through it.
  await chmod(folder, 0o711);
  test.after(async () => {
    await stopEmbedded(folder);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}
