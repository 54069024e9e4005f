import type { SourceColumn, TargetType } from '../objects/index.ts';
import type { EpochUnit } from '../encode/epoch.ts';
import { epochCandidates } from '../encode/epoch.ts';
import type { ScanFacts } from './column-scan.ts';

/** What becomes of a column, and why; every word of it stands in the report. */
export type TypeDecision = {
  readonly type: TargetType;
  /** Set where integers are counts of time since a day: agreed to by a person, never assumed. */
  readonly epoch: EpochUnit | null;
  readonly reason: string;
  /** The values go against the declared type, and the column was widened so that all of them fit unchanged. */
  readonly widened: boolean;
  /** The type differs from what the declaration asks for, or values change their spelling. */
  readonly changed: boolean;
  readonly proposal: TypeProposal | null;
};

/** A type that would fit but cannot be known to be meant. */
export type TypeProposal = { readonly type: TargetType; readonly epoch: EpochUnit | null; readonly reason: string };

type Declared = 'boolean' | 'temporal' | 'decimal' | 'json' | 'blob' | 'integer' | 'real' | 'text' | 'other' | 'none';

/** Decides by what stands in the column; the declaration is a hint that only breaks ties (https://www.sqlite.org/flextypegood.html). */
export function decideType(column: SourceColumn, facts: ScanFacts): TypeDecision {
  const declared = declaredKind(column);
  const { integers, reals, texts, blobs } = facts;
  if (integers + reals + texts + blobs === 0) return byDeclaration(declared, column);
  if (blobs > 0) return withBlobs(facts, declared);
  if (declared === 'blob' && texts > 0) {
    return decision('bytea', `${texts} texts in a ${column.declaredType} column, kept as their UTF-8 bytes`, {
      changed: true,
      widened: integers + reals > 0,
    });
  }
  if (texts > 0 && integers + reals > 0) return mixedTexts(facts, declared);
  if (texts > 0) return textsOnly(facts, declared, column);
  return numbersOnly(facts, declared, column);
}

function byDeclaration(declared: Declared, column: SourceColumn): TypeDecision {
  const upper = column.declaredType.toUpperCase();
  const type: Record<Declared, TargetType> = {
    boolean: 'boolean',
    temporal: upper === 'DATE' ? 'date' : upper === 'TIME' ? 'time' : /TZ|WITH TIME ZONE/.test(upper) ? 'timestamptz' : 'timestamp',
    decimal: declaredDecimal(column) ?? 'numeric',
    json: 'text',
    blob: 'bytea',
    integer: 'bigint',
    real: 'double precision',
    text: 'text',
    other: 'numeric',
    none: 'text',
  };
  return decision(type[declared], `no values; declared ${column.declaredType || 'without a type'}`);
}

function withBlobs(facts: ScanFacts, declared: Declared): TypeDecision {
  const others = facts.integers + facts.reals + facts.texts;
  if (others > 0)
    return decision('bytea', `${facts.blobs} blobs among ${others} other values, which are kept as the UTF-8 bytes of their text`, {
      changed: true,
      widened: true,
    });
  if (declared === 'blob' || declared === 'none') return decision('bytea', 'blobs');
  return decision('bytea', `${facts.blobs} blobs and nothing else, against the declared type`, { changed: true, widened: true });
}

function mixedTexts(facts: ScanFacts, declared: Declared): TypeDecision {
  const { integers, reals, texts, minimum, maximum, families } = facts;
  const words = families.boolean === texts && reals === 0 && minimum !== null && maximum !== null && minimum >= 0n && maximum <= 1n;
  if (declared === 'boolean' && words) return decision('boolean', 'only 0, 1, true and false');
  return decision('text', `${texts} texts among ${integers + reals} numbers; a number is kept as its shortest exact decimal`, {
    changed: true,
    widened: true,
  });
}

function textsOnly(facts: ScanFacts, declared: Declared, column: SourceColumn): TypeDecision {
  const { families, texts } = facts;
  if (declared === 'boolean' && families.boolean === texts)
    return decision('boolean', 'only true and false', { changed: facts.shape === null });
  const temporal = (['date', 'time', 'timestamp', 'timestamptz'] as const).find((family) => families[family] === texts);
  if (temporal !== undefined) {
    if (declared === 'temporal') return decision(temporal, temporalReason(temporal, facts), { changed: facts.shape === null });
    return decision('text', 'texts', { proposal: { type: temporal, epoch: null, reason: temporalReason(temporal, facts) } });
  }
  const kinds = Object.entries(families).filter(
    ([family, count]) => count > 0 && ['date', 'time', 'timestamp', 'timestamptz'].includes(family),
  );
  if (declared === 'temporal') {
    const found =
      kinds.length === 0
        ? 'texts that are no dates'
        : `mixed kinds (${Object.entries(families)
            .filter(([, count]) => count > 0)
            .map(([family, count]) => `${count} ${family}`)
            .join(', ')})`;
    return decision('text', `${found}: kept as written`, { changed: true, widened: true });
  }
  if (facts.jsonLike === texts)
    return decision('text', 'texts', {
      proposal: { type: 'json', epoch: null, reason: 'every value begins like a JSON object or array' },
    });
  if (declared === 'integer' || declared === 'real' || declared === 'decimal' || declared === 'boolean') {
    return decision('text', `${texts} texts and no number in a ${column.declaredType} column`, { changed: true, widened: true });
  }
  return decision('text', 'texts');
}

