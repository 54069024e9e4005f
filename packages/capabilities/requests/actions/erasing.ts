import type pg from 'pg';
import { codeOf, SafekeepError } from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import type { Approved, Blocked, ErasureMoment, ErasurePlan, ParticipantEffects } from '../model.ts';
import type { ErasureGround } from './ground.ts';
import { refusalOf, type MadePlan } from './plan-erasure.ts';

/** Whoever plans or approves: a name, and the key by which they prove it. */
export type Actor = { readonly by: string; readonly signer?: Signer | undefined };
export type Approval = Actor & {
  readonly hash: string;
  /** Approvals of which this one is what is left. */
  readonly before?: readonly Approved[];
};

export type ExecuteOptions = {
  readonly vacuum?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  /** The rows are erased and the ledger says so; statistics, places outside and the certificate follow. */
  readonly onCommitted?: () => void;
  readonly signal?: AbortSignal;
};

/** Nothing more was done, and it is to be done when the holds have ended. */
export class WholePersonHeld extends Error {
  readonly holds: readonly string[];
  readonly refusal: SafekeepError;

  constructor(holds: readonly string[]) {
    super('The whole person is held');
    this.holds = holds;
    this.refusal = new SafekeepError('erasure-held', { holds: holds.join(', ') });
  }
}

/** Somebody else has carried out the same approval in the meantime. */
export class AlreadyErased extends Error {}

/** A deadlock or a lock that did not come: the transaction is lost, and the next try has a good chance. */
const TRIES = 3;

/**
 * Runs one transaction of an erasure, again where it was in the way of another. `erasedRows`: how many rows earlier ones have erased for
 * good, which an error has to say.
 */
export async function retried<Result>(run: () => Promise<Result>, erasedRows = 0): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (isContended(error) && attempt < TRIES) continue;
      throw toldError(error, erasedRows);
    }
  }
}

/** 40P01 deadlock, 40001 a hold was placed since, 55P03 lock not available. */
function isContended(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40P01' || code === '40001' || code === '55P03';
}

function toldError(error: unknown, erasedRows: number): unknown {
  const code = codeOf(error);
  const refusal = refusalOf(error);
  if (erasedRows > 0) {
    const reason = isContended(error)
      ? `a lock on rows of the person was not to be had within ${TRIES} tries`
      : code === '57014'
        ? 'the server cancelled a statement'
        : refusal === undefined
          ? undefined
          : `${refusal.table ?? 'a deferred constraint'}: ${refusal.what}. ${refusal.remedy}`;
    return reason === undefined ? error : stopped(erasedRows, reason, error);
  }
  if (isContended(error))
    return new SafekeepError('lock-timeout', { target: 'rows of the person', tries: TRIES }, { cause: error });
  if (code === '57014')
    return new SafekeepError('statement-cancelled', { action: 'erasing; nothing was erased' }, { cause: error });
  if (refusal === undefined) return error;
  return new SafekeepError(
    'erasure-refused',
    { table: refusal.table ?? 'a deferred constraint', what: refusal.what, remedy: refusal.remedy },
    { cause: error },
  );
}

/** Some chunks are erased for good: no other error may say that nothing was. */
export function stopped(erasedRows: number, reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('erasure-stopped', { rows: erasedRows, reason }, { cause });
}

/** Throws where the plan is not the one that was approved, or cannot be carried out. */
export function refuseUnfit({ plan }: MadePlan, approved: string): void {
  refuseHeld(plan);
  if (plan.hash !== approved) throw new SafekeepError('erasure-plan-changed', { approved, now: plan.hash });
  if (plan.blocked.length > 0) throw new SafekeepError('erasure-blocked', { problems: problemsOf(plan.blocked) });
  if (plan.tables.length === 0) throw new Error('The row of the person belongs to no group');
}

export function refuseHeld({ holds }: Pick<ErasurePlan, 'holds'>): void {
  if (holds.some(({ wholePerson }) => wholePerson)) throw new WholePersonHeld(holds.map(({ id }) => id));
}

export function problemsOf(blocked: readonly Blocked[]): string {
  return blocked.map(({ table, what, remedy }) => `${table ?? 'database'}: ${what}. ${remedy}`).join('\n');
}

export async function effectsAt(
  client: pg.ClientBase,
  { ports }: ErasureGround,
  moment: ErasureMoment,
  scope: MadePlan['scope'],
): Promise<ReadonlyMap<string, ParticipantEffects>> {
  const effects = new Map<string, ParticipantEffects>();
  for (const participant of ports.participants) effects.set(participant.name, await participant.within(client, moment, scope));
  return effects;
}
