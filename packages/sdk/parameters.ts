import type { SearchKind } from '@safekeep/core';
import type { SealedField } from './field.ts';

/** What of a value goes out: its ciphertext, the index of a whole value that is written or looked for, or that of a search term. */
export type SealedAs = { readonly as: 'ciphertext' } | { readonly as: 'index' | 'term'; readonly kind: SearchKind };

/** A value that stands in a query's parameters until it is sent: what goes out is its ciphertext or its blind index. */
export class SealedParameter {
  readonly field: SealedField;
  readonly value: unknown;
  readonly form: SealedAs;

  constructor(field: SealedField, value: unknown, form: SealedAs = { as: 'ciphertext' }) {
    this.field = field;
    this.value = value;
    this.form = form;
  }

  /** A logger that prints parameters shows this. */
  toJSON(): string {
    return `[sealed ${this.field.name}]`;
  }
}
