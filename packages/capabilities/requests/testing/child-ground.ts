import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { indexSchema, readMap, Secret, systemClock } from '@safekeep/core';
import { signingKeyFromPem } from '@safekeep/crypto';
import { openDatabase, readCatalog } from '@safekeep/postgres';
import { openLedger } from '../../ledger/index.ts';
import type { ErasureGround } from '../actions/ground.ts';

/** In a process of its own the ground that a workbench left in its folder: `map.json`, `signing.pem`, its ledger. */
export async function childGround(
  folder: string,
  url: string,
  more: Pick<ErasureGround, 'rowsAtOnce'> = {},
): Promise<{ readonly ground: ErasureGround; readonly close: () => Promise<void> }> {
  const text = readFileSync(join(folder, 'map.json'), 'utf8');
  const reading = readMap(JSON.parse(text));
  if (!('map' in reading)) throw new Error('The map is none');
  const database = await openDatabase(new Secret(url), { poolMax: 3 });
  const signer = signingKeyFromPem(readFileSync(join(folder, 'signing.pem'), 'utf8'), 'home-1');
  const clock = systemClock;
  const ledger = await openLedger({
    directory: join(folder, 'ledger'),
    keyFile: join(folder, 'keys', 'ledger.key'),
    signer,
    clock,
  });
  const catalog = await database.withClient((client) => readCatalog(client));
  const ground: ErasureGround = {
    database,
    tenant: 'default',
    clock,
    map: reading.map,
    mapSha256: createHash('sha256').update(text).digest('hex'),
    catalog,
    schema: indexSchema(catalog),
    ports: { participants: [] },
    ledger,
    signer,
    certificateDirectory: join(folder, 'certificates'),
    approval: 'any',
    ...more,
  };
  return {
    ground,
    close: async () => {
      ledger.close();
      await database.close();
    },
  };
}
