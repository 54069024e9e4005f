import { Secret, systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { decryptField } from '../actions/decrypt-field.ts';
import { encryptField } from '../actions/encrypt-field.ts';
import { fieldKeys } from '../actions/field-keys.ts';
import { finishField } from '../actions/finish-field.ts';
import type { Ground } from '../actions/ground.ts';
import { rotateField } from '../actions/rotate-field.ts';
import { memoryKeys } from './keys.ts';

// Moves public.people.email one stretch and kills itself, as a power cut would, at the moment of the given number.
const [url, stretch, fatal, keyVersion] = process.argv.slice(2);
if (url === undefined || stretch === undefined)
  throw new Error('It takes a URL, a stretch, a number of moments and a key version.');
const database = await openDatabase(new Secret(url), { applicationName: 'doomed' });
let moments = 0;
const ground: Ground = {
  database,
  tenant: 'default',
  clock: systemClock,
  signal: new AbortController().signal,
  keys: fieldKeys(memoryKeys('test', Number(keyVersion ?? 1))),
  leaseMs: 0,
  patience: { tries: 100, lockTimeoutMs: 200, pauseMs: 10 },
  observe: () => {
    moments += 1;
    if (moments === Number(fatal)) process.kill(process.pid, 'SIGKILL');
  },
};
const column = { schema: 'public', table: 'people', column: 'email' };
const agree = async (): Promise<void> => undefined;
if (stretch === 'encrypt')
  await encryptField(ground, { column, mode: 'client', search: ['exact'], card: null, acceptLeak: false }, agree);
else if (stretch === 'finish') await finishField(ground, column, agree);
else if (stretch === 'rotate') await rotateField(ground, column, { agree, resume: true });
else await decryptField(ground, column, agree);
process.stdout.write(`${moments}\n`);
await database.close();
