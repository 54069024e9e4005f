import { codeOf, isSafekeepError, SafekeepError } from '@safekeep/core';
import { isConnectionLost, operationFailure } from '@safekeep/postgres';
import type { Step } from '../model.ts';
import { stepId } from '../rules/text.ts';

/** How far a run had come when something went wrong. */
export type Reached = { readonly done: number; readonly total: number };

/** Which step PostgreSQL refused. Never leaves this capability. */
export class StepFailed extends Error {
  readonly step: Step;

  constructor(step: Step, cause: unknown) {
    super(stepId(step), { cause });
    this.step = step;
  }
}

// undefined_table, undefined_column, undefined_object, invalid_schema_name.
const GONE = new Set(['42P01', '42703', '42704', '3F000']);

/** lock_not_available and deadlock_detected: another session stood in the way, and may be gone at the next try. */
export function isBlocked(error: unknown): boolean {
  const code = codeOf(causeOf(error));
  return code === '55P03' || code === '40P01';
}

/** What a person is told of a failure. The transaction it happened in is rolled back when this is called. */
export function applyFailure(error: unknown, reached: Reached): unknown {
  const cause = causeOf(error);
  if (isSafekeepError(cause) || isConnectionLost(cause)) return operationFailure(cause, 'applying a plan');
  const options = { cause };
  const step = error instanceof StepFailed ? stepId(error.step) : 'taking the locks';
  const code = codeOf(cause) ?? '';
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (code === '57014') return new SafekeepError('apply-cancelled', { step, kept: keptText(reached) }, options);
  if (GONE.has(code) && reached.done === 0) return new SafekeepError('plan-outdated', { difference: reason }, options);
  // Its text says that nothing was changed.
  const known = reached.done === 0 ? operationFailure(cause, 'applying a plan') : cause;
  if (isSafekeepError(known)) return known;
  if (code === '') return error;
  return new SafekeepError('apply-failed', { step, reason, kept: keptText(reached) }, options);
}

export function lockTimeout(
  error: unknown,
  blocked: { readonly target: string; readonly tries: number; readonly reached: Reached },
): SafekeepError {
  const { target, tries, reached } = blocked;
  const options = { cause: error };
  if (reached.done === 0) return new SafekeepError('lock-timeout', { target, tries }, options);
  const reason = `a lock was not to be had within ${tries} tries`;
  return new SafekeepError('apply-failed', { step: target, reason, kept: keptText(reached) }, options);
}

function keptText({ done, total }: Reached): string {
  return done === 0
    ? 'Nothing was changed.'
    : `${done} of ${total} steps stand and are recorded; the same command goes on from there.`;
}

function causeOf(error: unknown): unknown {
  return error instanceof StepFailed ? error.cause : error;
}