function temporalReason(family: string, facts: ScanFacts): string {
  const spelling =
    facts.shape === null ? 'in more than one spelling; the moment is kept, not the spelling' : `all written ${facts.shape}`;
  if (family === 'timestamptz')
    return `every value carries an offset, ${spelling}; the moment is kept, the offset as written is not`;
  return family === 'timestamp' ? `no value carries an offset, ${spelling}` : `every value is a ${family}, ${spelling}`;
}

function numbersOnly(facts: ScanFacts, declared: Declared, column: SourceColumn): TypeDecision {
  const { integers, reals, minimum, maximum } = facts;
  if (declared === 'boolean' && reals === 0 && minimum !== null && maximum !== null && minimum >= 0n && maximum <= 1n) {
    return decision('boolean', 'only 0 and 1', { changed: false });
  }
  if (declared === 'decimal') return decimal(facts, column);
  if (reals === 0) {
    const proposal = epochProposal(column, facts);
    const against = declared === 'temporal' || declared === 'boolean' || declared === 'text' || declared === 'blob';
    return decision('bigint', against ? `whole numbers in a ${column.declaredType} column` : 'whole numbers', {
      changed: against,
      widened: against,
      proposal,
    });
  }
  if (integers === 0 && declared !== 'integer') return decision('double precision', 'floating-point numbers');
  return decision('numeric', `${reals} fractional among ${integers} whole numbers; each as its shortest exact decimal`, {
    changed: declared !== 'other' && declared !== 'none',
    widened: declared === 'integer',
  });
}

/** NUMERIC(10,2) keeps its scale only where every value fits: PostgreSQL would round the others silently. */
function decimal(facts: ScanFacts, column: SourceColumn): TypeDecision {
  const declared = declaredDecimal(column);
  if (declared === undefined) return decision('numeric', 'decimals; no precision declared');
  const [precision, scale] = precisionAndScale(column);
  const fits = facts.infinities === 0 && facts.fractionDigits <= scale && facts.wholeDigits <= precision - scale;
  if (fits) return decision(declared, `every value fits ${column.declaredType}`);
  return decision(
    'numeric',
    `values need ${facts.wholeDigits} digits before and ${facts.fractionDigits} after the point; ${column.declaredType} would cut them`,
    { changed: true, widened: true },
  );
}

function epochProposal(column: SourceColumn, facts: ScanFacts): TypeProposal | null {
  if (facts.minimum === null || facts.maximum === null) return null;
  const named = /(?:^|_)(?:at|on|date|time|timestamp|ts|created|updated|modified|expires)$|(?:Date|Time|At)$/.test(column.name);
  if (!named && declaredKind(column) !== 'temporal') return null;
  const [unit] = epochCandidates(facts.minimum, facts.maximum);
  return unit === undefined
    ? null
    : { type: 'timestamptz', epoch: unit, reason: `every value is a moment between 1990 and 2060 if read as ${unit}` };
}

const MAX_PRECISION = 1000;

function precisionAndScale(column: SourceColumn): readonly [precision: number, scale: number] {
  const [, precision = '0', scale = '0'] = /\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)/.exec(column.declaredType) ?? [];
  return [Number(precision), Number(scale)];
}

function declaredDecimal(column: SourceColumn): `numeric(${number},${number})` | undefined {
  const [precision, scale] = precisionAndScale(column);
  return precision >= 1 && precision <= MAX_PRECISION && scale <= precision ? `numeric(${precision},${scale})` : undefined;
}

function declaredKind(column: SourceColumn): Declared {
  const type = column.declaredType.toUpperCase();
  if (type === '') return 'none';
  if (type.startsWith('BOOL')) return 'boolean';
  if (/^(?:DATE|TIME|TIMESTAMP|SMALLDATETIME)/.test(type)) return 'temporal';
  if (/^(?:NUMERIC|DECIMAL|DEC\b|NUMBER|MONEY|CURRENCY|SMALLMONEY)/.test(type)) return 'decimal';
  if (/^JSONB?$/.test(type)) return 'json';
  const byAffinity = { integer: 'integer', text: 'text', blob: 'blob', real: 'real', numeric: 'other' } as const;
  return byAffinity[column.affinity];
}

function decision(
  type: TargetType,
  reason: string,
  more: { readonly widened?: boolean; readonly changed?: boolean; readonly proposal?: TypeProposal | null } = {},
): TypeDecision {
  return {
    type,
    epoch: null,
    reason,
    widened: more.widened ?? false,
    changed: more.changed ?? false,
    proposal: more.proposal ?? null,
  };
}
