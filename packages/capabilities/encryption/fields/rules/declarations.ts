import type { SearchKind, SearchedType } from '@safekeep/core';

/** A column of the map with what its values are. */
export type DeclaredColumn = {
  readonly name: string;
  readonly type: SearchedType;
  readonly nullable: boolean;
  readonly mode: 'client' | 'database';
  readonly search: readonly SearchKind[];
};

const TYPES: Readonly<Record<SearchedType, string>> = {
  text: 'string',
  int: 'number | bigint',
  numeric: 'string | number',
  date: 'string | Date',
  timestamptz: 'string | Date',
  bool: 'boolean',
  json: 'unknown',
  bytea: 'Uint8Array',
};

/** TypeScript declarations of the encrypted columns: which there are, what they hold, and what they can be searched by. */
export function declarationsOf(columns: readonly DeclaredColumn[]): string {
  const entries = columns.map(({ name, type, nullable, mode, search }) => {
    const value = `${TYPES[type]}${nullable ? ' | null' : ''}`;
    const kinds = search.length === 0 ? 'never' : search.map((kind) => JSON.stringify(kind)).join(' | ');
    return `  ${JSON.stringify(name)}: { value: ${value}; search: ${kinds}; mode: ${JSON.stringify(mode)} };`;
  });
  return [
    '// Made by `safekeep map types` from the data map; made anew after every change of it.',
    '/** Encrypted columns by their external name. */',
    'export interface EncryptedColumns {',
    ...entries,
    '}',
    'export type EncryptedColumn = keyof EncryptedColumns;',
    "export type ValueOf<Column extends EncryptedColumn> = EncryptedColumns[Column]['value'];",
    "export type SearchOf<Column extends EncryptedColumn> = EncryptedColumns[Column]['search'];",
    '',
  ].join('\n');
}
