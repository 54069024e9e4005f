import { bareType, type ColumnFacts } from '@safekeep/core';

/** What a type can hold, as far as it matters to what a name may mean. */
export type Family =
  | 'text'
  | 'number'
  | 'money'
  | 'boolean'
  | 'date'
  | 'uuid'
  | 'json'
  | 'binary'
  | 'inet'
  | 'enum'
  | 'array'
  | 'geometry'
  | 'range'
  | 'vector'
  | 'unknown';

const FAMILIES: Readonly<Record<string, Family>> = {
  'text': 'text',
  'character varying': 'text',
  'character': 'text',
  'bpchar': 'text',
  'citext': 'text',
  'name': 'text',
  '"char"': 'text',
  'xml': 'text',
  'smallint': 'number',
  'integer': 'number',
  'bigint': 'number',
  'numeric': 'number',
  'real': 'number',
  'double precision': 'number',
  'oid': 'number',
  'money': 'money',
  'boolean': 'boolean',
  'bit': 'boolean',
  'date': 'date',
  'timestamp without time zone': 'date',
  'timestamp with time zone': 'date',
  'time without time zone': 'date',
  'time with time zone': 'date',
  'interval': 'range',
  'uuid': 'uuid',
  'json': 'json',
  'jsonb': 'json',
  'hstore': 'json',
  'bytea': 'binary',
  'inet': 'inet',
  'cidr': 'inet',
  'macaddr': 'inet',
  'macaddr8': 'inet',
  'point': 'geometry',
  'polygon': 'geometry',
  'box': 'geometry',
  'geometry': 'geometry',
  'geography': 'geometry',
  'tsvector': 'vector',
  'vector': 'vector',
};

export function familyOf(column: Pick<ColumnFacts, 'baseType' | 'isArray' | 'enumLabels'>): Family {
  if (column.enumLabels !== null) return 'enum';
  if (column.isArray) return 'array';
  // A type of an extension carries its schema: public.citext, public.hstore.
  const bare = bareType(column).toLowerCase();
  const known = FAMILIES[bare] ?? FAMILIES[bare.slice(bare.lastIndexOf('.') + 1)];
  if (known !== undefined) return known;
  return bare.endsWith('range') ? 'range' : 'unknown';
}

/** The declared length of a text, or null where there is none. */
export function declaredLength({ baseType }: Pick<ColumnFacts, 'baseType'>): number | null {
  const found = /^(?:character varying|character|bpchar)\((\d+)\)$/.exec(baseType);
  return found === null ? null : Number(found[1]);
}
