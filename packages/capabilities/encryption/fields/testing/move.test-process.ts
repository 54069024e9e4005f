import { isSafekeepError, Secret, systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { decryptColumns } from '../actions/decrypt-field.ts';
import { encryptFields } from '../actions/encrypt-field.ts';
import { fieldKeys } from '../actions/field-keys.ts';
import { finishFields } from '../actions/finish-field.ts';
import type { Ground } from '../actions/ground.ts';
import { rotateFields } from '../actions/rotate-field.ts';
import { requireAllMoved } from '../actions/together.ts';
import { memoryKeys } from './keys.ts';

// Moves public.people.email and phone together one stretch and kills itself, as a power cut would, at the moment of the given number.
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
const columns = ['email', 'phone'].map((column) => ({ schema: 'public', table: 'people', column }));
const [exact, none] = [['exact'], []] as const;
const orders = columns.map(
  (column, place) => ({ column, mode: 'client', search: place === 0 ? exact : none, card: null, acceptLeak: false }) as const,
);
const agree = async (): Promise<void> => undefined;
const move = async () => {
  if (stretch === 'encrypt') return await encryptFields(ground, orders, agree);
  if (stretch === 'finish') return await finishFields(ground, columns, agree);
  if (stretch === 'rotate') return await rotateFields(ground, columns, { agree, resume: true });
  return await decryptColumns(ground, columns, agree);
};
const { stopped } = await move();
// A column that came through before an earlier kill is unknown on the way back.
for (const [name, error] of stopped)
  if (stretch !== 'decrypt' || !isSafekeepError(error, 'field-unknown')) requireAllMoved(new Map([[name, error]]));
process.stdout.write(`${moments}\n`);
await database.close();
