/**
 * Every refusal of this package, by code. `tile-…`, `bundle-…` and `entry-…` are about what a reader handed over, `proof-…`
 * and `note-…` about what a stranger did, `witness-…` about a witness that did not countersign.
 */
export type TlogErrorCode =
  | 'bundle-malformed'
  | 'checkpoint-malformed'
  | 'entry-too-long'
  | 'index-out-of-range'
  | 'index-pruned'
  | 'key-malformed'
  | 'key-unsupported'
  | 'note-malformed'
  | 'note-unsigned'
  | 'origin-foreign'
  | 'proof-malformed'
  | 'proof-wrong'
  | 'signature-wrong'
  | 'tile-malformed'
  | 'tile-missing'
  | 'witness-conflict'
  | 'witness-refused';

/** What happened, in a sentence without any content of an entry. */
export class TlogError extends Error {
  readonly code: TlogErrorCode;

  constructor(code: TlogErrorCode, message: string) {
    super(message);
    this.name = 'TlogError';
    this.code = code;
  }
}
