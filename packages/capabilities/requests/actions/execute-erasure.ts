import type pg from 'pg';
import { codeOf, newId, parseId, SafekeepError } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import { formatKey } from '../../holds/index.ts';
import { recoverIntents, runRecorded, type OperationId } from '../../ledger/index.ts';
import type { CertificateBody, ErasureDone, ErasureId, ParticipantEffects } from '../model.ts';
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
import { inTransaction, prepareSession, setLockTimeout } from '../store/session.ts';
import { carryOut, keysOf, type CarriedOut } from './carry-out.ts';
import { runChunks, type ChunkProgress } from './chunks.ts';
import { personMark } from './decide.ts';
import { finishErasure } from './finish-erasure.ts';
import { rowsAtOnce, type ErasureGround } from './ground.ts';
import { identityMarks, sequenceIds } from './marks.ts';
import { makePlan, refusalOf, type ErasureOrder, type MadePlan } from './plan-erasure.ts';

export type Approval = { readonly hash: string; readonly by: string };

export type ExecuteOptions = {
  readonly vacuum?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  /** The rows are erased and the ledger says so; statistics, places outside and the certificate follow. */
  readonly onCommitted?: () => void;
  readonly signal?: AbortSignal;
};

/** A deadlock or a lock that did not come: the transaction is lost, and the next try has a good chance. */
const TRIES = 3;

/**
 * Carries out a plan that was approved, if it still is the plan: in one transaction, with the ledger before and after, or in
 * chunks where a table holds too many rows of the person. A call that was interrupted is taken up where it stood.
 *
 * @throws `erasure-plan-unknown`, `erasure-plan-changed`, `erasure-blocked`, `erasure-held`, `second-person-needed`,
 *   `erasure-refused` with what the database said; nothing is erased then.
 */
export async function executeErasure(
  ground: ErasureGround,
  order: Omit<ErasureOrder, 'mode'>,
  approval: Approval,
  options: ExecuteOptions = {},
): Promise<ErasureDone> {
  const { tenant, database } = ground;
  const [taken, plan] = await inTransaction(database, { tenant }, (client) =>
    together(client, [
      () => readErasures(client, tenant, { planHash: approval.hash }),
      () => findPlan(client, tenant, approval.hash),
    ]),
  );
  const resumed = taken.find(({ state }) => state === 'running' || state === 'committed' || state === 'outside');
  // Somebody has begun this before: a crash may have left its intent open.
  if (resumed !== undefined) await recoverIntents(ground);
  if (resumed !== undefined && resumed.state !== 'running') return await finishErasure(ground, resumed, options);
  const stored = approvedPlan(ground, order, { approval, plan, resumed });
  for (const { before } of ground.ports.participants) await before?.({ tenant, person: order.person });
  const full: ErasureOrder = { ...order, mode: stored.mode };
  const isLarge = resumed !== undefined || Object.values(stored.counts).some((rows) => rows > rowsAtOnce(ground));
  try {
    const progress = isLarge ? await retried(() => runChunks(ground, full, { stored, approval, resumed, options })) : undefined;
    const record = await retried(() => runWhole(ground, full, { stored, approval, progress }));
    options.onCommitted?.();
    return await finishErasure(ground, record, options);
  } catch (error) {
    if (error instanceof WholePersonHeld) await rememberHeld(ground, full, { stored, approval, holds: error.holds });
    throw error instanceof WholePersonHeld ? error.refusal : error;
  }
}

/** The release of one of these holds brings the erasure back. */
async function rememberHeld(
  { database, tenant, ledger, clock }: ErasureGround,
  { person, mode }: ErasureOrder,
  { stored, approval, holds }: { readonly stored: StoredPlan; readonly approval: Approval; readonly holds: readonly string[] },
): Promise<void> {
  await inTransaction(database, { tenant }, (client) =>
    insertErasure(client, tenant, {
      id: newId<'erasure'>(),
      planHash: stored.hash,
      state: 'held',
      mode,
      type: person.type,
      key: formatKey(person.key),
      mark: personMark(ledger, tenant, person),
      holds,
      progress: null,
      certificate: null,
      plannedBy: stored.plannedBy,
      approvedBy: approval.by,
      startedAt: clock.now(),
      finishedAt: null,
    }),
  );
}

