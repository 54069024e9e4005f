import { fork, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { surroundings, type Ended, type RunOptions } from './safekeep.ts';

/** One command line for the process at hand. */
export type Call = {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
};

const PROGRAM = join(import.meta.dirname, 'at-hand.test-process.ts');

/** Have read the CLI and wait; as many as were ever busy at once. They end with the process that has them. */
const idle: ChildProcess[] = [];

/**
 * The same as `safekeep`, for tests of what a command does: its code runs in a process that has read the CLI already and runs the command
 * lines that follow, one at a time. Reading it takes more than most commands do. How a process begins, is interrupted and ends is
 * tested with `safekeep`.
 */
export async function safekeepAtHand(
  args: readonly string[],
  options: Pick<RunOptions, 'environment' | 'cwd'> = {},
): Promise<Ended> {
  const child = idle.pop() ?? fork(PROGRAM, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  // The test waits for it as long as it works, and no longer.
  child.ref();
  child.channel?.ref();
  const call: Call = { args, environment: surroundings(options.environment), cwd: options.cwd ?? tmpdir() };
  child.send(call);
  const ended = await answerOf(child);
  child.unref();
  child.channel?.unref();
  idle.push(child);
  return ended;
}

async function answerOf(child: ChildProcess): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  // Sent by at-hand.test-process.ts and by nobody else.
  const answered = (ended: unknown): void => resolve(ended as Ended);
  const died = (code: number | null, signal: NodeJS.Signals | null): void =>
    reject(new Error(`The process at hand ended by itself: ${signal ?? code}`));
  child.once('message', answered).once('exit', died);
  try {
    return await promise;
  } finally {
    child.off('message', answered).off('exit', died);
  }
}
