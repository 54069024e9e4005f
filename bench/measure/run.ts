import { isSafekeepError, SafekeepError, type Clock, type ExitCode as RefusalCode } from '@safekeep/core';
import { takeLock } from './lock.ts';
import { measure } from './measure.ts';
import { readOptions, type Options } from './options.ts';
import { record, type Records } from './page.ts';
import { listBenches, loadBench, type BenchFile } from './registry.ts';
import { openPromises, report } from './report.ts';
import type { BenchResult } from './result.ts';

/** The world around a bench run; main.ts gives the real one. */
export type Surroundings = Records & {
  /** Folder with the benches. */
  readonly benches: string;
  readonly lockPort: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
  /** Progress and problems, for a person. */
  readonly say: (line: string) => void;
};

export type ExitCode = 0 | RefusalCode;

/**
 * `npm run bench`. A missed promise is a finding and exits 0: a bench is no gate. A bench that breaks exits 3 after the
 * others have run, wrong usage and a busy machine 2, an interruption 130.
 */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  try {
    const options = readOptions(args);
    const files = await chooseBenches(options, surroundings.benches);
    if (options.list) return await list(files, surroundings);
    const lock = await takeLock(surroundings.lockPort, options.name ?? 'all benches');
    try {
      return await measureAll(files, options, surroundings);
    } finally {
      await lock.release();
    }
  } catch (error) {
    surroundings.say(isSafekeepError(error) ? `${error.message}\n${error.remedy}` : stackOf(error));
    return isSafekeepError(error) ? error.exit : 3;
  }
}

async function chooseBenches({ name }: Options, folder: string): Promise<readonly BenchFile[]> {
  const all = await listBenches(folder);
  if (name === undefined) return all;
  const chosen = all.filter((file) => file.name === name);
  if (chosen.length > 0) return chosen;
  throw new SafekeepError('usage', { problem: `There is no bench "${name}", but ${all.map((file) => file.name).join(', ')}.` });
}

async function list(files: readonly BenchFile[], { print, say }: Surroundings): Promise<ExitCode> {
  const width = Math.max(...files.map(({ name }) => name.length));
  let exitCode: ExitCode = 0;
  for (const { name, file } of files) {
    try {
      print(`${name.padEnd(width)}  ${(await loadBench(file)).question}`);
    } catch (error) {
      say(brokenLine(name, error));
      exitCode = 3;
    }
  }
  return exitCode;
}

function brokenLine(name: string, error: unknown): string {
  return `${name} is broken: ${stackOf(error)}`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

async function measureAll(files: readonly BenchFile[], options: Options, surroundings: Surroundings): Promise<ExitCode> {
  const { print, say, signal } = surroundings;
  const results: BenchResult[] = [];
  const broken: string[] = [];
  for (const file of files) {
    try {
      const result = await measureOne(file, options, surroundings);
      results.push(result);
      if (!options.json) print(`${report(result)}\n`);
      await keep(result, surroundings);
    } catch (error) {
      if (error === signal.reason) throw interrupted(file.name);
      broken.push(file.name);
      say(brokenLine(file.name, error));
    }
  }
  if (options.json) print(JSON.stringify({ results, broken }, null, 2));
  else summarise(results, broken, print);
  return broken.length > 0 ? 3 : 0;
}

function interrupted(name: string): SafekeepError {
  return new SafekeepError('interrupted', { action: `Bench ${name}`, kept: 'What it started was stopped; earlier results stand.' });
}

async function measureOne(file: BenchFile, options: Options, surroundings: Surroundings): Promise<BenchResult> {
  const say = (line: string): void => surroundings.say(`${file.name}: ${line}`);
  const { clock, signal } = surroundings;
  const result = await measure(file, await loadBench(file.file), { ...options, clock, signal, say });
  const { loadBefore, cores } = result.machine;
  if (loadBefore > cores * BUSY_SHARE)
    say(`the machine was busy (load ${loadBefore.toFixed(2)} on ${cores} cores): expect wide intervals`);
  return result;
}

// Of the cores; above it something else runs often enough to be met by most rounds.
const BUSY_SHARE = 0.25;
// Below this an interval says little, and a quick look must not replace figures that were measured well.
const LEAST_RUNS_KEPT = 5;

async function keep(result: BenchResult, surroundings: Surroundings): Promise<void> {
  const measured = result.contenders.some(({ missing }) => missing === undefined);
  if (measured && result.runs >= LEAST_RUNS_KEPT) return await record(result, surroundings);
  const reason = measured ? `fewer than ${LEAST_RUNS_KEPT} runs` : 'no contender is there to be measured';
  surroundings.say(`${result.bench}: not kept: ${reason}`);
}

function summarise(results: readonly BenchResult[], broken: readonly string[], print: (text: string) => void): void {
  const promises = results.reduce((total, result) => total + result.limits.length, 0);
  const open = results.flatMap(openPromises);
  print(`${promises - open.length} of ${promises} promises met.`);
  for (const line of [...open, ...broken.map((name) => `${name}: broken, no figures`)]) print(`- ${line}`);
}
