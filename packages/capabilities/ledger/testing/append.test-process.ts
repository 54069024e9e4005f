// Appends to a ledger until it is killed, and says each id once it is acknowledged.
import { readFileSync, writeSync } from 'node:fs';
import { newId, systemClock } from '@safekeep/core';
import { signingKeyFromPem } from '@safekeep/crypto';
import { openLedger } from '../actions/open-ledger.ts';
import { intent } from './workbench.ts';

const [directory = '', copyDirectory = '', keyFile = '', pem = ''] = process.argv.slice(2);
const ledger = await openLedger({
  directory,
  copyDirectory,
  keyFile,
  signer: signingKeyFromPem(readFileSync(pem, 'utf8'), 'home-1'),
  clock: systemClock,
  segmentBytes: 20_000,
});
// Far more than anybody lets it write.
for (let count = 0; count < 1_000_000; count += 1) {
  const ids = Array.from({ length: 1 + (count % 5) }, () => newId<'operation'>());
  await ledger.appendAll(ids.map((id) => intent(id)));
  // Synchronous: what was acknowledged is told before the kill.
  writeSync(1, `${ids.join('\n')}\n`);
}
