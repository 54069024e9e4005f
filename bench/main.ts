// `npm run bench`: see README.md beside this file.
import { join } from 'node:path';
import { systemClock } from '@safekeep/core';
import { LOCK_PORT } from './measure/lock.ts';
import { run } from './measure/run.ts';

const here = import.meta.dirname;
const interrupt = new AbortController();
// Once: the bench ends after the run that is on and takes its servers down. Twice: Node's own way, at once.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupt.abort());

const exitCode = await run(process.argv.slice(2), {
  benches: here,
  page: join(here, '../docs/performance.md'),
  results: join(here, 'results'),
  lockPort: LOCK_PORT,
  clock: systemClock,
  signal: interrupt.signal,
  print: (text) => console.log(text),
  say: (line) => console.error(line),
});
// A contender that exceeded its time may still hold the event loop.
process.exit(exitCode);
