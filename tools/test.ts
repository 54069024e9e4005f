import path from 'node:path';
import { readOptions, USAGE, UsageError } from './test-runner/options.ts';
import { runTests } from './test-runner/run-tests.ts';

// npm test [-- [--long] [--jobs N] [FILE, FOLDER or PART OF A PATH …]]
//
// Ends with one line, `N passed, N failed[, N skipped]`; exit code 1 when anything failed or nothing ran.

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    process.stdout.write(`\n${name}: stopping …\n`);
    stopping.abort();
  });
}

try {
  const options = readOptions(process.argv.slice(2));
  const root = path.resolve(import.meta.dirname, '..');
  const good = await runTests({ ...options, root, signal: stopping.signal, print: (text) => process.stdout.write(text) });
  process.exitCode = good ? 0 : 1;
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stdout.write(`${isUsage ? `${error.message}\n${USAGE}` : describe(error)}\n0 passed, 1 failed\n`);
  process.exitCode = isUsage ? 2 : 1;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
