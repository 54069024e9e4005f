import { formatName } from '@safekeep/core';
import type { Column, DomainUse } from './model.ts';
import type { DomainRow, TypeRow } from './rows.ts';

/** The facts of a column that follow from its type. */
export type ColumnType = Pick<Column, 'baseType' | 'isArray' | 'domain' | 'enumLabels'>;

/** A type where it is used: its number, how it prints with its modifiers, and its elements' type if it is an array. */
export type TypeUse = { readonly oid: number; readonly text: string; readonly elementOid: number | null };

/** Looks through domains, arrays, and domains over either. */
export function resolveType(use: TypeUse, types: ReadonlyMap<number, TypeRow>): ColumnType {
  const chain = domainChain(use, types);
  const stored = chain.length === 0 ? use : beneath(chain);
  if (stored.elementOid === null) {
    const enumLabels = enumLabelsOf(stored.oid, types);
    return { baseType: stored.text, isArray: false, domain: domainUse(chain), enumLabels };
  }
  const element = resolveType({ oid: stored.elementOid, text: withoutBrackets(stored.text), elementOid: null }, types);
  return { ...element, baseType: `${element.baseType}[]`, isArray: true, domain: domainUse(chain) ?? element.domain };
}

/** The domain itself and those under it, outermost first. PostgreSQL allows no circle. */
function domainChain(use: TypeUse, types: ReadonlyMap<number, TypeRow>): readonly DomainRow[] {
  const chain: DomainRow[] = [];
  for (let type = types.get(use.oid); type?.kind === 'domain'; type = types.get(type.baseOid)) chain.push(type);
  return chain;
}

function beneath(chain: readonly DomainRow[]): TypeUse {
  const innermost = chain.at(-1);
  if (innermost === undefined) throw new Error('An empty chain of domains has nothing beneath it.');
  return { oid: innermost.baseOid, text: innermost.baseType, elementOid: innermost.baseElementOid };
}

function domainUse(chain: readonly DomainRow[]): DomainUse | null {
  const [outermost] = chain;
  if (outermost === undefined) return null;
  return {
    name: formatName(outermost.schema, outermost.name),
    notNull: chain.some((domain) => domain.notNull),
    checks: chain.flatMap((domain) => domain.checks.map((check) => check.definition)),
  };
}

function enumLabelsOf(oid: number, types: ReadonlyMap<number, TypeRow>): readonly string[] | null {
  const type = types.get(oid);
  return type?.kind === 'enum' ? type.labels : null;
}

function withoutBrackets(text: string): string {
  return text.replace(/\[\]$/, '');
}
