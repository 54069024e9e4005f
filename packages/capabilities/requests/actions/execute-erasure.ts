import type pg from 'pg';
import { dayOf, newId, parseId, SafekeepError } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import { formatKey } from '../../holds/index.ts';
import { recoverIntents, runRecorded, type OperationId } from '../../ledger/index.ts';
import type { ApprovalProofs, Approved, CertificateBody, ErasureDone, ErasureId } from '../model.ts';
import { certificateFaults, type Draft } from '../rules/certificate.ts';
import { approvedAs, approverOf, isSameKey, PLAN_DAYS, plannerOf, signApproval, unproven } from '../rules/approval.ts';
import { joinOwn } from '../rules/own-writes.ts';
import { oldestRunning } from '../store/own-writes.ts';
import {
  dropPlans,
  findPlan,
  insertCalls,
  insertErasure,
  readErasures,
  updateErasure,
  type ErasureRecord,
  type StoredPlan,
} from '../store/records.ts';
import { countAtCommit } from '../store/residue.ts';
import { inTransaction, prepareSession, setLockTimeout } from '../store/session.ts';
import type { Reach } from '../store/traverse.ts';
import { carryOut, erasureKeysOf, type CarriedOut } from './carry-out.ts';
import { beginOrGoOn, prepareRest, reopen, runChunks, TooManyLate, type ChunkProgress, type Chunking } from './chunks.ts';
import { dueOf, personMark } from './decide.ts';
import {
  AlreadyErased,
  effectsAt,
  joinEffects,
  refuseUnfit,
  retried,
  stopped,
  WholePersonHeld,
  type Approval,
  type ExecuteOptions,
} from './erasing.ts';
import { answerOf, faultOfProofs } from './finish-erasure.ts';
import { finishInTurn } from './finish-in-turn.ts';
import { rowsAtOnce, type ErasureGround } from './ground.ts';
import { holdIds, identityMarks, sequenceIds } from './marks.ts';
import { isOurs, refuseForeign, tagged } from './record-tag.ts';
import { approversOf, makePlan, type ErasureOrder, type MadePlan } from './plan-erasure.ts';
import { joinTies, tiesOf } from './ties.ts';

/**
 * Carries out a plan that was approved, if it still is the plan: in one transaction, with the ledger before and after, or in
 * chunks where a table holds too many rows of the person. A call that was interrupted is taken up where it stood; one that has been
 * carried out before is answered with what was done.
 *
 * @throws `erasure-plan-unknown`, `erasure-plan-changed`, `erasure-blocked`, `erasure-held`, `second-person-needed`, `approval-unproven`,
 *   `erasure-refused` with what the database said: nothing is erased then. `erasure-stopped` between chunks.
 */
