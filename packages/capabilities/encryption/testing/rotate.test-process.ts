// Rolls, rotates and shreds until it is killed, and says what it has begun and what it has done.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { Secret, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { openDatabase } from '@safekeep/postgres';
import { openLedger } from '../../ledger/index.ts';
import { openKeyring } from '../actions/open-keys.ts';
import { rollEpoch } from '../actions/roll-epoch.ts';
import { rotateRoot } from '../actions/rotate-root.ts';
import { shredSubject, workOffShreds } from '../actions/shred-subject.ts';
import { openRoots } from '../roots/open.ts';

const [url = '', home = '', first = '0'] = process.argv.slice(2);
const directory = join(home, 'keys');
const database = await openDatabase(new Secret(url), { applicationName: 'rotates until killed' });
const settings = {
  kind: 'file',
  passphrase: undefined,
  ageIdentity: undefined,
  key: undefined,
  command: undefined,
  timeoutMs: 1_000,
  previous: undefined,
} as const;
const ring = openKeyring({
  database,
  directory,
  clock: systemClock,
  roots: openRoots({ settings, directory, now: () => new Date(), onSecretMade: () => undefined }),
});
const ledger = await openLedger({
  directory: join(home, 'ledger'),
  keyFile: join(directory, 'ledger.key'),
  signer: signingKeyFromPem(createSigningKey(), 'home-1'),
  clock: systemClock,
});
const ground = { ring, ledger, tenant: 'default', places: [] };
// Synchronous: what was done is told before the kill.
const say = (line: string): void => void writeSync(1, `${line}\n`);
await workOffShreds(ground);
// Far more than anybody lets it do.
for (let person = Number(first); person < 1_000_000; person += 1) {
  say(`shredding ${person}`);
  await shredSubject(ground, { person: { type: 'patient', key: [String(person)] } });
  say(`shredded ${person}`);
  await rollEpoch(ring, 'default');
  say('rolled');
  await rotateRoot(ring);
  say('rotated');
}
