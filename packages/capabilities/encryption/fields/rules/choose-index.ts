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
  /** Indexes of the same value, and how often the values themselves occur: read together they tell more than each by itself. */
  readonly together?: { readonly indexes: readonly Pick<FieldIndex, 'kind' | 'bits'>[]; readonly values: readonly Frequency[] };
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
  const beside = choice.beside.filter(({ bits }) => bits < WHOLE_HASH_BITS);
  const longest = indexLength({ rows, distinct }, beside);
  if ('refusal' in longest) return refuse(longest.refusal);
  const found: ChosenIndex[] = [];
  // A shorter one tells less and finds more that is not meant: the longest is taken that tells little enough.
  for (let bits = longest.bits; bits >= 1; bits -= 1) {
    const length = indexLength({ rows, distinct }, beside, bits);
    if ('refusal' in length || length.bits !== bits) break;
    const attackGain = gainOf(counted, bits, choice);
    found.push({ kind, bits, rows, distinct, attackGain });
    if (attackGain <= ACCEPTED_GAIN || choice.acceptLeak) return { kind, bits, rows, distinct, attackGain };
  }
  const [first] = found;
  const last = found.at(-1);
  if (first === undefined || last === undefined) throw new Error('The longest index that fits was not looked at');
  const { guessing } = frequencyAttack(counted, last.bits);
  const lengths = first === last ? `${last.bits} bits` : `${last.bits} bits, the fewest that find anything`;
  const beyond = indexesTogether(choice) === 0 ? '' : ' and the other indexes of the column';
  return refuse(
    `of ${rows} rows with ${distinct} different values, whoever knows how often values occur would name ${percent(guessing + last.attackGain)} by an index of ${lengths}${beyond}, instead of ${percent(guessing)} by guessing`,
  );
}

/** By the index alone, or by all of the column's: their bits together tell values apart as one index of so many would. */
function gainOf(counted: readonly Frequency[], bits: number, choice: IndexChoice): number {
  const alone = frequencyAttack(counted, bits).gain;
  const others = indexesTogether(choice);
  return others === 0 ? alone : Math.max(alone, frequencyAttack(choice.together?.values ?? [], bits + others).gain);
}

/** How many bits the other indexes of the value have. What is shown or hashed whole hides nothing anyway, and is told of by itself. */
function indexesTogether({ together }: IndexChoice): number {
  return (together?.indexes ?? []).reduce(
    (sum, { kind, bits }) => sum + (kind === 'compound' || bits >= WHOLE_HASH_BITS ? 0 : bits),
    0,
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
