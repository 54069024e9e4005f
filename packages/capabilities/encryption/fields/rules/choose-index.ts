import { SafekeepError, type IndexKind } from '@safekeep/core';
import type { FieldIndex } from '../model.ts';
import { ACCEPTED_GAIN, frequencyAttack, type Frequency } from './frequency.ts';
import { indexLength, type OtherIndex } from './index-length.ts';

export type IndexChoice = {
  /** Of the field, as it is told to a person. */
  readonly name: string;
  readonly kind: IndexKind;
  /** Every other index of the row: whoever reads one reads them all. */
  readonly beside: readonly OtherIndex[];
  /** A person has seen the report of the frequency attack and takes what it gives away. */
  readonly acceptLeak: boolean;
};

export type ChosenIndex = Pick<FieldIndex, 'kind' | 'bits' | 'rows' | 'distinct' | 'attackGain'>;

/** All of HMAC-SHA-256. */
const WHOLE_HASH_BITS = 256;

/**
 * How long an index of a column is whose search forms occur so often.
 *
 * @throws `field-search-unsafe` with the figures, where it would give the values away or cannot hold.
 */
export function chooseIndex(counted: readonly Frequency[], choice: IndexChoice): ChosenIndex {
  const rows = counted.reduce((sum, each) => sum + each.rows * each.times, 0);
  const distinct = counted.reduce((sum, each) => sum + each.times, 0);
  const { kind, name } = choice;
  const refuse = (reason: string): never => {
    throw new SafekeepError('field-search-unsafe', { field: name, search: kind, reason });
  };
  if (kind === 'unique') {
    if (distinct < rows) refuse(`${rows} rows have ${distinct} different values, and unique would refuse the others`);
    return { kind, bits: WHOLE_HASH_BITS, rows, distinct, attackGain: 0 };
  }
  // A whole hash tells rows apart and puts none together: it is told of by itself, and takes nothing from the others.
  const length = indexLength(
    { rows, distinct },
    choice.beside.filter(({ bits }) => bits < WHOLE_HASH_BITS),
  );
  if ('refusal' in length) return refuse(length.refusal);
  const { attack, guessing, gain } = frequencyAttack(counted, length.bits);
  if (gain > ACCEPTED_GAIN && !choice.acceptLeak)
    refuse(
      `of ${rows} rows with ${distinct} different values, whoever knows how often values occur would name ${percent(attack)} by an index of ${length.bits} bits, instead of ${percent(guessing)} by guessing`,
    );
  return { kind, bits: length.bits, rows, distinct, attackGain: gain };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
