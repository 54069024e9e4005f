import { Secret, systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { applyPlan } from '../actions/apply-plan.ts';
import { columnComments } from '../contributors/column-comments.ts';
import { concurrentIndexes, tableComments } from './contributors.ts';
import { mapOf } from './workbench.ts';

// Applies a map and kills itself, as a power cut would, at the moment it was told: `ran 2`.
const [url, map, hash, fatal] = process.argv.slice(2);
if (url === undefined || map === undefined || hash === undefined) throw new Error('It takes a URL, a map, a hash and a moment.');
// The test that starts this process wrote it.
const parts = JSON.parse(map) as object;
const database = await openDatabase(new Secret(url), { applicationName: 'doomed' });
await applyPlan(
  {
    database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: (moment, { done }) => {
      process.stdout.write(`${moment} ${done}\n`);
      if (`${moment} ${done}` === fatal) process.kill(process.pid, 'SIGKILL');
    },
  },
  {
    hash,
    author: 'Ada',
    agree: async () => undefined,
    intent: { tenant: 'default', contributors: [columnComments, concurrentIndexes, tableComments], read: mapOf(parts) },
  },
);
await database.close();
