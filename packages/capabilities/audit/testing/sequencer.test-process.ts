import { systemClock, Secret } from '@safekeep/core';
import { signingKeyFromPem } from '@safekeep/crypto';
import { openLog } from '@safekeep/log';
import { openDatabase } from '@safekeep/postgres';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sequence, type SequencerMoment } from '../actions/sequence.ts';
import { baselineHeads } from '../files/baseline-heads.ts';
import { lastCheckpoint } from '../files/last-checkpoint.ts';
import { auditKeys } from '../keys/audit-keys.ts';
import { fileRing } from './file-ring.ts';

// Sequences in small batches and kills itself, as a power cut would, when it comes to a moment for the nth time.
const [url, home, fatal, nth] = process.argv.slice(2);
if (url === undefined || home === undefined) throw new Error('It takes a URL, a home, a moment and a count.');
const database = await openDatabase(new Secret(url), { applicationName: 'sequencer' });
const log = openLog({ directory: join(home, 'log'), level: 'error', clock: systemClock, component: 'test', environment: {} });
let left = Number(nth);
const observe = (moment: SequencerMoment): void => {
  if (moment !== fatal) return;
  left -= 1;
  if (left <= 0) process.kill(process.pid, 'SIGKILL');
};
const ground = {
  database,
  keys: await auditKeys(home, fileRing({ database, home, clock: systemClock })),
  signer: signingKeyFromPem(await readFile(join(home, 'signing.pem'), 'utf8'), 'safekeep-test'),
  last: lastCheckpoint(home),
  heads: baselineHeads(home),
  clock: systemClock,
  log,
  batch: 11,
  observe,
};
process.on('message', () => process.exit(0));
for (;;) {
  try {
    await sequence(ground);
  } catch (error) {
    // Another sequencer was quicker, or the test has ended.
    if (!(error instanceof Error && 'code' in error && (error.code === '55P03' || error.code === '40001'))) throw error;
  }
}
