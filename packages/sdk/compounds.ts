import { compoundForm, SafekeepError } from '@safekeep/core/values';
import { FOUND_BY_NOTHING, indexForms, type DataKeys } from '@safekeep/crypto';
import { textOf, type SealedField } from './field.ts';
import type { IndexRow } from './store.ts';

/** An index over several columns of one table, with the fields that it is made of in their order. */
export type Compound = { readonly owner: SealedField; readonly index: IndexRow; readonly parts: readonly SealedField[] };

/** Values of all parts of a compound, in their order. */
export type CompoundValues = readonly unknown[];

/** Those that are written beside the values of a table: also what is not searched yet, or no more by all. */
export function compoundsOf(all: readonly SealedField[], table: Pick<SealedField, 'schema' | 'table'>): readonly Compound[] {
  const own = all.filter((field) => field.schema === table.schema && field.table === table.table);
  return own.flatMap((owner) =>
    owner.indexes
      .filter(({ kind, state }) => kind === 'compound' && state !== 'left')
      .map((index) => ({
        owner,
        index,
        parts: index.parts.map((id) => own.find((field) => field.id === id)).filter((field) => field !== undefined),
      })),
  );
}

/** One number for the values of each row; null where one of a row's values is missing. */
export async function compoundNumbers(
  keys: DataKeys,
  { owner, index, parts }: Compound,
  rows: readonly CompoundValues[],
): Promise<readonly (string | null)[]> {
  const forms = rows.map((values) =>
    compoundForm(
      parts.map((field, place) => {
        const value = values[place];
        return { type: field.valueType, value: value === null || value === undefined ? null : textOf(field, value) };
      }),
    ),
  );
  const numbers = await indexForms(keys, owner, index, forms);
  return numbers.map((number) => (number === FOUND_BY_NOTHING ? null : number));
}

/** What to say where one of the columns is written alone: the number is made of all. */
export function givenAlone({ owner, parts }: Compound): SafekeepError {
  const names = parts.map(({ column }) => column).join(', ');
  return new SafekeepError('field-value-refused', {
    field: owner.name,
    reason: `${names} are searched together, and the number that they are found by is made of the values of all: write all of them at once`,
  });
}
