import { isAbsolute, relative, sep } from 'node:path';

// Three identifiers of 63 bytes (NAMEDATALEN - 1), their quotes and dots.
const NAME_CHARS = 200;
const ELSEWHERE = '[outside of the home]';

/**
 * A text that somebody declared to be a name and not data. Only the two functions below make one, so a review finds every
 * declaration by searching for them; the private field cannot be forged by an object that merely looks alike.
 */
export class DeclaredName {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text of a declared name; `undefined` for any other value. */
  static textOf(value: object): string | undefined {
    return #text in value ? value.#text : undefined;
  }
}

/** Declares an identifier of the schema, `schema.table.column`: how a table is built, not what stands in it. */
export function catalogName(name: string): DeclaredName {
  return new DeclaredName(name.slice(0, NAME_CHARS));
}

/**
 * Declares a path inside of the home. It is logged relative to the home, whose own path often carries the name of whoever
 * logged in. A path elsewhere is a person's choice of words (`for-jane-doe.sqlite`) and is not shown.
 */
export function homePath(home: string, path: string): DeclaredName {
  const within = relative(home, path);
  const outside = within === '..' || within.startsWith(`..${sep}`) || isAbsolute(within);
  return new DeclaredName(outside ? ELSEWHERE : within.slice(0, NAME_CHARS));
}
