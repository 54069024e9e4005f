import { execFile } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Where figures come from; without it they say nothing. */
export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** Average number of running processes in the minute before the first run. */
  readonly loadBefore: number;
};

export function readMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** Short hash of what is checked out, with `+` when sources differ from it; `unknown` outside a repository. */
export async function readCommit(folder: string): Promise<string> {
  try {
    const { stdout: hash } = await execute('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: folder });
    const { stdout: changes } = await execute('git', ['status', '--porcelain', '--', ...SOURCES], { cwd: folder });
    return changes === '' ? hash.trim() : `${hash.trim()}+`;
  } catch {
    return 'unknown';
  }
}

// What a run writes itself does not make its commit a changed one.
const SOURCES = [':/', ':(top,exclude)docs/performance.md', ':(top,exclude)bench/results'];
