export { actorMessage, proveActor, type ActorClaim, type ActorSecret } from './actor-proof.ts';
export { createSigningKey, signingKeyFromPem, verify, verifierKey, type Signature, type Signer } from './signing.ts';
export { IndexKey } from './sealing/blind-index.ts';
export {
  beginsSealed,
  FLAG_BYTES,
  FLAG_ROW,
  FLAG_SUBJECT,
  isSealed,
  OVERHEAD_BYTES,
  parseHeader,
  type Header,
} from './sealing/header.ts';
export { createSealingKey, KEY_BYTES, KEY_ID_BYTES, SealingKey, SEALS_AT_MOST, SEALS_TO_WARN_AT } from './sealing/key.ts';
export type { Place } from './sealing/place.ts';
export { openBytes, openValue, sealBytes, sealerFor, sealValue, type Sealer } from './sealing/seal.ts';
export { TYPE_TAGS, type TypedValue, type ValueType } from './sealing/typed-value.ts';
export { WrappingKey } from './sealing/wrap.ts';
export {
  canonicalText,
  FOUND_BY_NOTHING,
  indexForms,
  indexTexts,
  openTexts,
  sealTexts,
  unlockFields,
  type DataKeys,
  type FieldPlace,
} from './sealing/field-cipher.ts';
export { indexKeyId, unlockBundle, type UnlockedKey } from './sealing/unlock-bundle.ts';
