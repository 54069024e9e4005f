import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { endLeftovers, killGroup, MARK } from './processes.ts';
import { emptyScratch, type RunFolder } from './run-folder.ts';
import { RECORD_FD, type TestRecord, type TestResult } from './test-record.ts';

export type FileReport = {
  readonly file: string;
  readonly results: readonly TestResult[];
  /** What is wrong with the file as a whole; each counts as one failure. */
  readonly faults: readonly string[];
  readonly durationMs: number;
};

export type FileRun = {
  readonly root: string;
  readonly file: string;
  /** Its place in the run: names its folder and marks its processes. */
  readonly index: number;
  readonly folder: RunFolder;
  readonly environment: NodeJS.ProcessEnv;
  readonly limits: Limits;
  /** Aborted when the whole run is to end. */
  readonly signal: AbortSignal;
};

export type Limits = {
  /** One test; a test that needs longer says so itself. */
  readonly testMs: number;
  /** A whole file: a test in an endless loop cannot be stopped from inside. */
  readonly fileMs: number;
  /** Nothing runs and nothing is heard: a timer, a server or a connection was left open. */
  readonly idleMs: number;
  /** What is already ending when the file has ended: a server's last workers go after the server itself. */
  readonly graceMs: number;
};

export const LIMITS: Limits = { testMs: 120_000, fileMs: 600_000, idleMs: 60_000, graceMs: 3_000 };
export const LONG_LIMITS: Limits = { testMs: 900_000, fileMs: 3_600_000, idleMs: 60_000, graceMs: 3_000 };

/** How much of a failing file's own output is shown: its end, where the error is. */
const SHOWN_OUTPUT_CHARS = 20_000;
/** How long output may stay open once nothing of the file runs any more. */
const CLOSE_MS = 5_000;

/** Runs one test file in a process of its own and finds out what it left behind. Never rejects for what a test did. */
export async function runFile(run: FileRun): Promise<FileReport> {
  const startedMs = performance.now();
  const scratch = run.folder.scratch(run.index);
  const mark = `${path.basename(run.folder.root)}-${run.index}`;
  const child = startProcess(run, { TMPDIR: scratch, [MARK]: mark });
  const output = captureOutput(child, run);
  const { results, faults, finished } = await follow(child, run);
  const leftovers = child.pid === undefined ? [] : await endLeftovers({ group: child.pid, mark }, run.limits.graceMs);
  await Promise.race([output.written, wait(CLOSE_MS, undefined, { ref: false })]);
  const leftFiles = emptyScratch(scratch);
  if (faults.length === 0) faults.push(...endFaults(child, { results, finished }, output.tail()));
  faults.push(...leftovers.map((name) => `left a process running: ${name}`));
  if (leftFiles.length > 0)
    faults.push(`left ${leftFiles.length} file(s) in its temporary folder: ${leftFiles.slice(0, 10).join(', ')}`);
  return { file: run.file, results, faults, durationMs: performance.now() - startedMs };
}

function startProcess(run: FileRun, own: NodeJS.ProcessEnv): ChildProcess {
  const reporter = path.join(import.meta.dirname, 'record-reporter.ts');
  return spawn(process.execPath, [`--test-timeout=${run.limits.testMs}`, `--test-reporter=${reporter}`, run.file], {
    cwd: run.root,
    env: { ...run.environment, ...own },
    // A group of its own, so that what a test started can be found and ended with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
}

type Heard = { readonly results: readonly TestResult[]; readonly finished: boolean };

/** Listens until the process has ended by itself or was stopped for one of the limits. */
async function follow(child: ChildProcess, run: FileRun): Promise<Heard & { faults: string[] }> {
  const results: TestResult[] = [];
  const faults: string[] = [];
  let finished = false;
  const stop = (fault: string): void => {
    faults.push(fault);
    if (child.pid !== undefined) killGroup(child.pid);
  };
  const stopWithRun = (): void => stop('stopped with the run');
  const fileTimer = setTimeout(() => stop(`ran longer than ${run.limits.fileMs / 1000} s and was killed`), run.limits.fileMs);
  const idle = watchIdle(run.limits.idleMs, stop);
  run.signal.addEventListener('abort', stopWithRun, { once: true });
  const take = (record: TestRecord): void => {
    idle.saw(record);
    if (record.kind === 'result') results.push(record);
    if (record.kind === 'stray') faults.push(record.text);
    if (record.kind === 'finished') finished = true;
  };
  try {
    // `exit`, not `close`: a process left behind by a test can hold the output open for ever.
    await Promise.all([once(child, 'exit'), readRecords(child, take)]);
  } finally {
    clearTimeout(fileTimer);
    idle.end();
    run.signal.removeEventListener('abort', stopWithRun);
  }
  return { results, faults, finished };
}

/** Calls `stop` when no test runs and nothing is heard for `idleMs`. */
function watchIdle(idleMs: number, stop: (fault: string) => void): { saw: (record: TestRecord) => void; end: () => void } {
  let running = 0;
  const timer = setTimeout(() => {
    if (running > 0) timer.refresh();
    else stop(`did not end within ${idleMs / 1000} s of its last test: a server, a connection or a timer is still open`);
  }, idleMs);
  return {
    saw: ({ kind }) => {
      if (kind === 'begun') running += 1;
      if (kind === 'done') running -= 1;
      timer.refresh();
    },
    end: () => clearTimeout(timer),
  };
}

type Output = {
  readonly tail: () => string;
  /** Ends once the output is closed and all of it stands in the logs, which are searched when the run ends. */
  readonly written: Promise<unknown>;
};

/** stdout and stderr go into the run's logs; their end is kept at hand for the report of a failure. */
function captureOutput(child: ChildProcess, run: FileRun): Output {
  const log = createWriteStream(path.join(run.folder.logs, `${run.file.replaceAll('/', '__')}.output`));
  let tail = '';
  const take = (chunk: string): void => {
    log.write(chunk);
    tail = (tail + chunk).slice(-SHOWN_OUTPUT_CHARS);
  };
  child.stdout?.setEncoding('utf8').on('data', take);
  child.stderr?.setEncoding('utf8').on('data', take);
  child.on('close', () => log.end());
  return { tail: () => tail, written: once(log, 'finish') };
}

async function readRecords(child: ChildProcess, take: (record: TestRecord) => void): Promise<void> {
  // `as`: a pipe was asked for at this place, and a parent reads from pipes.
  const input = child.stdio[RECORD_FD] as Readable;
  for await (const line of createInterface({ input })) {
    // `as`: written by our own reporter and by nothing else; nobody else knows this pipe.
    take(JSON.parse(line) as TestRecord);
  }
}

function endFaults(child: ChildProcess, { results, finished }: Heard, output: string): string[] {
  const told = output.trim() === '' ? '' : `\n${output.trimEnd()}`;
  if (child.signalCode !== null) return [`was killed by ${child.signalCode}${told}`];
  const failed = results.some(({ outcome }) => outcome === 'failed');
  if (child.exitCode !== 0 && !failed) return [`ended with exit code ${child.exitCode}${told}`];
  if (results.length === 0) return [`holds no test that came to an end${told}`];
  return finished ? [] : [`ended before all its tests had${told}`];
}
