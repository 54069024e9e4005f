import type { ColumnForm } from '../prove/digest-form.ts';
import type { FollowPair } from './model.ts';

/** How a column, named as in the source, takes part. */
export function columnOf({ form, source }: FollowPair, name: string): ColumnForm {
  const column = form.columns.find((one) => one.source === name);
  if (column === undefined) throw new Error(`${source}.${name} is a key and no column`);
  return column;
}

/** The columns of the key in the target, in their order. */
export function keyForms(pair: FollowPair): ColumnForm[] {
  return pair.key.map(({ name }) => columnOf(pair, name));
}
