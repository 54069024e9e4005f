import { newId } from '@safekeep/core';
import { CAPTURE_ENDED, captureEnd } from '../rules/capture-end.ts';
import { beginWriting, endWriting } from '../store/record.ts';
import { readTrees } from '../store/sequencer.ts';
import { wereCaptured } from '../verification/store/standing.ts';
import { recordEventWithin } from './record-event.ts';
import { sequence, type SequencerGround } from './sequence.ts';

/**
 * Says of tables whose capture this home took back that it did, after all that was captured of them: in each log that has events of theirs. Without
 * this word a verification takes triggers that are gone for such that somebody dropped.
 */
export async function endCaptures(ground: SequencerGround, tables: readonly string[]): Promise<void> {
  await sequence(ground, { wait: true });
  await ground.database.withClient(async (client) => {
    await beginWriting(client);
    for (const { tenant } of await readTrees(client))
      for (const { table } of await wereCaptured(client, tenant, tables))
        await recordEventWithin(client, tenant, {
          kind: 'compliance',
          action: CAPTURE_ENDED,
          table,
          details: captureEnd(ground.keys.markOf, { tenant, table }, newId<'audit-capture-end'>()),
        });
    await endWriting(client);
  });
  await sequence(ground, { wait: true });
}
