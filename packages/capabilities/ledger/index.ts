// The public face of the ledger, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { ledgerCommands } from './commands.ts';

/** What was destroyed, written down outside of the database, so that a restore cannot bring it back. */
export const ledger: Capability = { name: 'ledger', commands: ledgerCommands };

export {
  openLedger,
  type Begun,
  type Ended,
  type Ledger,
  type LedgerOptions,
  type LedgerPlace,
  type Resolution,
} from './actions/open-ledger.ts';
export {
  recoverIntents,
  runRecorded,
  verifyRecorded,
  type Outcome,
  type Plan,
  type RecordedGround,
} from './actions/run-recorded.ts';
export type { Witnesses } from './actions/verify-ledger.ts';
export { ledgerFor } from './commands.ts';
export type {
  Ending,
  Entry,
  EntryView,
  Fault,
  Intent,
  LedgerId,
  Line,
  NewEntry,
  NewIntent,
  OperationId,
  Place,
  Receipt,
  Seen,
  SeenHead,
  Verification,
} from './model.ts';
export type { Marked } from './rules/mark.ts';
