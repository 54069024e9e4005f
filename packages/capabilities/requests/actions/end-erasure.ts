import { SafekeepError } from '@safekeep/core';
import type { EndedText, EndReason, ErasureId } from '../model.ts';
import { approverOf, signApproval, unproven } from '../rules/approval.ts';
import { endByDecision, readErasures, updateErasure, type ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import { personRow } from '../store/traverse.ts';
import { knownAtBeginning } from './chunks.ts';
import type { Actor } from './erasing.ts';
import { soundGraph, type ErasureGround } from './ground.ts';
import { orderOf } from './open-erasures.ts';
import { approversOf } from './plan-erasure.ts';
import { isOurs } from './record-tag.ts';
import { doubtAbout, ownRowOf, knownByPlan } from './same-person.ts';
import { withoutTies } from './ties.ts';

/** Why nobody can go on with what an erasure left, and what somebody who looked may say of it. */
type Doubt = 'certain' | 'unsure' | 'gone' | 'foreign';
const ANSWERS: Readonly<Record<Doubt, readonly EndReason[]>> = {
  certain: [],
  unsure: ['came-back', 'somebody-else'],
  gone: ['gone'],
  foreign: ['not-ours'],
};

/**
 * Ends an erasure that left something and of which a program cannot say any more whether it is the person's: somebody has looked, and decides
 * that nothing of it is to be erased. Changes no row of the user's. Where approvers have keys one of them has to sign it.
 *
 * @throws `erasure-unknown`; `erasure-certain` where it can go on, or the reason is not one for what is found; `approval-unproven`
 */
export async function endErasure(
  ground: ErasureGround,
  { erasure, because, actor }: { readonly erasure: ErasureId; readonly because: EndReason; readonly actor: Actor },
): Promise<EndedText> {
  const { database, tenant, clock } = ground;
  const [record] = await inTransaction(database, { tenant }, (client) => readErasures(client, tenant, { id: erasure, open: true }));
  if (record === undefined) throw new SafekeepError('erasure-unknown', { erasure });
  const doubt = await doubtOf(ground, record);
  if (!ANSWERS[doubt].includes(because)) throw new SafekeepError('erasure-certain', { erasure, reason: REASONS[doubt] });
  const at = clock.now();
  const by = actor.signer?.keyName ?? actor.by;
  const decision = { because, by, at: at.toISOString(), proof: proofOf(ground, record, { actor, at }) };
  const isEnded = await inTransaction(database, { tenant }, async (client) => {
    if (!(await endByDecision(client, tenant, { id: record.id, decision, at }))) return false;
    if (record.state === 'unfulfilled' && doubt !== 'foreign')
      await updateErasure(client, tenant, record.id, { state: 'done', ...withoutTies(ground, record) });
    return true;
  });
  if (!isEnded) throw new SafekeepError('erasure-unknown', { erasure });
  return { erasure, because, by, state: 'done' };
}

const REASONS: Readonly<Record<Doubt, string>> = {
  certain: 'it can go on: nothing speaks against its being the person',
  unsure: `whose row it is by now cannot be told; say --because ${ANSWERS.unsure.join(' or ')}`,
  gone: 'there is no row of the person any more; look for what else is left of them, then say --because gone',
  foreign: 'it was not written by this home; say --because not-ours',
};

async function doubtOf(ground: ErasureGround, record: ErasureRecord): Promise<Doubt> {
  if (!isOurs(ground, record)) return 'foreign';
  if (record.state === 'running' || record.state === 'committed') return 'certain';
  const { person, subject } = orderOf(ground, record);
  const start = { graph: soundGraph(ground, subject), schema: ground.schema, key: person.key, tenant: ground.tenant };
  const row = await inTransaction(ground.database, { tenant: ground.tenant }, (client) => personRow(client, start, false));
  if (row === undefined) return 'gone';
  const known = knownByPlan(ground);
  const doubt = await doubtAbout(
    ground,
    { person, subject },
    {
      own: ownRowOf(record, subject),
      marksBefore: async () => knownAtBeginning(record) ?? (await known(record.planHash)),
    },
  );
  // What was still there when all else was gone may be what they gave anew, also where their own row is masked.
  return doubt === null && record.state !== 'unfulfilled' ? 'certain' : 'unsure';
}

function proofOf(
  ground: ErasureGround,
  { planHash: plan }: ErasureRecord,
  { actor: { signer }, at }: { readonly actor: Actor; readonly at: Date },
): ReturnType<typeof signApproval> | null {
  const approvers = approversOf(ground);
  if (approvers === null) return null;
  if (signer === undefined) throw unproven('the decision was not signed');
  const statement = { act: 'end', tenant: ground.tenant, plan } as const;
  const proof = signApproval(signer, statement, at);
  approverOf(proof, statement, approvers);
  return proof;
}
