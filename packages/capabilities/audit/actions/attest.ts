import type { Database } from '@safekeep/postgres';
import type pg from 'pg';
import type { Attestation, Capture } from '../model.ts';
import { readMissingFunctions, readReplicaSettings, readStanding } from '../store/attestation.ts';
import { readCaptures } from '../store/sequencer.ts';
import { beginWriting, endWriting, setTenant } from '../store/record.ts';
import { recordEventWithin } from './record-event.ts';

/**
 * Looks whether everything that writes into the log still stands as it was applied, and puts the answer itself into the log: a trigger that
 * was off for an hour leaves no event, but two answers around that hour.
 */
export async function attest(database: Database, tenant: string): Promise<Attestation> {
  return await database.withClient(async (client) => {
    await beginWriting(client);
    await setTenant(client, tenant);
    const captures = [...(await readCaptures(client)).values()].filter((capture) => capture.tenant === tenant);
    const faults: Attestation['faults'] = [];
    for (const capture of captures) faults.push(...(await faultsOf(client, capture)));
    for (const name of await readReplicaSettings(client))
      faults.push({ table: null, object: name, fault: 'works as a replica: its changes fire no trigger' });
    for (const name of await readMissingFunctions(client)) faults.push({ table: null, object: name, fault: 'is missing' });
    const result = { ok: faults.length === 0, tables: captures.length, faults };
    await recordEventWithin(client, tenant, {
      kind: result.ok ? 'compliance' : 'security',
      action: result.ok ? 'attested' : 'capture-broken',
      details: result,
    });
    await endWriting(client);
    return result;
  });
}

async function faultsOf(client: pg.ClientBase, capture: Capture): Promise<Attestation['faults']> {
  const { triggers, functions } = await readStanding(
    client,
    capture.functions.map(({ name }) => name),
  );
  const table = capture.table;
  const standing = new Map((triggers ?? []).map((trigger) => [trigger.name, trigger]));
  const made = new Map((functions ?? []).map((each) => [each.name, each]));
  return [
    ...capture.triggers.flatMap((name) => {
      const trigger = standing.get(name);
      if (trigger === undefined) return [{ table, object: `trigger ${name}`, fault: 'is missing' }];
      return trigger.firing === 'O' || trigger.firing === 'A' ? [] : [{ table, object: `trigger ${name}`, fault: 'is disabled' }];
    }),
    ...capture.functions.flatMap(({ name, sha256 }) => {
      const found = made.get(name);
      if (found === undefined) return [{ table, object: `function ${name}`, fault: 'is missing' }];
      return found.sha256 === sha256 && found.definer
        ? []
        : [{ table, object: `function ${name}`, fault: 'is not as it was applied' }];
    }),
  ];
}
