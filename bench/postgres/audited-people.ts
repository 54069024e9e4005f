import {
  auditBaseline,
  auditCapture,
  auditKeys,
  baselineHeads,
  lastCheckpoint,
  sequence,
  type SequencerGround,
} from '@safekeep/capabilities/audit';
import type { ErasureGround } from '@safekeep/capabilities/requests';
import { Secret, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { openLog } from '@safekeep/log';
import { openDatabase } from '@safekeep/postgres';
import { participantsOf } from 'safekeep/request-ports';
import { applyMap } from './apply-map.ts';
import { fileRing } from './file-ring.ts';
import { makeFolder, removeFolder } from './folder.ts';
import { PEOPLE_MAP } from './people-stage.ts';

export type AuditedPeople = {
  /** The log's and the keys' parts in an erasure. */
  readonly ports: ErasureGround['ports'];
  /** Moves what was captured into the log. */
  readonly sequence: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Captures all tables of people and takes their baselines. */
export async function auditPeople(url: string): Promise<AuditedPeople> {
  const database = await openDatabase(new Secret(url), { poolMax: 3, applicationName: 'bench audit' });
  const audited = Object.entries(PEOPLE_MAP.tables).map(([name, table]) => [name, { audit: { writes: true }, ...table }] as const);
  await applyMap(database, { ...PEOPLE_MAP, tables: Object.fromEntries(audited) }, [auditCapture, auditBaseline]);
  const folder = await makeFolder();
  const ring = fileRing(database, folder);
  const log = openLog({ directory: folder, level: 'error', clock: systemClock, component: 'bench', environment: {} });
  const sequencer: SequencerGround = {
    database,
    keys: await auditKeys(folder, ring),
    signer: signingKeyFromPem(createSigningKey(), 'bench'),
    last: lastCheckpoint(folder),
    heads: baselineHeads(folder),
    clock: systemClock,
    log,
  };
  const move = async (): Promise<void> => void (await sequence(sequencer));
  await move();
  return {
    ports: { participants: participantsOf(sequencer, ring, []) },
    sequence: move,
    close: async () => {
      await sequencer.keys.close();
      log.close();
      await database.close();
      await removeFolder(folder);
    },
  };
}
