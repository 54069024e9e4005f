// The public face of encryption, listed by hand. Other capabilities and the composition roots import from here only.

// ---- encrypted fields ------------------------------------------------------------------------------------------------
export { decryptField } from './fields/actions/decrypt-field.ts';
export { encryptField, type Encrypted } from './fields/actions/encrypt-field.ts';
export { fieldKeys, type KeySource } from './fields/actions/field-keys.ts';
export { finishField, type Finished } from './fields/actions/finish-field.ts';
export type { Ground as FieldGround } from './fields/actions/ground.ts';
export { planField, type FieldOrder, type FieldPlan } from './fields/actions/plan-field.ts';
export { fieldCensus, rotateField, type Rotated } from './fields/actions/rotate-field.ts';
export type { Field, FieldIndex, FieldKeys, Mode } from './fields/model.ts';
