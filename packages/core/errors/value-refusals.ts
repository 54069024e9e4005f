import type { Entry } from './entry.ts';

/** Refusals of sealed values and of what the SDK is asked: all of the catalogue that an application brings with it. */
export const valueRefusals = {
  'field-lease-expired': {
    status: 503,
    exit: 3,
    text: 'What was known of the encrypted fields is older than a minute. Nothing was run.',
    remedy: 'Run the query again: it is being asked for anew. Where it happens often, see that the SDK reaches the database.',
  },
  'field-moved': {
    status: 409,
    exit: 3,
    text: 'The statement was made for {field} as it was a moment ago, and the database refused it: the column has been moved on since. The statement wrote nothing.',
    remedy:
      'Make the statement anew and run it again; of a transaction, the whole transaction. What is true now is asked for before it.',
  },
  'field-not-sealed': {
    status: 409,
    exit: 1,
    text: 'The application requires {field} to be encrypted, and the database takes plaintext for it. Nothing was run.',
    remedy:
      'Run `safekeep encrypt TABLE.COLUMN` and `safekeep encrypt finish TABLE.COLUMN` for it. Before `safekeep decrypt TABLE.COLUMN`, take it out of `requires`. Where nobody did that, find out who changed the database.',
  },
  'field-not-served': {
    status: 422,
    exit: 1,
    text: 'The query asks of the encrypted {field} what cannot be answered: {reason}. {outcome}',
    remedy: '{index}',
  },
  'field-renamed': {
    status: 409,
    exit: 1,
    text: '{field} is encrypted, and the database has no such table or column any more: it was renamed. Nothing was run.',
    remedy:
      'Give the table and its columns their names back, or run `safekeep encrypt TABLE.COLUMN --take-over` with the new name.',
  },
  'field-unknown': {
    status: 404,
    exit: 2,
    text: '{field} is not encrypted, and not on its way to be.',
    remedy: 'See `safekeep encrypt status` for those that are.',
  },
  'field-value-refused': {
    status: 422,
    exit: 1,
    text: 'The value for {field} was refused: {reason}. Nothing was written.',
    remedy: 'Correct the value. The message does not repeat it.',
  },
  'key-erased': {
    status: 410,
    exit: 1,
    text: 'What was sealed under key {key} is erased: the key was destroyed, and nobody can open it any more.',
    remedy: 'Show it as erased. `safekeep ledger list` tells when and by which request.',
  },
  'key-spent': {
    status: 409,
    exit: 1,
    text: 'Key {key} has sealed as many values as one key may (NIST SP 800-38D). Nothing was sealed.',
    remedy:
      'Replace it: `safekeep encrypt rotate TABLE.COLUMN` where it is of an encrypted column, else `safekeep keys rotate SCOPE` with the scope that `safekeep keys list` shows.',
  },
  'key-unwrap-failed': {
    status: 422,
    exit: 1,
    text: 'A wrapped key does not open with the key above it: another wrapped it, or it was changed.',
    remedy: 'Restore the keys that belong to this database: `safekeep keys recover`.',
  },
  'name-invalid': {
    status: 400,
    exit: 2,
    text: '{name} is not the name of a {kind}: {reason}.',
    remedy:
      'Write schema.table or schema.table.column (public. may be left out), each part that has capitals, blanks, dots or quotes in double quotes: public."Patient files". A shell takes these away: put single quotes around the whole.',
  },
  'sealed-foreign-place': {
    status: 422,
    exit: 1,
    text: 'A sealed value was moved here from another column, tenant, person or row. Nothing was shown.',
    remedy: 'Put back what belongs here, and look in the audit log for who moved it.',
  },
  'sealed-malformed': {
    status: 422,
    exit: 1,
    text: 'A value that should be sealed cannot be read: {reason}. Nothing was shown.',
    remedy:
      'It was cut off, overwritten or never sealed. Take it from a backup, or see `safekeep keys census` for how many there are.',
  },
  'sealed-query-unfit': {
    status: 422,
    exit: 2,
    text: 'A sealed pool takes the text of a query and its values. Nothing was run.',
    remedy:
      'Give text and values one after the other. Named statements, cursors, streams, row mode and callbacks are not opened by it: use them on a pool of your own for tables without encrypted columns. BEGIN, COMMIT and their like stand alone, not among other statements of one text.',
  },
  'sealed-tampered': {
    status: 422,
    exit: 1,
    text: 'A sealed value does not open: it was changed, or moved here from another column, tenant, person or row. Nothing was shown.',
    remedy: 'Take the value from a backup, and look in the audit log for who wrote it.',
  },
  'sealed-unknown-format': {
    status: 422,
    exit: 1,
    text: 'A sealed value has version {version} and flags {flags}, which this Safekeep does not know.',
    remedy: 'A newer Safekeep sealed it, or it was changed. Use the version that wrote it.',
  },
  'sealed-wrong-key': {
    status: 422,
    exit: 1,
    text: 'A value was sealed under key {needed}; the key given is {given}.',
    remedy: 'Fetch the key that its header names; `safekeep keys list` shows those that exist.',
  },
  'signature-invalid': {
    status: 422,
    exit: 1,
    text: 'The signature does not verify: {reason}.',
    remedy: 'Do not rely on this document. Ask its issuer for the original and check the verifier key through another channel.',
  },
  'tenant-unknown': {
    status: 404,
    exit: 2,
    text: 'The database has no tenant {tenant}. Nothing was run.',
    remedy: 'Name it as the data map does; `default` where that names none.',
  },
  'unlock-outside-transaction': {
    status: 409,
    exit: 3,
    text: 'unlock was called outside of a transaction: nothing is unlocked, and the views show NULL.',
    remedy: 'Call it on a client after BEGIN. A pool gives each statement to any of its connections: take a client from it.',
  },
  'value-unfit': {
    status: 422,
    exit: 1,
    text: 'A value cannot be sealed as {type}: it is none, or PostgreSQL could not hold it. Nothing was written.',
    remedy: 'Check what the application gives: text without NUL and lone surrogates, numbers within range, dates in ISO form.',
  },
} as const satisfies Record<string, Entry>;
