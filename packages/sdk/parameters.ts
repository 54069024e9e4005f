import type { SearchKind } from '@safekeep/core';
import type { SealedField } from './field.ts';

/** A value that stands in a query's parameters until it is sent: what goes out is its ciphertext or its blind index. */
export class SealedParameter {
  readonly field: SealedField;
  readonly value: unknown;
  /** Null: the ciphertext. Else the index of that kind. */
  readonly index: SearchKind | null;

  constructor(field: SealedField, value: unknown, index: SearchKind | null = null) {
    this.field = field;
    this.value = value;
    this.index = index;
  }

  /** A logger that prints parameters shows this. */
  toJSON(): string {
    return `[sealed ${this.field.name}]`;
  }
}
