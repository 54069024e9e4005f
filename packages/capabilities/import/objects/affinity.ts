import type { Affinity } from './model.ts';

/** The five rules of sqlite.org/datatype3.html#determination_of_column_affinity, in their order. */
export function affinityOf(declaredType: string): Affinity {
  const type = declaredType.toUpperCase();
  if (type.includes('INT')) return 'integer';
  if (type.includes('CHAR') || type.includes('CLOB') || type.includes('TEXT')) return 'text';
  if (type.includes('BLOB') || type === '') return 'blob';
  if (type.includes('REAL') || type.includes('FLOA') || type.includes('DOUB')) return 'real';
  return 'numeric';
}

/** In a STRICT table `ANY` keeps every value as it is; elsewhere it is a type name like another, and gives NUMERIC. */
export function columnAffinity(declaredType: string, strict: boolean): Affinity {
  return strict && declaredType.toUpperCase() === 'ANY' ? 'blob' : affinityOf(declaredType);
}