/** Nothing was done, and is to be done when the holds have ended. */
class WholePersonHeld extends Error {
  readonly holds: readonly string[];
  readonly refusal: SafekeepError;

  constructor(holds: readonly string[]) {
    super('The whole person is held');
    this.holds = holds;
    this.refusal = new SafekeepError('erasure-held', { holds: holds.join(', ') });
  }
}

type Found = { readonly approval: Approval; readonly plan: StoredPlan | undefined; readonly resumed: ErasureRecord | undefined };

function approvedPlan(
  ground: ErasureGround,
  { person }: Omit<ErasureOrder, 'mode'>,
  { approval: { hash, by }, plan, resumed }: Found,
): StoredPlan {
  const isTheirs = plan?.type === person.type && plan.key === formatKey(person.key);
  if (plan === undefined || !isTheirs) throw new SafekeepError('erasure-plan-unknown', { hash });
  if (ground.approval === 'second-person' && plan.plannedBy === by && resumed === undefined)
    throw new SafekeepError('second-person-needed', { by });
  return plan;
}

async function retried<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      const code = codeOf(error);
      // 40P01 deadlock, 40001 a hold was placed since, 55P03 lock not available.
      const isContended = code === '40P01' || code === '40001' || code === '55P03';
      if (isContended && attempt < TRIES) continue;
      if (isContended) throw new SafekeepError('lock-timeout', { target: 'rows of the person', tries: TRIES }, { cause: error });
      if (code === '57014')
        throw new SafekeepError('statement-cancelled', { action: 'erasing; nothing was erased' }, { cause: error });
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      throw new SafekeepError(
        'erasure-refused',
        { table: refusal.table ?? 'a deferred constraint', what: refusal.what, remedy: refusal.remedy },
        { cause: error },
      );
    }
  }
}

type Whole = { readonly stored: StoredPlan; readonly approval: Approval; readonly progress: ChunkProgress | undefined };

async function runWhole(ground: ErasureGround, order: ErasureOrder, whole: Whole): Promise<ErasureRecord> {
  const { stored, progress } = whole;
  const { result } = await runRecorded(ground, {
    plan: async (client) => {
      const [, , marks] = await together(client, [
        () => prepareSession(client, ground.tenant),
        () => setLockTimeout(client),
        () => identityMarks(client, ground, order),
      ]);
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
        },
      };
    },
    prepare: async (client, operation) => {
      const made = await makePlan(client, ground, order, {
        lock: true,
        limit: rowsAtOnce(ground),
        erasure: erasureIdOf(progress?.erasure ?? operation),
        ...(progress === undefined ? {} : { without: new Set(progress.tables.map(({ table }) => table)) }),
      });
      if (progress === undefined) refuseUnfit(made, stored.hash);
      return made;
    },
    destroy: async (client, made, operation) => {
      const record = await eraseWithin(client, ground, order, { ...whole, made, operation });
      return { result: record, counts: Object.fromEntries(recordCounts(record)) };
    },
  });
  return result;
}

async function eraseWithin(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: ErasureOrder,
  { stored, approval, progress, made, operation }: Whole & { readonly made: MadePlan; readonly operation: OperationId },
): Promise<ErasureRecord> {
  const { tenant, clock, ports } = ground;
  const id = erasureIdOf(progress?.erasure ?? operation);
  const { found, decision, scope } = made;
  const before = await effectsAt(client, ground, 'before-rows', scope);
  const without = new Set(progress?.tables.map(({ table }) => table));
  const done = await carryOut(client, ground, { found, decision, keys: keysOf(ground.ledger, tenant, id), without });
  const after = await effectsAt(client, ground, 'after-rows', scope);
  const mark = personMark(ground.ledger, tenant, order.person);
  const participants = ports.participants.map(({ name }) => ({ name, ...joinEffects(before.get(name), after.get(name)) }));
  const body = certificateBody(ground, { order, made, done, progress, id, mark, participants, stored, approval, operation });
  const held = decision.holds.map((hold) => hold.id);
  const record: ErasureRecord = {
    id,
    planHash: stored.hash,
    state: 'committed',
    mode: order.mode,
    type: order.person.type,
    key: formatKey(order.person.key),
    mark,
    holds: held,
    progress: null,
    certificate: { document: body },
    plannedBy: stored.plannedBy,
    approvedBy: approval.by,
    startedAt: clock.now(),
    finishedAt: null,
  };
  const calls = made.plan.externalCopies.filter(
    ({ state, kind }) => kind !== 'recipient' && (state === 'will-be-told' || state === 'by-hand'),
  );
  await together(client, [
    () =>
      progress === undefined
        ? insertErasure(client, tenant, record)
        : updateErasure(client, tenant, id, { state: 'committed', progress: null, certificate: record.certificate, holds: held }),
    () =>
      insertCalls(client, tenant, {
        erasure: id,
        calls: calls.map(({ place, state }) => ({ place, state: state === 'by-hand' ? 'by-hand' : 'pending' })),
      }),
    () => dropPlans(client, tenant, { type: order.person.type, key: formatKey(order.person.key) }),
  ]);
  return record;
}