export async function executeErasure(
  ground: ErasureGround,
  order: Omit<ErasureOrder, 'mode'>,
  asked: Approval,
  options: ExecuteOptions = {},
): Promise<ErasureDone> {
  const { tenant, database } = ground;
  const mark = personMark(ground.ledger, tenant, order.person);
  // In this order: where somebody else has carried it out in between, the plan is gone and the erasure is there.
  const [plan, known] = await inTransaction(database, { tenant }, (client) =>
    together(client, [() => findPlan(client, tenant, asked.hash), () => readErasures(client, tenant, { mark })]),
  );
  const same = known.filter(({ planHash }) => planHash === asked.hash);
  const committed = same.find(({ state }) => state === 'committed' || state === 'outside');
  const begun = known.find(isBegun);
  if (begun !== undefined) refuseForeign(ground, begun);
  // A crash may have left its intent open.
  if (committed !== undefined || begun !== undefined) await recoverIntents(ground);
  // What was planned since is another one: of the same rows, with what somebody wrote into them after the first.
  if (plan === undefined && committed !== undefined) return await finishInTurn(ground, committed, options);
  // One that looks for what others wrote would take what this one is about to write for that.
  for (const each of known) if (each.state === 'committed' && isOurs(ground, each)) await finishInTurn(ground, each, options);
  const done = same.find((record) => (record.state === 'done' || record.state === 'kept') && isOurs(ground, record));
  if (plan === undefined && done !== undefined) return answerOf(ground, done);
  // Whoever goes on with it has not approved it: it has its names, and signatures, already.
  const goesOn = begun?.planHash === asked.hash ? begun : undefined;
  const planned = approvedPlan(ground, order, { approval: asked, plan, begun });
  const stored: StoredPlan = goesOn === undefined ? planned : { ...planned, plannedBy: goesOn.plannedBy };
  const approval: Approval = goesOn === undefined ? asked : { ...asked, by: goesOn.approvedBy };
  const proofs = goesOn !== undefined ? undefined : proofsOf(ground, stored, approval);
  for (const { before } of ground.ports.participants) await before?.({ tenant, person: order.person });
  const full: ErasureOrder = { ...order, mode: stored.mode };
  try {
    const { record, before } = await carryOutApproved(ground, full, { stored, approval, begun, options, proofs });
    options.onCommitted?.();
    return await finishInTurn(ground, record, { ...options, justErased: { before } });
  } catch (error) {
    if (error instanceof AlreadyErased) return await answerAgain(ground, mark, { approval, options });
    if (error instanceof WholePersonHeld) await rememberHeld(ground, full, { stored, approval, holds: error.holds });
    throw error instanceof WholePersonHeld ? error.refusal : error;
  }
}

/** Chunks of it are erased for good. */
function isBegun({ state, progress }: ErasureRecord): boolean {
  return state === 'running' || ((state === 'held' || state === 'due') && progress !== null);
}

/** More rows than one transaction takes can come while the last chunks are erased, and again; then somebody has to stop them. */
const ROUNDS_AT_MOST = 3;

async function carryOutApproved(ground: ErasureGround, order: ErasureOrder, chunking: Chunking): Promise<Committed> {
  const { stored, approval, begun, proofs, options } = chunking;
  const { vacuum } = options;
  const isLarge = begun !== undefined || Object.values(stored.counts).some((rows) => rows > rowsAtOnce(ground));
  if (!isLarge) return await retried(() => runWhole(ground, order, { stored, approval, progress: undefined, proofs, vacuum }));
  let progress = await beginOrGoOn(ground, order, chunking);
  for (let round = 1; ; round += 1) {
    progress = await runChunks(ground, order, { ...chunking, progress });
    const { rows } = progress;
    try {
      return await retried(() => runWhole(ground, order, { stored, approval, progress, proofs: progress.proofs, vacuum }), rows);
    } catch (error) {
      if (!(error instanceof TooManyLate)) throw error;
      if (round === ROUNDS_AT_MOST)
        throw stopped(rows, `rows of the person are added to ${error.table} faster than they are erased`);
      progress = await reopen(ground, progress, error.table);
    }
  }
}

/** Somebody else has committed it meanwhile, and may not have signed its certificate yet. */
async function answerAgain(
  ground: ErasureGround,
  mark: string,
  { approval: { hash }, options }: { readonly approval: Approval; readonly options: ExecuteOptions },
): Promise<ErasureDone> {
  const { database, tenant } = ground;
  const known = await inTransaction(database, { tenant }, (client) => readErasures(client, tenant, { mark }));
  const record = known.find((each) => each.planHash === hash && each.certificate !== null && isOurs(ground, each));
  if (record === undefined) throw new SafekeepError('erasure-plan-unknown', { hash });
  return record.state === 'committed' ? await finishInTurn(ground, record, options) : answerOf(ground, record);
}

