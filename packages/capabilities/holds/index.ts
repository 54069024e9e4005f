// The public face of holds, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { holdCommands } from './commands.ts';

/** What must not be destroyed: who says so, why, and until when it is looked at again. */
export const holds: Capability = { name: 'holds', commands: holdCommands };

export { nameOfPerson } from './commands.ts';
export { heldBy } from './actions/held-by.ts';
export { refuseWhileHeld, releasedHolds, unknownHolds, type ListOptions } from './actions/list-holds.ts';
export { ownKey } from './actions/own-key.ts';
export { placeHold, type HoldGround, type HoldOrder } from './actions/place-hold.ts';
export { onRelease, releaseHold, type Decision, type ReleaseListener } from './actions/release-hold.ts';
export type {
  AskedRow,
  Condition,
  Hold,
  HoldHistory,
  HoldId,
  HoldQuestion,
  HoldText,
  Period,
  Person,
  RecordKey,
  StandingHold,
  Target,
} from './model.ts';
export { formatKey, formatPerson, parseKey } from './rules/key.ts';
export { parseTarget } from './rules/target.ts';
