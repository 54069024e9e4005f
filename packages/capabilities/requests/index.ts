// The public face of requests, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { requestCommands } from './commands.ts';
import { requestJobs } from './jobs.ts';
import type { OpenPorts } from './model.ts';

/** Everything about one person: found, exported, erased, proven. */
export function requestsCapability(openPorts: OpenPorts): Capability {
  return { name: 'requests', commands: requestCommands(openPorts), jobs: requestJobs };
}

export { type Approval, type ExecuteOptions } from './actions/erasing.ts';
export { executeErasure } from './actions/execute-erasure.ts';
export { exportSubject, type ExportGround, type ExportOrder } from './actions/export-subject.ts';
export { firstPeople } from './actions/first-people.ts';
export { groundOf, parseSubject, type ErasureGround, type Ground } from './actions/ground.ts';
export { planErasure, type ErasureOrder } from './actions/plan-erasure.ts';
export { requeueErasures } from './actions/open-erasures.ts';
export { requirePerson } from './actions/require-person.ts';
export { UNEXPLAINED } from './model.ts';
export type {
  AccessLog,
  ErasureMode,
  ErasureParticipant,
  ErasureScope,
  FieldOpener,
  OpenPorts,
  ParticipantEffects,
  ParticipantPlan,
  RequestPorts,
  Residue,
  RowKey,
  SealedValue,
} from './model.ts';
