/** One thing that speaks for or against a category, with its weight in log-odds (natural logarithm). */
export type Reason = { readonly code: ReasonCode; readonly text: string; readonly weight: number };

export type ReasonCode =
  | 'name'
  | 'comment'
  | 'table'
  | 'type'
  | 'key'
  | 'values'
  | 'rival'
  | 'length'
  | 'qualifier'
  | 'json'
  | 'view'
  | 'verdict'
  | 'none';

export type Candidate = { readonly category: string; readonly reasons: readonly Reason[]; readonly freeText: boolean };

export type Outcome = 'certain' | 'review' | 'none';

/** From here on a finding needs no person to look at it. */
const CERTAIN_FROM = 0.85;
/** Below, a column is taken for not personal. Between the two a person looks. */
export const REVIEW_FROM = 0.4;

export function logOddsOf({ reasons }: Pick<Candidate, 'reasons'>): number {
  return reasons.reduce((sum, { weight }) => sum + weight, 0);
}

export function probabilityOf(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}

export function outcomeOf(probability: number): Outcome {
  if (probability >= CERTAIN_FROM) return 'certain';
  return probability >= REVIEW_FROM ? 'review' : 'none';
}

/** A reason as it is printed and kept: code, words, weight. Never a value of a row. */
export function evidenceOf({ code, text, weight }: Reason): string {
  const signed = weight === 0 ? '' : ` (${weight > 0 ? '+' : '-'}${Math.abs(weight).toFixed(1)})`;
  return `${code}: ${text}${signed}`;
}
