import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { formatPerson, parseKey, releasedHolds } from '../../holds/index.ts';
import type { Hold } from '../../holds/index.ts';
import { recoverIntents } from '../../ledger/index.ts';
import type { Approved, CertificateBody, ErasureDone, ErasuresText } from '../model.ts';
import { approvedAs, unproven } from '../rules/approval.ts';
import { erasurePages, markDue, readErasures, readGoingOn, type ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import { type ExecuteOptions } from './erasing.ts';
import { knownAtBeginning } from './chunks.ts';
import { executeErasure } from './execute-erasure.ts';
import { finishInTurn } from './finish-in-turn.ts';
import { ownFault, type ErasureGround, type Ground } from './ground.ts';
import { refuseForeign } from './record-tag.ts';
import { approversOf, planErasure } from './plan-erasure.ts';
import { doubtAbout, ownRowOf, knownByPlan, type KnownByPlan } from './same-person.ts';

/** Called in the transaction of a release: what that hold had stopped is due again, or the hold stands as before. */
export async function requeueErasures(
  client: pg.ClientBase,
  { tenant, hold }: { readonly tenant: string; readonly hold: Hold },
): Promise<void> {
  await markDue(client, tenant, hold.id);
}

/** What is known of erasures, newest first: a page, or all that are open, for of thousands a duty keeps something, and behind them others wait. */
export async function listErasures(
  { database, tenant }: Pick<Ground, 'database' | 'tenant'>,
  { open }: { readonly open: boolean },
): Promise<ErasuresText> {
  const erasures: ErasuresText['erasures'] = [];
  const filter = open ? { open } : {};
  const pages = erasurePages((before) =>
    inTransaction(database, { tenant }, (client) => readErasures(client, tenant, { ...filter, before })),
  );
  for await (const page of pages) {
    erasures.push(...page.map((record) => textOf(record, null)));
    if (!open) break;
  }
  return { erasures };
}

/**
 * Goes on with every erasure that is not at its end: chunks, certificates, places outside, what a released hold had stopped. What a duty
 * keeps is not among it: somebody looks at it first (due-erasures.ts).
 * One that cannot go on is told with its error, and the others go on.
 */
export async function runErasures(ground: ErasureGround, options: ExecuteOptions = {}): Promise<ErasuresText> {
  const { database, tenant } = ground;
  await recoverIntents(ground);
  const records = await inTransaction(database, { tenant }, async (client) => {
    await markReleased(client, tenant);
    return await readGoingOn(client, tenant);
  });
  const erasures: ErasuresText['erasures'] = [];
  const known = knownByPlan(ground);
  for (const record of records.toReversed()) {
    options.signal?.throwIfAborted();
    try {
      erasures.push(textOf(record, await goOn(ground, record, { options, known })));
    } catch (error) {
      erasures.push({ ...textOf(record, null), error: ownFault(error) });
    }
  }
  return { erasures };
}

/** A release looks for erasures that its hold has stopped: of one that was still on its way then it knew nothing. */
async function markReleased(client: pg.ClientBase, tenant: string): Promise<void> {
  const held = (await readGoingOn(client, tenant)).filter(({ state }) => state === 'held');
  const holds = [...new Set(held.flatMap((record) => record.holds))];
  for (const hold of await releasedHolds(client, tenant, holds)) await markDue(client, tenant, hold);
}

type GoneOn = Pick<ErasureDone, 'state' | 'residue'>;

/** In which state it is afterwards, and what of the person is still there. */
async function goOn(
  ground: ErasureGround,
  record: ErasureRecord,
  { options, known }: { readonly options: ExecuteOptions; readonly known: KnownByPlan },
): Promise<GoneOn> {
  refuseForeign(ground, record);
  if (record.state === 'held') return { state: 'held', residue: [] };
  const order = orderOf(ground, record);
  if (record.state === 'running')
    return await executeErasure(ground, order, { hash: record.planHash, by: record.approvedBy }, options);
  if (record.state !== 'due') return await finishInTurn(ground, record, options);
  // What the hold had put off is part of one that was committed since, and over if that one comes to its end.
  if (await isFollowed(ground, record)) return { state: 'due', residue: [] };
  if (approversOf(ground) !== null)
    throw unproven('a hold has ended, and what it kept has been planned by nobody as it stands now');
  // What was approved is erased as far as it still stands: the approval was for all of it, and the hold only put it off. Of this very plan
  // nobody knows, which the certificate says.
  const alone: ErasureGround = { ...ground, approval: 'any' };
  const plan = await planErasure(alone, { ...order, mode: record.mode }, BY_ITSELF);
  const reason = await doubtAbout(ground, order, {
    own: ownRowOf(record, order.subject),
    marksBefore: async () => knownAtBeginning(record) ?? (await known(record.planHash)),
  });
  if (reason !== null) throw new SafekeepError('erasure-person-unsure', { subject: formatPerson(order.person), reason });
  // Its certificate ends this one; where there is none it stays due.
  return await executeErasure(alone, order, { hash: plan.hash, by: BY_ITSELF, before: [approvalOf(record)] }, options);
}

async function isFollowed({ database, tenant }: ErasureGround, { id, mark }: ErasureRecord): Promise<boolean> {
  const same = await inTransaction(database, { tenant }, (client) => readErasures(client, tenant, { mark }));
  return same.some((other) => other.id > id && other.state === 'committed');
}

/** Who planned and approved what is left when a hold has ended. */
const BY_ITSELF = 'safekeep (a hold has ended)';

function approvalOf({ planHash: plan, plannedBy, approvedBy, certificate }: ErasureRecord): Approved {
  // Written in the transaction that erased what was not held, if any.
  const document = (certificate as { readonly document: CertificateBody } | null)?.document;
  return approvedAs({ plan, plannedBy, approvedBy }, document?.proofs);
}

export function orderOf({ map }: Ground, { type, key }: ErasureRecord): Parameters<typeof executeErasure>[1] {
  const subject = map.subjects.get(type);
  if (subject === undefined) throw new SafekeepError('subject-type-unknown', { type, known: [...map.subjects.keys()].join(', ') });
  const parts = parseKey(key ?? '');
  if ('fault' in parts) throw new Error('A stored key can be read');
  return { subject, person: { type, key: parts } };
}

export function textOf(
  { id, state, type, key, mode, planHash, startedAt, finishedAt, holds, due }: ErasureRecord,
  now: GoneOn | null,
): ErasuresText['erasures'][number] {
  return {
    id,
    state: now?.state ?? state,
    subject: key === null || now?.state === 'done' ? null : `${type}:${key}`,
    mode,
    plan: planHash,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt?.toISOString() ?? null,
    holds: [...holds],
    due: due?.toISOString() ?? null,
    residue: now?.state === 'unfulfilled' ? [...now.residue] : [],
    error: null,
  };
}