/** The release of one of these holds brings the erasure back, once, however often it was tried; one that was begun goes on. */
async function rememberHeld(
  ground: ErasureGround,
  { person, mode }: ErasureOrder,
  { stored, approval, holds }: { readonly stored: StoredPlan; readonly approval: Approval; readonly holds: readonly string[] },
): Promise<void> {
  const { database, tenant, ledger, clock } = ground;
  const mark = personMark(ledger, tenant, person);
  await inTransaction(database, { tenant }, async (client) => {
    const open = (await readErasures(client, tenant, { open: true, mark })).filter((each) => isOurs(ground, each));
    const known = open.find(isBegun) ?? open.find((each) => each.state === 'held' && each.mode === mode);
    if (known !== undefined) {
      await updateErasure(client, tenant, known.id, { state: 'held', holds: [...new Set([...known.holds, ...holds])] });
      return;
    }
    const put: Omit<ErasureRecord, 'tag'> = {
      id: newId<'erasure'>(),
      planHash: stored.hash,
      state: 'held',
      mode,
      type: person.type,
      key: formatKey(person.key),
      mark,
      holds,
      progress: null,
      certificate: null,
      plannedBy: stored.plannedBy,
      approvedBy: approval.by,
      startedAt: clock.now(),
      finishedAt: null,
      due: null,
      isUndated: false,
    };
    await insertErasure(client, tenant, tagged(ground, put));
  });
}

type Found = { readonly approval: Approval; readonly plan: StoredPlan | undefined; readonly begun: ErasureRecord | undefined };

function approvedPlan(
  ground: ErasureGround,
  { person }: Omit<ErasureOrder, 'mode'>,
  { approval: { hash, by }, plan, begun }: Found,
): StoredPlan {
  const isTheirs = plan?.type === person.type && plan.key === formatKey(person.key);
  const isSame = begun?.planHash === hash;
  if (plan === undefined || !isTheirs) {
    if (begun === undefined || !isSame) {
      if (approversOf(ground) !== null) throw unproven('the plan was not signed by one of them, or there is none of this hash');
      throw new SafekeepError('erasure-plan-unknown', { hash });
    }
    return planOf(begun);
  }
  if (ground.approval === 'second-person' && plan.plannedBy === by && !isSame)
    throw new SafekeepError('second-person-needed', { by });
  if (!isSame && ground.clock.now().getTime() - plan.plannedAt.getTime() > PLAN_DAYS * 86_400_000)
    throw new SafekeepError('erasure-plan-expired', { hash, days: PLAN_DAYS });
  return plan;
}

/**
 * Where approvers have keys, that two of them signed: the planner the plan, the one who approves the approval. Undefined where names are
 * only claimed.
 */
function proofsOf(ground: ErasureGround, stored: StoredPlan, { hash, by, signer }: Approval): ApprovalProofs | undefined {
  const { tenant, clock } = ground;
  const approvers = approversOf(ground);
  if (approvers === null) return undefined;
  const now = clock.now();
  const planner = plannerOf(stored.proof, { tenant, plan: hash, approvers, now });
  if (stored.proof === null || signer === undefined) throw unproven('the approval was not signed');
  const approved = signApproval(signer, { act: 'approve', tenant, plan: hash }, now);
  const approver = approverOf(approved, { act: 'approve', tenant, plan: hash }, approvers);
  if (isSameKey(planner, approver)) throw new SafekeepError('second-person-needed', { by });
  return { planned: stored.proof, approved };
}

/** What an erasure that was begun is known by, where its plan is gone. */
function planOf({ planHash, type, key, mode, holds, plannedBy, startedAt }: ErasureRecord): StoredPlan {
  return { hash: planHash, type, key: key ?? '', mode, counts: {}, plannedBy, plannedAt: startedAt, due: null, holds, proof: null };
}

type Whole = {
  readonly stored: StoredPlan;
  readonly approval: Approval;
  readonly progress: ChunkProgress | undefined;
  readonly proofs: ApprovalProofs | undefined;
  /** The tables are vacuumed behind it. */
  readonly vacuum: boolean | undefined;
};

/** Its record, and the values by which it found the person's rows. */
type Committed = { readonly record: ErasureRecord; readonly before: Reach };

