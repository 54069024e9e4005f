/** What is known of a column before it gets a blind index. */
export type ColumnStatistics = {
  /** Rows with a value. */
  readonly rows: number;
  /** Different search forms among them. */
  readonly distinct: number;
};

/** An index of the same row: whoever reads the table sees all of them at once. */
export type OtherIndex = { readonly bits: number; readonly distinct: number };

export type Length = { readonly bits: number } | { readonly refusal: string };

/** An int8 holds 64 bits; more than 32 would be asked for by a column of 2^33 values only. */
const LONGEST = 32;

/**
 * How many bits of the HMAC a blind index keeps. Two rules (CipherSweet's "safe" range) must hold, for X different values in R
 * rows and K = log2(X) of each index of the row:
 *
 * - sqrt(X) < 2^L < X/2: short enough that one value of the index stands for several of the column, long enough to find by;
 * - 2 <= R / 2^(sum of min(L, K)) <= sqrt(R): all indexes of a row together still leave at least two rows alike.
 *
 * The longest that satisfies both is taken, since false hits cost decryptions. Where none does the column is refused: an index
 * on it would tell the value (few different ones) or find nothing by (too many alike).
 */
export function indexLength({ rows, distinct }: ColumnStatistics, others: readonly OtherIndex[], longest = LONGEST): Length {
  for (let bits = longest; bits >= 1; bits -= 1) {
    if (fits(bits, distinct) && keepsRowsAlike(rows, [...others, { bits, distinct }])) return { bits };
  }
  const possible = Array.from({ length: LONGEST }, (_, place) => place + 1).some((bits) => fits(bits, distinct));
  if (!possible)
    return {
      refusal: `${rows} rows have ${distinct} different values, too few to hide one among others; leave the search out and filter after decryption`,
    };
  return {
    refusal: `${rows} rows with ${others.length} other index(es) are too few: together the indexes would name single rows; leave the search out`,
  };
}

function fits(bits: number, distinct: number): boolean {
  return Math.sqrt(distinct) < 2 ** bits && 2 ** bits < distinct / 2;
}

/** The upper bound is about the usefulness of this index alone; others may only make it smaller. */
function keepsRowsAlike(rows: number, indexes: readonly OtherIndex[]): boolean {
  const sum = indexes.reduce((total, { bits, distinct }) => total + Math.min(bits, Math.log2(Math.max(distinct, 1))), 0);
  const alike = rows / 2 ** sum;
  return alike >= 2 && alike <= Math.sqrt(rows);
}
