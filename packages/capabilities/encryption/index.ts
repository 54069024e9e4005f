// The public face of encryption, listed by hand. Other capabilities and the composition roots import from here only.

import type { Capability } from '../capability.ts';
import { keySourceOpener } from './actions/field-key-source.ts';
import { keyCommands, type KeyPorts } from './commands.ts';
import type { Contributor, TakeOut } from '../plan/index.ts';
import { fieldCommands, giveBackPlaintext } from './fields/commands.ts';
import { keyJobs } from './jobs.ts';

type FieldPorts = Pick<KeyPorts, 'record'> & {
  /** Whose work on a table rests on its columns: where a column is encrypted it is made anew in the same transaction. */
  readonly follows: readonly Contributor[];
};

/** Keys: made, replaced, backed up, destroyed; and the columns that are encrypted with them. */
export function encryptionOver(ports: KeyPorts & FieldPorts): Capability {
  return {
    name: 'encryption',
    commands: [...keyCommands(ports), ...fieldCommands(keySourceOpener(ports.record, ports.follows))],
    jobs: keyJobs(ports.record),
  };
}

/** For `unapply`. */
export function plaintextBack({ record, follows }: FieldPorts): TakeOut {
  return giveBackPlaintext(keySourceOpener(record, follows));
}

export { encryptedFields } from './contributors/encrypted-fields.ts';
export { shredHorizon } from './actions/horizon.ts';
export { keysHealth, keysOfHome, openKeys, type KeysHealth, type OpenKeysOptions } from './actions/open-context.ts';
export type { Keyring } from './actions/open-keys.ts';
export { rollEpoch, type Rolled, type RollOptions } from './actions/roll-epoch.ts';
export { rotateSubject, type SubjectRotated } from './actions/rotate-subject.ts';
export { endShred, livingKeyOf, livingKeysOf } from './actions/shred-subject.ts';
export type {
  Fate,
  Horizon,
  KeyEvent,
  KeyOwner,
  KnownCopy,
  PersonKey,
  RecordEvent,
  SealedPlace,
  SubjectKey,
  SubjectKeys,
} from './model.ts';
export type { Roots } from './roots/open.ts';
export { ownerName } from './rules/owner.ts';

// ---- encrypted fields ------------------------------------------------------------------------------------------------
export { fieldKeySource } from './actions/field-key-source.ts';
export { changeIndexes, type IndexOrder, type IndexPlan } from './fields/actions/change-indexes.ts';
export { decryptColumns, decryptField } from './fields/actions/decrypt-field.ts';
export { encryptField, encryptFields, type Encrypted } from './fields/actions/encrypt-field.ts';
export { fieldKeys, type KeySource } from './fields/actions/field-keys.ts';
export { maskStored } from './fields/actions/mask-stored.ts';
export { findStored, openStored } from './fields/actions/open-stored.ts';
export { fieldStatus } from './fields/actions/field-status.ts';
export { finishField, finishFields, type Finished } from './fields/actions/finish-field.ts';
export type { Ground as FieldGround } from './fields/actions/ground.ts';
export type { FieldOrder, FieldPlan } from './fields/actions/plan-field.ts';
export { rotateField, rotateFields, type Rotated } from './fields/actions/rotate-field.ts';
export { sealedColumns } from './fields/actions/sealed-columns.ts';
export type { Field, FieldIndex, FieldKeys, Mode } from './fields/model.ts';
