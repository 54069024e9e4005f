// Defence in depth: what the type checker let through is looked at once more when it is written. These shapes are narrow
// enough that names with capitals or blanks, addresses, mail addresses, phone and card numbers and keys fit none of them.

const STATE_CHARS = 40;
const STATE = /^[a-z]{1,20}\d{0,4}(?:[-_](?:[a-z]{1,20}\d{0,4}|\d{1,4}))*$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z$/;
/** What Node and the system put on errors: `ECONNREFUSED`, `ERR_SOCKET_CLOSED`. */
const SYSTEM_CODE = /^E[A-Z0-9_]{2,39}$/;
const SQLSTATE = /^[0-9A-Z]{5}$/;
const KEY = /^[a-z][A-Za-z]{0,39}$/;
const CLASS = /^[A-Z][A-Za-z]{0,39}$/;

/** `done`, `not-evaluable`, `postgres-15`: also the names of events and the codes of our own errors. */
export function isState(text: string): boolean {
  return text.length <= STATE_CHARS && STATE.test(text);
}

/** Whether a string may stand in a line. */
export function isPlain(text: string): boolean {
  return isState(text) || UUID.test(text) || INSTANT.test(text) || isSystemCode(text);
}

export function isSystemCode(text: string): boolean {
  return SYSTEM_CODE.test(text);
}

/** Five digits and capitals. Only on an error: anywhere else it could as well be a postcode. */
export function isSqlState(text: string): boolean {
  return SQLSTATE.test(text);
}

/** The name of a field, in camelCase. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** The name of a class of errors. */
export function isClass(text: string): boolean {
  return CLASS.test(text);
}
