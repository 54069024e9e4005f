// The public face of audit, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { auditCommands } from './commands.ts';
import { auditJobs } from './jobs.ts';

/** An immutable log of what was changed, read, refused and decided, which can forget a person. */
export const audit: Capability = { name: 'audit', commands: auditCommands, jobs: auditJobs };

export { logPutAside } from './commands.ts';
export {
  beginErasure,
  drainBeforeErasure,
  emptyAfterErasure,
  forget,
  recordRemains,
  recordRemainsOfChunk,
  rehearseErasure,
  stillNamed,
  type Erased,
} from './actions/erase-subject.ts';
export { logHealth } from './actions/log-health.ts';
export { keepSequencing } from './actions/keep-sequencing.ts';
export { openSequencer } from './actions/open-sequencer.ts';
export { actWithin, recordEvent, recordEventWithin } from './actions/record-event.ts';
export { sequence, type SequencerGround } from './actions/sequence.ts';
export { auditBaseline } from './contributors/baseline.ts';
export { auditCapture } from './contributors/capture.ts';
export { baselineHeads, type BaselineHeads } from './files/baseline-heads.ts';
export { lastCheckpoint, type LastCheckpoint } from './files/last-checkpoint.ts';
export { auditKeys, type AuditKeys } from './keys/audit-keys.ts';
export { changesSince, endOfLog, isFollowed, type FeedPlace } from './store/changes.ts';
export { sealedEvents } from './store/sealed-events.ts';
export type { Attestation, EventId, EventKind, NewEvent, Sequenced } from './model.ts';
export { accessLog, recordHistory, searchEvents, subjectHistory, type AccessLine, type Page } from './questions/answer.ts';
export { namingOf, type Naming } from './questions/naming.ts';
export type { ExportFormat } from './questions/formats.ts';
export type { EventFilter, EventView, Place } from './questions/model.ts';
export { parsePlace } from './questions/view.ts';
export { keptCheckpoints } from './verification/log-files.ts';
export type { LogVerification } from './verification/model.ts';
export { proveEvent } from './verification/prove-event.ts';
export { verifyDatabase, type VerifyOptions } from './verification/verify-database.ts';
