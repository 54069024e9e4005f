import { setTenant, type Database } from '@safekeep/postgres';
import type { Attestation } from '../model.ts';
import { readMissingFunctions } from '../store/attestation.ts';
import { readTransaction } from '../store/partitions.ts';
import { beginWriting, endWriting } from '../store/record.ts';
import { checkStanding } from '../verification/check-standing.ts';
import { faultList } from '../verification/faults.ts';
import { readDigest } from '../verification/store/standing.ts';
import { recordEventWithin } from './record-event.ts';

/**
 * Looks whether everything that writes into the log still stands as it was applied, and puts the answer itself into the log: a trigger that
 * was off for an hour leaves no event, but two answers around that hour.
 */
export async function attest(database: Database, tenant: string): Promise<Attestation> {
  return await database.withClient(async (client) => {
    await beginWriting(client);
    await setTenant(client, tenant);
    const found = faultList();
    const tables = await checkStanding(client, tenant, found);
    const faults = found.list().map(({ code, detail }) => ({ code, detail }));
    for (const name of await readMissingFunctions(client))
      faults.push({ code: 'function-changed', detail: `${name} is not there.` });
    const result = { ok: faults.length === 0, tables, digest: await readDigest(client), faults };
    await recordEventWithin(client, tenant, {
      kind: result.ok ? 'compliance' : 'security',
      action: result.ok ? 'attested' : 'capture-broken',
      // How far transactions had come: when this month is dropped, older ones may have been told of in it.
      details: { ...result, xid: await readTransaction(client) },
    });
    await endWriting(client);
    return result;
  });
}
