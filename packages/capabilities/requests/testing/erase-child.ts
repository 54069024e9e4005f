// Erases one person again and again until it is done; the parent kills it at any moment.
import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { indexSchema, Secret, systemClock } from '@safekeep/core';
import { signingKeyFromPem } from '@safekeep/crypto';
import { openDatabase, readCatalog } from '@safekeep/postgres';
import { openLedger } from '../../ledger/index.ts';
import { executeErasure } from '../actions/execute-erasure.ts';
import { parseSubject } from '../actions/ground.ts';
import { mapOf } from './workbench.ts';

const [folder = '', url = '', subject = '', hash = ''] = process.argv.slice(2);
const text = readFileSync(join(folder, 'map.json'), 'utf8');
const parsed: unknown = JSON.parse(text);
const database = await openDatabase(new Secret(url), { poolMax: 3 });
const signer = signingKeyFromPem(readFileSync(join(folder, 'signing.pem'), 'utf8'), 'home-1');
const clock = systemClock;
const ledger = await openLedger({ directory: join(folder, 'ledger'), keyFile: join(folder, 'keys', 'ledger.key'), signer, clock });
const catalog = await database.withClient((client) => readCatalog(client));
const map = mapOf(parsed);
// Synchronous: what was begun is told before the kill.
writeSync(1, 'begins\n');
const done = await executeErasure(
  {
    database,
    tenant: 'default',
    clock,
    map,
    mapSha256: createHash('sha256').update(text).digest('hex'),
    catalog,
    schema: indexSchema(catalog),
    ports: { participants: [] },
    ledger,
    signer,
    certificateDirectory: join(folder, 'certificates'),
    approval: 'any',
    rowsAtOnce: 50,
  },
  parseSubject(map, subject),
  { hash, by: 'ben' },
);
writeSync(1, `${done.state}\n`);
ledger.close();
await database.close();
