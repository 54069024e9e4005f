import type { Affinity } from '../model.ts';
import { asNumber, asText, isNumber, literal, numberIn, Untranslatable, value, withC, type Value } from './value.ts';

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=' | 'is' | 'is not';

/** Where a note about a difference is put. */
export type Notes = { readonly note: (text: string) => void };

/** A comparison by SQLite's rules: affinities first, then classes, then collation (sqlite.org/datatype3.html, 4). */
export function compare(notes: Notes, operator: Comparison, operands: { readonly left: Value; readonly right: Value }): Value {
  const { left, right } = withAffinities(operands.left, operands.right);
  if (left.kind === 'null' || right.kind === 'null') return compareWithNull(operator, left, right);
  if (isNumber(left) && isNumber(right)) return compareNumbers(notes, operator, { left: asNumber(left), right: asNumber(right) });
  if (isTextual(left) && isTextual(right)) return compareTexts(operator, left, right);
  if (left.kind === 'blob' && right.kind === 'blob') return truth(left.sql, operator, right.sql);
  throw new Untranslatable(
    `${left.sql} (${left.kind}) is compared with ${right.sql} (${right.kind}): SQLite orders values of different kinds, PostgreSQL has none such`,
  );
}

function truth(left: string, operator: Comparison, right: string): Value {
  const words: Record<Comparison, string> = {
    '=': '=',
    '<>': '<>',
    '<': '<',
    '<=': '<=',
    '>': '>',
    '>=': '>=',
    'is': 'IS NOT DISTINCT FROM',
    'is not': 'IS DISTINCT FROM',
  };
  return value('truth', `(${left} ${words[operator]} ${right})`);
}

function compareWithNull(operator: Comparison, left: Value, right: Value): Value {
  if (operator !== 'is' && operator !== 'is not') return value('truth', 'NULL::boolean');
  const other = left.kind === 'null' ? right : left;
  return value('truth', `(${other.sql} IS ${operator === 'is' ? '' : 'NOT '}NULL)`);
}

function compareNumbers(
  notes: Notes,
  operator: Comparison,
  { left, right }: { readonly left: Value; readonly right: Value },
): Value {
  const kinds = new Set([left.kind, right.kind]);
  if (kinds.size > 1 && !(left.small && right.small)) {
    notes.note(
      `${left.sql} and ${right.sql} are compared as double precision: integers above 2^53 may differ from SQLite’s exact comparison`,
    );
  }
  return truth(left.sql, operator, right.sql);
}

function isTextual({ kind }: Value): boolean {
  return kind === 'text' || kind === 'moment';
}

function compareTexts(operator: Comparison, left: Value, right: Value): Value {
  const collation = collationOf(left, right);
  // Two columns of one type and one shape: their order is that of their texts, and an index can be used.
  if (
    left.kind === 'moment' &&
    right.kind === 'moment' &&
    collation === 'BINARY' &&
    left.shape !== null &&
    left.shape === right.shape
  )
    return truth(left.sql, operator, right.sql);
  if (collation === 'BINARY' && (fits(left, right) || fits(right, left))) return truth(left.sql, operator, right.sql);
  const [one, other] = [asText(left), asText(right)];
  switch (collation) {
    case 'BINARY': {
      const ordered = operator !== '=' && operator !== '<>' && operator !== 'is' && operator !== 'is not';
      return truth(ordered && !other.collated ? withC(one) : one.sql, operator, other.sql);
    }
    case 'NOCASE':
      return truth(`lower(${withC(one)})`, operator, `lower(${withC(other)})`);
    case 'RTRIM':
      return truth(`rtrim(${withC(one)})`, operator, `rtrim(${withC(other)})`);
    default:
      throw new Untranslatable(`it compares by the collation ${collation}, which only the application knows`);
  }
}

/** A written date of the very shape of the column: compared as dates the order is the same, and an index can be used. */
function fits(moment: Value, written: Value): boolean {
  const text = written.literal?.value;
  if (moment.kind !== 'moment' || typeof text !== 'string' || moment.shape === null) return false;
  const iso = ISO_FORMS[moment.shape]?.(text);
  if (iso === undefined || Number.isNaN(Date.parse(iso)) || text.startsWith('0000')) return false;
  // Date.parse moves 30 February into March.
  return new Date(iso).toISOString() === iso;
}

const ISO_FORMS: Readonly<Record<string, (text: string) => string>> = {
  'YYYY-MM-DD': (text) => `${text}T00:00:00.000Z`,
  'YYYY-MM-DD HH24:MI:SS': (text) => `${text.replace(' ', 'T')}.000Z`,
  'YYYY-MM-DD"T"HH24:MI:SS"Z"': (text) => `${text.slice(0, -1)}.000Z`,
};

/** COLLATE wins, the left one first; then a column’s own, the left one first. */
function collationOf(left: Value, right: Value): string {
  if (left.collationWritten) return left.collation ?? 'BINARY';
  if (right.collationWritten) return right.collation ?? 'BINARY';
  return left.collation ?? right.collation ?? 'BINARY';
}

// ---- affinities --------------------------------------------------------------------------------------------------------

function isNumericAffinity(affinity: Affinity | null): boolean {
  return affinity === 'integer' || affinity === 'real' || affinity === 'numeric';
}

function withAffinities(left: Value, right: Value): { readonly left: Value; readonly right: Value } {
  const numeric = isNumericAffinity(left.affinity) || isNumericAffinity(right.affinity);
  if (
    numeric &&
    (left.affinity === null || right.affinity === null || isNumericAffinity(left.affinity) !== isNumericAffinity(right.affinity))
  ) {
    return { left: toNumericAffinity(left), right: toNumericAffinity(right) };
  }
  if (left.affinity === 'text' && right.affinity === null) return { left, right: toTextAffinity(right) };
  if (right.affinity === 'text' && left.affinity === null) return { left: toTextAffinity(left), right };
  return { left, right };
}

function toNumericAffinity(held: Value): Value {
  if (held.kind !== 'text' || held.looksNumeric === 'never') return held;
  if (typeof held.literal?.value === 'string') {
    const number = numberIn(held.literal.value);
    return number === null ? held : literal(number);
  }
  if (held.looksNumeric === 'always') return value('integer', `(${held.sql})::bigint`);
  throw new Untranslatable(
    `the text ${held.sql} is compared with a number: SQLite converts the texts that look like one, row by row`,
  );
}

function toTextAffinity(held: Value): Value {
  return isNumber(held) ? asText(held) : held;
}
