const SHOWN = '[secret]';

/**
 * A value that must never be printed: a password, a connection URL, a key.
 *
 * It prints as `[secret]` in template strings, JSON, `console.log`, error messages and the debugger's inspector; the only
 * way to its content is `reveal()`, which is easy to search for in a review.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [Symbol.toPrimitive](): string {
    return SHOWN;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return SHOWN;
  }
}