async function runWhole(ground: ErasureGround, order: ErasureOrder, whole: Whole): Promise<Committed> {
  const { stored, progress } = whole;
  let since = '';
  const { result } = await runRecorded(ground, {
    plan: async (client) => {
      const [, , oldest, marks] = await together(client, [
        () => prepareSession(client, ground.tenant),
        () => setLockTimeout(client),
        () => oldestRunning(client),
        () => identityMarks(client, ground, order),
      ]);
      since = oldest;
      return {
        operation: 'erasure',
        marks,
        counts: stored.counts,
        ids: {
          plan: stored.hash,
          mode: stored.mode,
          type: order.person.type.slice(0, 100),
          ...(await sequenceIds(client, ground, Object.keys(stored.counts))),
          ...(progress === undefined ? {} : { erasure: progress.erasure }),
          ...holdIds([...stored.holds, ...(progress?.holds ?? [])]),
          ...(stored.due === null ? {} : { due: dayOf(stored.due) }),
        },
      };
    },
    prepare: async (client, operation) =>
      progress === undefined
        ? await prepareWhole(client, ground, order, { stored, operation })
        : await prepareRest(client, ground, order, progress),
    destroy: async (client, made, operation) => {
      const record = await eraseWithin(client, ground, order, { ...whole, made, operation, since });
      if (whole.vacuum === true) await countAtCommit(client);
      return {
        result: { record, before: made.found.reach },
        counts: Object.fromEntries(recordCounts(record)),
      };
    },
  });
  return result;
}

/** Everything of the person, as it was approved. */
async function prepareWhole(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: ErasureOrder,
  { stored, operation }: { readonly stored: StoredPlan; readonly operation: OperationId },
): Promise<MadePlan> {
  const made = await makePlan(client, ground, order, {
    lock: true,
    limit: rowsAtOnce(ground),
    erasure: erasureIdOf(operation),
    // Whoever had the lock before may have carried out this very approval.
    behindLock: async () => {
      if ((await findPlan(client, ground.tenant, stored.hash)) === undefined) throw new AlreadyErased();
    },
  });
  refuseUnfit(made, stored.hash);
  return made;
}

async function eraseWithin(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: ErasureOrder,
  {
    stored,
    approval,
    progress,
    proofs,
    made,
    operation,
    since,
  }: Whole & { readonly made: MadePlan; readonly operation: OperationId; readonly since: string },
): Promise<ErasureRecord> {
  const { tenant, clock, ports } = ground;
  const id = erasureIdOf(progress?.erasure ?? operation);
  const approved = approvedAs({ plan: stored.hash, plannedBy: stored.plannedBy, approvedBy: approval.by }, proofs);
  const approvedBefore = (progress === undefined ? approval.before : progress.approvedBefore) ?? [];
  const fault = faultOfProofs(ground, [approved, ...approvedBefore]);
  if (fault !== undefined) throw stopped(progress?.rows ?? 0, fault);
  const { found, decision, scope } = made;
  const before = await effectsAt(client, ground, 'before-rows', scope);
  const without = new Set(progress?.large);
  const writers = progress === undefined ? made.writers : (progress.writers ?? null);
  const done = await carryOut(client, ground, {
    found,
    decision,
    keys: erasureKeysOf(ground.ledger, tenant, id),
    without,
    writers,
  });
  const after = await effectsAt(client, ground, 'after-rows', scope);
  const mark = personMark(ground.ledger, tenant, order.person);
  const participants = ports.participants.map(({ name }) => ({
    name,
    ...joinEffects(before.get(name), after.get(name), progress?.counted?.[name]),
  }));
  const due = dueOf([...decision.groups, { due: progress?.due ?? null }]);
  const held = [...new Set([...(progress?.holds ?? []), ...decision.holds.map((hold) => hold.id)])];
  const body = certificateBody(ground, {
    order,
    made,
    done,
    progress,
    id,
    mark,
    participants,
    approved,
    approvedBefore,
    operation,
    held,
  });
  const [wrong] = certificateFaults(body);
  // Nothing is committed of which no certificate could be given.
  if (wrong !== undefined) throw new Error(`An erasure does not add up: ${wrong}`);
  const own = joinOwn(progress?.own ?? { since, by: [], operation }, { by: done.by, operation });
  const allowed = progress === undefined ? made.allowed : (progress.allowed ?? {});
  const draft: Draft = { document: body, own, writers, allowed, ties: joinTies(progress?.ties, tiesOf(ground, found.reach)) };
  const record = tagged<Omit<ErasureRecord, 'tag'>>(ground, {
    id,
    planHash: stored.hash,
    state: 'committed',
    mode: order.mode,
    type: order.person.type,
    key: formatKey(order.person.key),
    mark,
    holds: held,
    progress: null,
    certificate: draft,
    plannedBy: approved.plannedBy,
    approvedBy: approved.approvedBy,
    startedAt: clock.now(),
    finishedAt: null,
    due: due === null ? null : new Date(due),
    isUndated: progress?.isUndated === true || decision.groups.some(({ isUndated }) => isUndated),
  });
  const calls = made.plan.externalCopies.filter(
    ({ state, kind }) => kind !== 'recipient' && (state === 'will-be-told' || state === 'by-hand'),
  );
  const ended = {
    state: 'committed',
    progress: null,
    certificate: record.certificate,
    holds: held,
    due: record.due,
    isUndated: record.isUndated,
    tag: record.tag,
  } as const;
  await together(client, [
    () => (progress === undefined ? insertErasure(client, tenant, record) : updateErasure(client, tenant, id, ended)),
    () =>
      insertCalls(client, tenant, {
        erasure: id,
        calls: calls.map(({ place, state }) => ({ place, state: state === 'by-hand' ? 'by-hand' : 'pending' })),
      }),
    () => dropPlans(client, tenant, { type: order.person.type, key: formatKey(order.person.key) }),
  ]);
  return record;
}

