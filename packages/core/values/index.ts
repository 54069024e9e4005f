// What sealing, opening and searching values needs of core, listed by hand: the SDK brings no more of it into an application.
export { displayKinds, type DisplayKind, type IndexKind, type SearchKind } from '../datamap/model.ts';
export { codeOf, SafekeepError } from '../errors/error.ts';
export { canonicalForm, compoundForm, indexKeyScope, indexLabel, searchFits, type SearchedType } from '../fields/canonical.ts';
export { cardNumber, isTrack } from '../fields/card.ts';
export { LEASE_MS } from '../fields/lease.ts';
export { formatColumnName, parseColumnName, parseTableName } from '../names.ts';
