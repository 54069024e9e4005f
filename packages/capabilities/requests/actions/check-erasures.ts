import { isSafekeepError } from '@safekeep/core';
import type { ErasuresText } from '../model.ts';
import { approverOf } from '../rules/approval.ts';
import { draftOf } from '../rules/certificate.ts';
import { erasurePages, readDecisions, readErasures, type Decision, type ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import type { ErasureGround } from './ground.ts';
import { textOf } from './open-erasures.ts';
import { isOurs } from './record-tag.ts';

type CheckGround = Pick<ErasureGround, 'database' | 'tenant' | 'ledger' | 'clock' | 'approvers'>;

/**
 * Holds every record against the ledger of this home: what it did not write, or not as it stands there, is told with its error, and what it
 * has erased and this database does not know, be it restored or taken away, is named. So is what is said to be done and nothing shows it:
 * whoever may write to our tables could have an erasure forgotten.
 */
export async function checkErasures(ground: CheckGround): Promise<ErasuresText> {
  const { database, tenant, ledger } = ground;
  const missing = new Set<string>();
  for await (const { entry } of ledger.read()) {
    if (entry.tenant !== tenant || entry.operation !== 'erasure') continue;
    if (entry.kind === 'done') missing.add(entry.ids['erasure'] ?? entry.id);
    if (entry.kind === 'replayed') missing.delete(entry.ids['erasure'] ?? entry.id);
  }
  const wrong: ErasuresText['erasures'] = [];
  const decisions = await inTransaction(database, { tenant }, (client) => readDecisions(client, tenant));
  // Newest first: of whom a later one was certified, that one had all that earlier ones left in its plan.
  const certified = new Set<string>();
  const pages = erasurePages((before) => inTransaction(database, { tenant }, (client) => readErasures(client, tenant, { before })));
  for await (const page of pages)
    for (const record of page) {
      missing.delete(record.id);
      // Without the key of the person it stands in no list of what is open, whatever its state says.
      const isEnded = record.key !== null || certified.has(record.mark) || hasEnded(ground, record, decisions.get(record.id));
      const ours = isOurs(ground, record);
      if (!ours || !isEnded) wrong.push({ ...textOf(record, null), error: 'erasure-unproven' });
      if (ours && isSigned(record)) certified.add(record.mark);
    }
  return { erasures: wrong, missing: [...missing].toSorted() };
}

/** By its certificate, which leaves nothing open that has a day, or by somebody's decision. */
function hasEnded(ground: CheckGround, record: ErasureRecord, decision: Decision | undefined): boolean {
  if (decision !== undefined) return isDecided(ground, record, decision);
  if (!isSigned(record)) return false;
  const { holds, externalCopies, kept } = draftOf(record).document;
  const now = ground.clock.now();
  return (
    holds.length === 0 &&
    externalCopies.every(({ state }) => state !== 'pending') &&
    kept.every(({ until }) => until === null || until === 'infinity' || new Date(until) <= now)
  );
}

/** Where approvers have keys one of them has signed it. */
function isDecided({ tenant, approvers }: CheckGround, { planHash: plan }: ErasureRecord, { proof }: Decision): boolean {
  if (approvers === undefined || approvers === null) return true;
  if (proof === null) return false;
  try {
    approverOf(proof, { act: 'end', tenant, plan }, approvers);
    return true;
  } catch (error) {
    if (isSafekeepError(error, 'approval-unproven')) return false;
    throw error;
  }
}

function isSigned(record: ErasureRecord): boolean {
  return record.certificate !== null && draftOf(record).signature !== undefined;
}
