import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export type Options = {
  /** Files, folders or parts of a path; none means everything. */
  readonly filters: readonly string[];
  /** Also run the *.long.test.ts files: soak, many kills, large data. */
  readonly long: boolean;
  /** How many test files run at once: one more than there are cores, since a file waits for its servers and its own processes half of the time. */
  readonly jobs: number;
};

export const USAGE = 'npm test [-- [--long] [--jobs N] [FILE, FOLDER or PART OF A PATH …]]';

/** The arguments are not what the runner takes; the message is for the person who typed them. */
export class UsageError extends Error {}

export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const jobs = values.jobs === undefined ? availableParallelism() + 1 : Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) throw new UsageError(`--jobs takes a whole number from 1, not ${values.jobs}`);
  return { filters: positionals, long: values.long, jobs };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { long: { type: 'boolean', default: false }, jobs: { type: 'string' } },
    });
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message, { cause: error }) : error;
  }
}
