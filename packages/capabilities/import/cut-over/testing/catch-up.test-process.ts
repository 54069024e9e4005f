import { Secret, systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { catchUp } from '../catch-up.ts';

// Catches up with the run RUN in the database SAFEKEEP_TEST_URL. Prints `ready` when it begins; meant to be killed.

const [, , runId = ''] = process.argv;
const database = await openDatabase(new Secret(process.env['SAFEKEEP_TEST_URL'] ?? ''));
process.stdout.write('ready\n');
const progress = { update: () => undefined, end: () => undefined };
await catchUp(
  { database, tenant: 'default', clock: systemClock, signal: new AbortController().signal, progress: () => progress },
  runId,
);
await database.close();
