import { formatTableName } from '@safekeep/core';
import type { Plan, PlanText, Step, StepText } from '../model.ts';

/** A step's name in its plan: an object may go and come in one plan. */
export function stepId({ action, object }: Step): string {
  return `${action} ${object}`;
}

/** A step as `--json` shows it. */
export function stepText(step: Step): StepText {
  const { action, kind, target, reversible, rows, rewrites, runsIn } = step;
  const locks = step.locks.map(({ schema, table, mode }) => ({ table: formatTableName({ schema, table }), mode }));
  return { id: stepId(step), action, kind, target, reversible, rows, rewrites, locks, runsIn, sql: [...step.sql] };
}

export function planText({ hash, steps, problems, notes }: Plan): PlanText {
  return { hash, steps: steps.map(stepText), problems: [...problems], notes: [...notes] };
}
