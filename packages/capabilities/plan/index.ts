// The public face of plan, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { planCommands, type PlanParts } from './commands.ts';

export { applyPlan, type ApplyOptions } from './actions/apply-plan.ts';
export type { Ground, Moment, Observer } from './actions/execute.ts';
export type { Intent } from './actions/make-plan.ts';
export { planDatabase, readStatus } from './actions/plan-database.ts';
export { reapplyWithin, type Reapplying } from './actions/reapply.ts';
export type { Stage } from './actions/rehearse.ts';
export { unapply, type Guard, type TakeOut, type Unapplied, type UnapplyOptions } from './actions/unapply.ts';
export type { PlanParts } from './commands.ts';
export { columnComments } from './contributors/column-comments.ts';
export { mapNames } from './contributors/map-names.ts';
export { complianceFields, type ComplianceRequest } from './contributors/compliance-fields.ts';
export { rowSecurity, type RowSecurityRequest } from './contributors/row-security.ts';
export type {
  ApplyText,
  Contributor,
  Desired,
  DesiredObject,
  Drift,
  LockMode,
  Note,
  Plan,
  PlanText,
  Probe,
  Problem,
  ReadMap,
  Refusal,
  RehearsalText,
  RelationLock,
  RunsIn,
  StatusText,
  StepText,
  Surroundings,
  UnapplyText,
} from './model.ts';

/** The composition root says who wants something in the database, and who must be asked before it goes. */
export function planCapability(parts: PlanParts): Capability {
  return { name: 'plan', commands: planCommands(parts) };
}
