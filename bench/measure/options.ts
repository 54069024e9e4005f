import { parseArgs } from 'node:util';
import { SafekeepError } from '@safekeep/core';
import { scales, type Scale } from './bench.ts';

export type Options = {
  /** Absent: every bench. */
  readonly name?: string;
  readonly list: boolean;
  readonly scale: Scale;
  readonly runs?: number;
  readonly seed: number;
  readonly json: boolean;
};

const USAGE = `npm run bench -- [NAME] [options]

  NAME            one bench; without it all run, one after the other
  --list          name the benches and their questions, run nothing
  --scale SCALE   small, medium (default) or large
  --runs N        rounds that count (default: what the bench says, mostly 7); fewer than 5 are a quick look, not kept
  --seed N        order of the rounds and resampling (default 1)
  --json          one JSON document on stdout instead of tables

Results are kept in bench/results/ and docs/performance.md, by bench and scale.`;

// A bench of that many rounds is a mistake at the keyboard.
const MOST_RUNS = 1000;

/** @throws `usage`. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  if (positionals.length > 1) throw usage(`One bench at a time, not ${positionals.length}.`);
  const [name] = positionals;
  const runs = wholeNumber('runs', values.runs, 1, MOST_RUNS);
  return {
    ...(name === undefined ? {} : { name }),
    ...(runs === undefined ? {} : { runs }),
    list: values.list,
    scale: readScale(values.scale),
    seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1) ?? 1,
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        list: { type: 'boolean', default: false },
        scale: { type: 'string', default: 'medium' },
        runs: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

function readScale(text: string): Scale {
  const scale = scales.find((candidate) => candidate === text);
  if (scale === undefined) throw usage(`--scale is ${scales.join(', ')}; "${text}" is none of them.`);
  return scale;
}

function wholeNumber(flag: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw usage(`--${flag} takes a whole number from ${least} to ${most}; "${text}" is none.`);
}

function usage(problem: string): SafekeepError {
  return new SafekeepError('usage', { problem: `${problem}\n\n${USAGE}` });
}
