import type { Compound, CompoundValues } from './compounds.ts';
import type { OwnIndex, SealedField } from './field.ts';

/** What of a value goes out: its ciphertext, or one of its indexes. */
export type SealedAs =
  | { readonly as: 'ciphertext' }
  | { readonly as: 'index'; readonly index: OwnIndex }
  | { readonly as: 'compound'; readonly compound: Compound; readonly values: CompoundValues };

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
