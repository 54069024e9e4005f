import { setTimeout as wait } from 'node:timers/promises';
import { SafekeepError } from '@safekeep/core';
import { transaction } from '@safekeep/postgres';
import type { ErasureDone } from '../model.ts';
import { readErasures, type ErasureRecord } from '../store/records.ts';
import { beginTurns, inTransaction, tryTurn } from '../store/session.ts';
import type { ExecuteOptions } from './erasing.ts';
import { answerOf, finishErasure, type FinishOptions } from './finish-erasure.ts';
import type { ErasureGround } from './ground.ts';

/** An erasure is brought to its end in seconds; one whose tables are vacuumed, or that places outside are slow to hear of, in minutes. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 50;

/**
 * {@link finishErasure}, by one call at a time: of several that come to the end of one erasure each answers with the one certificate. What
 * somebody was killed in the middle of is finished by the next.
 *
 * @throws `erasure-finishing` where somebody else is at it for longer than one waits, and what finishErasure throws.
 */
export async function finishInTurn(
  ground: ErasureGround,
  known: ErasureRecord,
  options: ExecuteOptions & FinishOptions,
  patienceMs = PATIENCE_MS,
): Promise<ErasureDone> {
  const { database, tenant } = ground;
  const turns = { tenant, erasure: known.id };
  const deadline = performance.now() + patienceMs;
  return await transaction(database, beginTurns, async (client) => {
    while (!(await tryTurn(client, turns))) {
      if (performance.now() > deadline) throw new SafekeepError('erasure-finishing', { erasure: known.id });
      await wait(PAUSE_MS, undefined, { signal: options.signal });
    }
    const [record] = await inTransaction(database, { tenant }, (other) => readErasures(other, tenant, { id: known.id }));
    if (record !== undefined && record.state !== known.state) return answerOf(ground, record);
    return await finishErasure(ground, record ?? known, options);
  });
}
