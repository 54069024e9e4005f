import { formatColumnName, SafekeepError, type ColumnRef } from '@safekeep/core';
import type { Field } from '../model.ts';
import { isAtLeast, type Phase } from '../rules/life.ts';
import { findField, readField } from '../store/records.ts';
import { nameOf, reading, type Ground } from './ground.ts';

/** The field of a column, as it is recorded. @throws `field-unknown` */
export async function knownField(ground: Ground, column: ColumnRef): Promise<Field> {
  const found = await reading(ground, (client) => findField(client, ground.tenant, column));
  if (found === undefined) throw new SafekeepError('field-unknown', { field: formatColumnName(column) });
  return found;
}

/** {@link knownField}, whose readers take the ciphertext. @throws `field-going-back`, `field-not-switched` */
export async function switchedField(ground: Ground, column: ColumnRef): Promise<Field> {
  const known = await knownField(ground, column);
  if (known.direction === 'out') throw new SafekeepError('field-going-back', { field: nameOf(known) });
  if (!isAtLeast(known.phase, 'switched'))
    throw new SafekeepError('field-not-switched', { field: nameOf(known), phase: known.phase });
  return known;
}

/** As it is recorded now. @throws `field-unknown` */
export async function fresh(ground: Ground, field: Pick<Field, 'tenant' | 'id' | 'table' | 'column'>): Promise<Field> {
  const found = await reading(ground, (client) => readField(client, field));
  if (found === undefined) throw new SafekeepError('field-unknown', { field: nameOf(field) });
  return found;
}

/** {@link fresh}, of several. */
export async function freshOf(ground: Ground, fields: readonly Field[]): Promise<readonly Field[]> {
  const found: Field[] = [];
  for (const field of fields) found.push(await fresh(ground, field));
  return found;
}

/** Those of them that are there. */
export async function inPhase(ground: Ground, fields: readonly Field[], phase: Phase): Promise<readonly Field[]> {
  return (await freshOf(ground, fields)).filter((field) => field.phase === phase);
}
