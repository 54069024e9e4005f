import type { SearchedType } from '@safekeep/core';
import type { Column } from '@safekeep/postgres';

const TYPES: ReadonlyMap<string, SearchedType> = new Map([
  ['text', 'text'],
  ['character varying', 'text'],
  ['character', 'text'],
  ['citext', 'text'],
  ['smallint', 'int'],
  ['integer', 'int'],
  ['bigint', 'int'],
  ['numeric', 'numeric'],
  ['date', 'date'],
  ['timestamp with time zone', 'timestamptz'],
  ['boolean', 'bool'],
  ['json', 'json'],
  ['jsonb', 'json'],
  ['bytea', 'bytea'],
]);

/** What the values of a column are in encrypted form; undefined where the format has no tag for them. */
export function typeOf({ baseType, isArray, enumLabels }: Column): SearchedType | undefined {
  if (isArray || enumLabels !== null) return undefined;
  const bare = baseType.replace(/^(?:[\w"]+\.)?(citext)$/, '$1').replace(/\([^)]*\)/, '');
  return TYPES.get(bare);
}

/** `character varying(80)` -> 80: what the database refused before and a client must refuse from now on. */
export function lengthLimit({ baseType }: Column): number | null {
  const [, limit] = /^character(?: varying)?\((\d+)\)$/.exec(baseType) ?? [];
  return limit === undefined ? null : Number(limit);
}