/** Throws where the plan is not the one that was approved, or cannot be carried out. */
export function refuseUnfit({ plan, decision }: MadePlan, approved: string): void {
  if (plan.holds.some(({ wholePerson }) => wholePerson)) throw new WholePersonHeld(plan.holds.map(({ id }) => id));
  if (plan.hash !== approved) throw new SafekeepError('erasure-plan-changed', { approved, now: plan.hash });
  if (plan.blocked.length > 0) {
    const problems = plan.blocked.map(({ table, what, remedy }) => `${table ?? 'database'}: ${what}. ${remedy}`).join('\n');
    throw new SafekeepError('erasure-blocked', { problems });
  }
  if (decision.groups.length === 0) throw new Error('The row of the person belongs to no group');
}

function erasureIdOf(text: string): ErasureId {
  const id = parseId<'erasure'>(text);
  if (id === undefined) throw new Error('An erasure is named by the UUID of its operation');
  return id;
}

export async function effectsAt(
  client: pg.ClientBase,
  { ports }: ErasureGround,
  moment: 'before-rows' | 'after-rows',
  scope: MadePlan['scope'],
): Promise<ReadonlyMap<string, ParticipantEffects>> {
  const effects = new Map<string, ParticipantEffects>();
  for (const participant of ports.participants) effects.set(participant.name, await participant.within(client, moment, scope));
  return effects;
}

function joinEffects(before: ParticipantEffects | undefined, after: ParticipantEffects | undefined): ParticipantEffects {
  return {
    counts: { ...before?.counts, ...after?.counts },
    keysDestroyed: [...(before?.keysDestroyed ?? []), ...(after?.keysDestroyed ?? [])],
    horizon: after?.horizon ?? before?.horizon ?? null,
  };
}

type BodyParts = {
  readonly order: ErasureOrder;
  readonly made: MadePlan;
  readonly done: CarriedOut;
  readonly progress: ChunkProgress | undefined;
  readonly id: ErasureId;
  readonly mark: string;
  readonly participants: CertificateBody['participants'];
  readonly stored: StoredPlan;
  readonly approval: Approval;
  readonly operation: OperationId;
};

function certificateBody(ground: ErasureGround, parts: BodyParts): CertificateBody {
  const { order, made, done, progress, id, mark, participants, stored, approval, operation } = parts;
  const horizons = participants.map(({ horizon }) => horizon);
  const isKnown = participants.length > 0 && horizons.every((horizon) => horizon !== null);
  return {
    format: 'safekeep-certificate/1',
    kind: 'erasure',
    id,
    tenant: ground.tenant,
    issuedAt: ground.clock.now().toISOString(),
    subject: { type: order.person.type, mark },
    plan: stored.hash,
    mode: order.mode,
    plannedBy: stored.plannedBy,
    approvedBy: approval.by,
    tables: [...(progress?.tables ?? []), ...[...done.counts].map(([table, counts]) => ({ table, ...counts }))],
    rows: joinTrees(progress, done),
    kept: [...(progress?.kept ?? []), ...made.plan.kept],
    holds: made.plan.holds.map((hold) => hold.id),
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
