import { SafekeepError } from '@safekeep/core';

/** The name of a type of data: `user.contact.email`, `audit`. */
const SCOPE = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$/;
const SCOPE_CHARS = 200;
/** Says whose key a key is; with another name it could never be told again. */
export const OWNERS = 'owners';
const WORDS = ['root', 'epoch', OWNERS];

/** Throws `key-scope-invalid`. */
export function requireScope(text: string): string {
  if (WORDS.includes(text) || text.length > SCOPE_CHARS || !SCOPE.test(text))
    throw new SafekeepError('key-scope-invalid', { scope: text.slice(0, SCOPE_CHARS) });
  return text;
}