function erasureIdOf(text: string): ErasureId {
  const id = parseId<'erasure'>(text);
  if (id === undefined) throw new Error('An erasure is named by the UUID of its operation');
  return id;
}

type BodyParts = {
  readonly order: ErasureOrder;
  readonly made: MadePlan;
  readonly done: CarriedOut;
  readonly progress: ChunkProgress | undefined;
  readonly id: ErasureId;
  readonly mark: string;
  readonly participants: CertificateBody['participants'];
  readonly approved: Approved;
  readonly approvedBefore: readonly Approved[];
  readonly operation: OperationId;
  readonly held: readonly string[];
};

function certificateBody(ground: ErasureGround, parts: BodyParts): CertificateBody {
  const { order, made, done, progress, id, mark, participants, approved, approvedBefore, operation, held } = parts;
  const horizons = participants.map(({ horizon }) => horizon);
  const isKnown = participants.length > 0 && horizons.every((horizon) => horizon !== null);
  return {
    format: 'safekeep-certificate/1',
    kind: 'erasure',
    id,
    tenant: ground.tenant,
    issuedAt: ground.clock.now().toISOString(),
    subject: { type: order.person.type, mark },
    ...approved,
    map: ground.mapSha256,
    mode: order.mode,
    ...(approvedBefore.length === 0 ? {} : { approvedBefore }),
    tables: [...(progress?.tables ?? []), ...[...done.counts].map(([table, counts]) => ({ table, ...counts }))],
    rows: joinTrees(progress, done),
    kept: [...(progress?.kept ?? []), ...made.plan.kept],
    holds: held,
    participants,
    keysDestroyed: participants.flatMap(({ keysDestroyed }) => keysDestroyed),
    ledger: { operation },
    externalCopies: made.plan.externalCopies,
    noBackupAfter: isKnown ? (horizons.toSorted().at(-1) ?? null) : null,
    residue: [],
    supersedes: null,
  };
}

/** Of chunks the roots are told one after the other, the last transaction's at the end; each is a tree of its own. */
function joinTrees(progress: ChunkProgress | undefined, { tree }: CarriedOut): CertificateBody['rows'] {
  if (progress === undefined) return tree;
  return { count: progress.rows + tree.count, root: [...progress.roots, tree.root].join(' ') };
}

function recordCounts({ certificate }: ErasureRecord): [string, number][] {
  // Written by eraseWithin a moment ago.
  const { document } = certificate as { readonly document: CertificateBody };
  return document.tables.map(({ table, before }): [string, number] => [table, before]);
}
