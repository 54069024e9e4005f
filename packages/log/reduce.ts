import { types } from 'node:util';
import { DeclaredName } from './declared-name.ts';
import type { OwnKey } from './fields.ts';
import { reduceError, type ReducedError } from './reduce-error.ts';
import { isKey, isPlain } from './shape.ts';

type Scalar = string | number | boolean | null;
type Value = Scalar | readonly Scalar[] | ReducedError;

/** What is written for a value that may not be. */
export const WITHHELD = '[withheld]';

const FIELDS = 50;
const ITEMS = 100;
const OWN_KEYS: ReadonlySet<string> = new Set<OwnKey>(['time', 'level', 'event', 'component', 'pid', 'withheld']);

/** The fields of one line as they may be written, and how many values were kept back. */
export class Reduced {
  readonly values: Record<string, Value>;
  withheld: number;

  constructor(values: Record<string, Value> = {}, withheld = 0) {
    this.values = values;
    this.withheld = withheld;
  }

  /** A copy with these fields besides; they win over what was there. `event` stands first. */
  with(fields: object | undefined, event?: string): Reduced {
    const values = event === undefined ? { ...this.values } : { event, ...this.values };
    const copy = new Reduced(values, this.withheld);
    if (fields !== undefined) copy.#add(fields);
    return copy;
  }

  /** Never throws: a getter or proxy that does is a value kept back. */
  #add(fields: object): void {
    try {
      const keys = Object.keys(fields);
      this.withheld += Math.max(0, keys.length - FIELDS);
      for (const key of keys.slice(0, FIELDS)) this.#addField(fields, key);
    } catch {
      this.withheld += 1;
    }
  }

  #addField(fields: object, key: string): void {
    if (!isKey(key) || OWN_KEYS.has(key)) {
      this.withheld += 1;
      return;
    }
    try {
      // Read once: what is looked at is what is written, whatever a getter would say the next time.
      const value: unknown = Reflect.get(fields, key);
      if (value === undefined) return;
      this.values[key] = key === 'error' ? reduceError(value) : this.#reduce(value);
    } catch {
      this.values[key] = this.#withhold();
    }
  }

  #reduce(value: unknown): Value {
    if (!Array.isArray(value)) return this.#reduceOne(value);
    const items: Scalar[] = [];
    for (let index = 0; index < Math.min(value.length, ITEMS); index += 1) items.push(this.#reduceOne(value[index]));
    if (value.length > ITEMS) items.push(`[${value.length - ITEMS} more]`);
    return items;
  }

  #reduceOne(value: unknown): Scalar {
    switch (typeof value) {
      case 'number':
        return Number.isFinite(value) ? value : null;
      case 'boolean':
        return value;
      case 'bigint':
        return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
      case 'string':
        return isPlain(value) ? value : this.#withhold();
      case 'undefined':
        return null;
      case 'object':
        return value === null ? null : this.#reduceObject(value);
      default:
        return this.#withhold();
    }
  }

  /** Nothing of the object itself is called: no toJSON, no toString, no method that it brought along. */
  #reduceObject(value: object): Scalar {
    if (types.isDate(value)) return Date.prototype.toISOString.call(value);
    return DeclaredName.textOf(value) ?? this.#withhold();
  }

  #withhold(): string {
    this.withheld += 1;
    return WITHHELD;
  }
}
