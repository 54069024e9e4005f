// A process of its own for the kill tests: a worker that says when it runs, and stays until it is killed or told to drain.
import { Secret, systemClock } from '@safekeep/core';
import { openLog } from '@safekeep/log';
import { openDatabase } from '@safekeep/postgres';
import { startWorker } from '../worker/worker.ts';
import { poison, stepped } from './kinds.ts';
import { fastTiming } from './workshop.ts';

const [url = '', directory = ''] = process.argv.slice(2);
const log = openLog({ directory, level: 'warn', clock: systemClock, component: 'worker' });
const database = await openDatabase(new Secret(url), { applicationName: 'worker process' });
const ending = new AbortController();
const worker = await startWorker({
  database,
  kinds: [stepped, poison],
  clock: systemClock,
  log,
  timing: fastTiming,
  signal: ending.signal,
});
process.once('SIGTERM', () => {
  ending.abort();
  void leave();
});
process.send?.('running');

async function leave(): Promise<void> {
  await worker.drain();
  await database.close();
  log.close();
  process.disconnect();
}
