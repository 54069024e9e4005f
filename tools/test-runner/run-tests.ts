import { testEnvironment } from './environment.ts';
import type { Options } from './options.ts';
import { failuresText, progressLine, skipsText, totalsLine, totalsOf } from './report.ts';
import { LIMITS, LONG_LIMITS, runFile, type FileReport } from './run-file.ts';
import { createRunFolder, type RunFolder } from './run-folder.ts';
import { selectFiles } from './select-files.ts';
import { serversFor, type TestServers } from './servers.ts';

export type TestRun = Options & {
  readonly root: string;
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
};

/** Runs the selected tests and prints the report. True when at least one passed and none failed. */
export async function runTests(run: TestRun): Promise<boolean> {
  const files = selectFiles(run);
  const folder = createRunFolder();
  try {
    const reports = await runWithServers(run, files, folder);
    run.print(`\n${failuresText(reports)}${skipsText(reports)}`);
    const totals = totalsOf(reports);
    run.print(`${totalsLine(totals)}\n`);
    return totals.failed === 0 && totals.passed > 0;
  } finally {
    folder.remove();
  }
}

/** The servers start in the run's folder: what they write there goes with it. */
async function runWithServers(run: TestRun, files: readonly string[], folder: RunFolder): Promise<FileReport[]> {
  process.env['TMPDIR'] = folder.servers;
  process.env['SAFEKEEP_TEST_LOG_DIR'] = folder.logs;
  const startedMs = performance.now();
  const servers = await serversFor(files);
  for (const line of servers.describe) run.print(`${line}\n`);
  const reports: FileReport[] = [];
  try {
    reports.push(...(await runFiles(run, files, { folder, servers })));
  } finally {
    const faults = [await leakFault([folder.logs, ...servers.logDirectories]), await stopFault(servers)].filter(
      (fault) => fault !== undefined,
    );
    if (faults.length > 0) {
      reports.push({ file: 'test servers and logs', results: [], faults, durationMs: performance.now() - startedMs });
    }
  }
  return reports;
}

/** Every log of the run, ours and the servers', searched for personal values and keys that the tests planted. */
async function leakFault(directories: readonly string[]): Promise<string | undefined> {
  const { assertNoCanaries } = await import('@safekeep/log/testing');
  return await faultOf(() => assertNoCanaries(directories));
}

async function stopFault(servers: TestServers): Promise<string | undefined> {
  return await faultOf(() => servers.stop());
}

async function faultOf(action: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

type Stage = { readonly folder: RunFolder; readonly servers: TestServers };

/** `jobs` workers, each taking the next file when it is done with one. */
async function runFiles(run: TestRun, files: readonly string[], { folder, servers }: Stage): Promise<FileReport[]> {
  const environment = testEnvironment(process.env, {
    ...servers.env,
    SAFEKEEP_TEST_LOG_DIR: folder.logs,
    ...(run.long ? { SAFEKEEP_TEST_LONG: '1' } : {}),
  });
  const limits = run.long ? LONG_LIMITS : LIMITS;
  const waiting = files.entries();
  const reports: FileReport[] = [];
  const work = async (): Promise<void> => {
    // One iterator shared by all workers: each `next` hands out a file once.
    for (const [index, file] of waiting) {
      if (run.signal.aborted) return;
      const report = await runFile({ root: run.root, file, index, folder, environment, limits, signal: run.signal });
      reports.push(report);
      run.print(`${progressLine(report)}\n`);
    }
  };
  await Promise.all(Array.from({ length: run.jobs }, work));
  return reports.sort((a, b) => a.file.localeCompare(b.file));
}
