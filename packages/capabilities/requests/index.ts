// The public face of requests, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { requestCommands } from './commands.ts';
import type { RequestPorts } from './model.ts';

/** Everything about one person: found, exported, erased, proven. */
export function requestsCapability(ports: RequestPorts): Capability {
  return { name: 'requests', commands: requestCommands(ports) };
}

export { requeueErasures } from './actions/open-erasures.ts';
export type {
  AccessLog,
  ErasureMode,
  ErasureParticipant,
  ErasureScope,
  FieldOpener,
  ParticipantEffects,
  ParticipantPlan,
  RequestPorts,
  Residue,
  RowKey,
  SealedValue,
} from './model.ts';
