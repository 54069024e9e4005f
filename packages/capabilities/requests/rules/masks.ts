import {
  bareType,
  encryptedName,
  eraseRefusal,
  isPersonalColumn,
  isWithin,
  lengthOf,
  resolveEdge,
  type ColumnFacts,
  type DataMap,
  type MappedColumn,
  type MappedTable,
  type Scalar,
  type SchemaIndex,
  type TableFacts,
} from '@safekeep/core';
import { sampleOfPattern } from './pattern.ts';

/** What a column of an erased row is set to. Values are text, read as the column's type. */
export type Write =
  | { readonly column: string; readonly to: 'null' }
  | {
      readonly column: string;
      readonly to: 'value';
      readonly text: string;
      /** What a plan says of it, where the text is another one each time. */
      readonly told?: string;
    }
  /** Another one in each row, of this make: no two rows may have the same. */
  | { readonly column: string; readonly to: 'unique'; readonly make: UniqueMake }
  /** A keyed hash of what stands there, in hex. */
  | { readonly column: string; readonly to: 'hash'; readonly length: number };

/** That no value looks like it: where it seems to stand it stands, whoever wrote the row last. */
export function isUnmistakable(write: Write): boolean {
  if (write.to === 'null') return true;
  if (write.to === 'value') return write.told === undefined;
  if (write.to === 'hash') return false;
  const { make } = write;
  if (make.kind === 'text') return make.before !== '' || make.after !== '';
  return make.kind !== 'integer' && formOf(make) !== undefined;
}

export type UniqueMake =
  | { readonly kind: 'text'; readonly before: string; readonly digits: number; readonly after: string }
  /** Below zero, or `above`: in the upper half of so many bits, for checks that want it positive. */
  | { readonly kind: 'integer'; readonly bits: number; readonly above: boolean }
  /** Marked: of version 8, which is free for whoever makes it (RFC 9562 5.8), with a beginning of ours. Else one like any other. */
  | { readonly kind: 'uuid'; readonly isMarked: boolean }
  | { readonly kind: 'bytes' }
  /** One of so many days from this one on; `form`: their years. */
  | { readonly kind: 'day'; readonly from: string; readonly days: number; readonly form: string }
  | { readonly kind: 'time' }
  /** Of 100::/64, to which nothing is ever sent (RFC 6666). */
  | { readonly kind: 'address' };

/** The first 32 bits of the masks that are UUIDs. */
export const UUID_MARK = 'e7a5ed00';
/** The first bytes of the masks that are bytes, in hex: "erased". As many random ones follow. */
export const BYTES_MARK = '657261736564';
export const RANDOM_BYTES = 10;

/** How the text of such a mask looks, as a regular expression that PostgreSQL and JavaScript read alike; undefined where it looks like any value. */
export function formOf(make: UniqueMake): string | undefined {
  if (make.kind === 'text') {
    const [before, after] = [make.before, make.after].map((text) => text.replaceAll(/[^\w@-]/g, String.raw`\$&`));
    return `^${before}[0-9a-f]{${make.digits}}${after}$`;
  }
  if (make.kind === 'uuid') return make.isMarked ? `^${UUID_MARK}-[0-9a-f]{4}-8` : undefined;
  if (make.kind === 'bytes') return String.raw`^\\x${BYTES_MARK}[0-9a-f]{${RANDOM_BYTES * 2}}$`;
  if (make.kind === 'integer') return make.above ? undefined : '^-[0-9]';
  if (make.kind === 'day') return make.form;
  return make.kind === 'address' ? '^100::' : undefined;
}

export type ColumnChoice = {
  readonly column: string;
  /** In the order in which they are tried; the first that every check takes is written. */
  readonly candidates: readonly Write[];
  /** Written as the map says it: no other is tried. */
  readonly fixed: boolean;
};

/** What erasing a whole row means for the columns of a table. */
export type WholeRow = {
  readonly choices: readonly ColumnChoice[];
  /** A column says that the row goes with it. */
  readonly deletes: boolean;
  /** Columns that stay although they are personal, and why. */
  readonly keeps: readonly { readonly column: string; readonly reason: string }[];
  readonly blocked: readonly { readonly what: string; readonly remedy: string }[];
};

type Ground = { readonly map: DataMap; readonly schema: SchemaIndex };
type Place = {
  readonly schema: SchemaIndex;
  readonly table: TableFacts;
  /** Columns by which paths of the map refer to other rows, with no foreign key behind them. */
  readonly referring: ReadonlySet<string>;
};

/** Why a column stays that the map says is to stay. */
export const MAP_KEEPS = 'the map keeps it';

export function wholeRowOf({ map, schema }: Ground, mapped: MappedTable, table: TableFacts): WholeRow {
  const referring = referringByPaths(map, schema).get(mapped.name) ?? new Set();
  const choices: ColumnChoice[] = [];
  const keeps: { column: string; reason: string }[] = [];
  const blocked: { what: string; remedy: string }[] = [];
  for (const column of mapped.columns.values()) {
    const places = [column.name, encryptedName(column.name)].filter((name) => name === column.name || !mapped.columns.has(name));
    for (const name of places) {
      const facts = table.columns.find((each) => each.name === name);
      if (facts === undefined) continue;
      const outcome = columnOutcome({ schema, table, referring }, column, facts);
      if (outcome === undefined) continue;
      if ('reason' in outcome) keeps.push({ column: name, reason: outcome.reason });
      else if ('what' in outcome) blocked.push(outcome);
      else choices.push(outcome);
    }
  }
  const deletes = [...mapped.columns.values()].some(({ erase }) => erase?.kind === 'delete');
  return { choices, deletes, keeps, blocked };
}

type Outcome = ColumnChoice | { readonly reason: string } | { readonly what: string; readonly remedy: string } | undefined;

function columnOutcome(place: Place, mapped: MappedColumn, facts: ColumnFacts): Outcome {
  const { erase } = mapped;
  const isSealed = facts.name !== mapped.name;
  if (erase?.kind === 'keep') return { reason: MAP_KEEPS };
  if (erase?.kind === 'delete') return undefined;
  if (erase === null && !isPersonalColumn(mapped)) return undefined;
  if (isSealed) return sealedOutcome(facts);
  if (erase !== null && erase.kind !== 'shred') return wantedOutcome(place, mapped, facts);
  const key = keyReason(place, facts);
  if (key !== undefined) return { reason: key };
  if (facts.generated !== null) return undefined;
  if (place.referring.has(facts.name)) return referringOutcome(place, mapped, facts);
  const candidates = defaultCandidates(place, mapped, facts);
  if (candidates.length > 0) return { column: facts.name, candidates, fixed: false };
  return {
    what: `nothing can be written to ${facts.name} (${facts.type}) that its constraints take`,
    remedy: `Say in the map what erasure writes there: erase: { replace: … } of ${facts.name}.`,
  };
}

/** A number that nobody has could be given to somebody tomorrow: what refers to a row refers to none, or to the same as before. */
function referringOutcome({ table }: Place, mapped: MappedColumn, facts: ColumnFacts): Outcome {
  const column = facts.name;
  const isNullable = !facts.notNull && facts.domain?.notNull !== true && !isSingleNull(table, column);
  const candidates: readonly Write[] = isNullable
    ? [{ column, to: 'null' }]
    : isTextual(facts)
      ? uniqueMakes(mapped, facts).map((make): Write => ({ column, to: 'unique', make }))
      : [];
  return candidates.length > 0 ? { column, candidates, fixed: false } : { reason: REFERS };
}

const REFERS = 'refers to another row';

const known = new WeakMap<DataMap, Map<SchemaIndex, ReadonlyMap<string, ReadonlySet<string>>>>();

/** By table the columns by which a path without a foreign key leaves it towards the person. */
function referringByPaths(map: DataMap, schema: SchemaIndex): ReadonlyMap<string, ReadonlySet<string>> {
  const ofMap = known.get(map) ?? new Map<SchemaIndex, ReadonlyMap<string, ReadonlySet<string>>>();
  known.set(map, ofMap);
  const made = ofMap.get(schema);
  if (made !== undefined) return made;
  const found = new Map<string, Set<string>>();
  for (const table of map.tables.values())
    for (const edge of table.of) {
      const resolved = resolveEdge(map, schema, table.name, edge);
      for (const { from, columns, to, references, direction, foreignKey } of 'kind' in resolved ? [] : resolved.hops) {
        if (foreignKey !== null) continue;
        const [holder, names] = direction === 'forward' ? [from, columns] : [to, references];
        found.set(holder, new Set([...(found.get(holder) ?? []), ...names]));
      }
    }
  ofMap.set(schema, found);
  return found;
}

function wantedOutcome(place: Place, mapped: MappedColumn, facts: ColumnFacts): Outcome {
  const { erase } = mapped;
  if (erase === null) return undefined;
  const refusal = eraseRefusal({ ...place, column: facts }, erase);
  if (refusal !== undefined)
    return { what: `the map has ${facts.name} erased, and ${refusal}`, remedy: `Change erase of ${facts.name} in the map.` };
  const column = facts.name;
  if (erase.kind === 'null') return { column, candidates: [{ column, to: 'null' }], fixed: true };
  if (erase.kind === 'hash')
    return { column, candidates: [{ column, to: 'hash', length: Math.min(64, lengthOf(facts) ?? 64) }], fixed: true };
  return erase.kind === 'replace' ? { column, candidates: [valueWrite(column, erase.value)], fixed: true } : undefined;
}

export function valueWrite(column: string, value: Scalar): Write {
  return value === null ? { column, to: 'null' } : { column, to: 'value', text: String(value) };
}

/**
 * Ciphertext is overwritten, since its key is everybody's: with nothing, unless whoever holds the keys says that the column must hold
 * something and seals a mask (`sealedChoices`).
 */
function sealedOutcome({ name }: ColumnFacts): Outcome {
  return { column: name, candidates: [{ column: name, to: 'null' }], fixed: true };
}

/** What stands inside of a sealed value that must be there: as the map has it, else what a plain column of its type would get. */
export function sealedText(mapped: MappedColumn, plain: ColumnFacts): string {
  const { erase } = mapped;
  const text = erase?.kind === 'replace' && erase.value !== null ? String(erase.value) : (plainTexts(mapped, plain)[0] ?? '');
  const limit = lengthOf(plain);
  return limit === undefined || !isTextual(plain) ? text : [...text].slice(0, limit).join('');
}

/** Keys tie rows together and stay: they number the person and do not name them. */
function keyReason({ schema, table }: Place, { name, identity }: ColumnFacts): string | undefined {
  if (table.primaryKey?.columns.includes(name) === true) return 'part of the primary key';
  if (table.foreignKeys.some(({ columns }) => columns.includes(name))) return REFERS;
  if (identity === 'always') return 'numbered by the database';
  const tableName = [...schema.byName].find(([, facts]) => facts === table)?.[0] ?? '';
  const referring = (schema.incoming.get(tableName) ?? []).some(({ foreignKey }) => foreignKey.references.columns.includes(name));
  return referring ? 'other rows refer to it' : undefined;
}

function defaultCandidates(place: Place, mapped: MappedColumn, facts: ColumnFacts): readonly Write[] {
  const column = facts.name;
  const unique = isUnique(place.table, column);
  const nullable = !facts.notNull && facts.domain?.notNull !== true && !isSingleNull(place.table, column);
  const nulls: readonly Write[] = nullable ? [{ column, to: 'null' }] : [];
  if (unique) return [...nulls, ...uniqueMakes(mapped, facts).map((make): Write => ({ column, to: 'unique', make }))];
  const checks = place.table.checks.filter(({ columns }) => columns.includes(column)).map(({ expression }) => expression);
  const [plain, named] = [plainTexts(mapped, facts), literalsOf([...checks, ...(facts.domain?.checks ?? [])], facts)];
  // What a check names comes early, but after a mask that says what it is.
  const texts = [...plain.slice(0, 4), ...named, ...plain.slice(4)];
  const limit = lengthOf(facts);
  const fitting = [...new Set(texts)].map((text) =>
    limit === undefined || !isTextual(facts) ? text : [...text].slice(0, limit).join(''),
  );
  return [...nulls, ...[...new Set(fitting)].slice(0, CANDIDATES_AT_MOST).map((text): Write => ({ column, to: 'value', text }))];
}

/** Each is one question to the server when a check refuses those before. */
const CANDIDATES_AT_MOST = 80;

export function isUnique(table: TableFacts, column: string): boolean {
  return (
    table.uniques.some(({ columns }) => columns.includes(column)) ||
    // Ranges that must not overlap are empty afterwards, and as many as wanted may be.
    table.exclusions.some(({ elements }) => elements.some((each) => each.column === column && each.operator.endsWith('='))) ||
    table.indexes.some(
      ({ unique, keys }) => unique && keys.some((key) => key.column === column || key.expression?.includes(column) === true),
    )
  );
}

/** NULLS NOT DISTINCT: a second null would be refused. */
function isSingleNull(table: TableFacts, column: string): boolean {
  return (
    table.uniques.some(({ columns, nullsNotDistinct }) => nullsNotDistinct && columns.includes(column)) ||
    table.indexes.some(
      ({ unique, nullsNotDistinct, keys }) => unique && nullsNotDistinct && keys.some((key) => key.column === column),
    )
  );
}

const TEXTS: ReadonlySet<string> = new Set(['text', 'character varying', 'character', 'public.citext', 'citext']);

export function isTextual(facts: ColumnFacts): boolean {
  return TEXTS.has(bareType(facts)) || bareType(facts).endsWith('.citext');
}

function uniqueMakes(mapped: MappedColumn, facts: ColumnFacts): readonly UniqueMake[] {
  const type = bareType(facts);
  if (facts.isArray) return [];
  if (type === 'uuid') return [true, false].map((isMarked): UniqueMake => ({ kind: 'uuid', isMarked }));
  const bits = bitsOf(facts);
  if (bits > 0) return [false, true].map((above): UniqueMake => ({ kind: 'integer', bits, above }));
  if (type === 'date' || type.startsWith('timestamp')) return DAYS;
  if (type.startsWith('time')) return [{ kind: 'time' }];
  if (type === 'inet' || type === 'cidr') return [{ kind: 'address' }];
  if (type === 'bytea') return [{ kind: 'bytes' }];
  if (!isTextual(facts)) return [];
  const limit = lengthOf(facts) ?? 80;
  const make = (before: string, after: string): UniqueMake[] => {
    const digits = Math.min(24, limit - before.length - after.length);
    return digits >= Math.min(8, limit) ? [{ kind: 'text', before, digits, after }] : [];
  };
  const mail = make('', '@erased.invalid');
  const plain = [...make('erased-', ''), ...make('', '')];
  return isEmail(mapped) ? [...mail, ...plain] : [...plain, ...mail];
}

/** Long before anybody was born, and for checks that want a later one, long after. */
const DAYS: readonly UniqueMake[] = [
  { kind: 'day', from: '0001-01-01', days: 600_000, form: '^(0[0-9]|1[0-6])[0-9]{2}-' },
  { kind: 'day', from: '2500-01-01', days: 2_000_000, form: '^(2[5-9]|[3-7][0-9])[0-9]{2}-' },
];

/** Of whole numbers that a random one may have; 0 for other types. JavaScript draws at most 47. */
function bitsOf(facts: ColumnFacts): number {
  const type = bareType(facts);
  const known = BITS[type];
  if (known !== undefined) return known;
  if (type !== 'numeric') return 0;
  const [, precision, scale = '0'] = /^numeric\((\d+)(?:,(-?\d+))?\)$/.exec(facts.baseType) ?? [];
  return precision === undefined ? 47 : Math.min(47, Math.floor((Number(precision) - Number(scale)) * Math.log2(10)));
}

const BITS: Readonly<Record<string, number>> = { smallint: 15, integer: 31, bigint: 47 };

function isEmail({ categories }: MappedColumn): boolean {
  return categories.some((key) => isWithin(key, 'user.contact.email'));
}

const BY_TYPE: Readonly<Record<string, readonly string[]>> = {
  'smallint': ['0', '1', '-1'],
  'integer': ['0', '1', '-1', '1900', '18'],
  'bigint': ['0', '1', '-1'],
  'numeric': ['0', '1', '0.01'],
  'real': ['0', '1'],
  'double precision': ['0', '1'],
  'money': ['0'],
  'boolean': ['false', 'true'],
  'date': ['1900-01-01', '1970-01-01', '2000-01-01'],
  'timestamp without time zone': ['1900-01-01', '1970-01-01', '2000-01-01'],
  'timestamp with time zone': ['1900-01-01Z', '1970-01-01Z', '2000-01-01Z'],
  'time without time zone': ['00:00'],
  'time with time zone': ['00:00Z'],
  'interval': ['0'],
  'uuid': ['00000000-0000-0000-0000-000000000000'],
  'json': ['{}', '[]', 'null'],
  'jsonb': ['{}', '[]', 'null'],
  'bytea': ['', '\\x00'],
  'inet': ['0.0.0.0', '::'],
  'cidr': ['0.0.0.0/0', '::/0'],
  'macaddr': ['00:00:00:00:00:00'],
  'xml': [''],
  'point': ['(0,0)'],
  'tsvector': [''],
  'int4range': ['empty'],
  'int8range': ['empty'],
  'numrange': ['empty'],
  'daterange': ['empty'],
  'tsrange': ['empty'],
  'tstzrange': ['empty'],
};

const NEUTRAL_LABELS = ['erased', 'unknown', 'unspecified', 'undisclosed', 'none', 'other', 'n/a', 'na'];

function plainTexts(mapped: MappedColumn, facts: ColumnFacts): readonly string[] {
  if (facts.isArray) return ['{}'];
  if (facts.enumLabels !== null) {
    const neutral = facts.enumLabels.filter((label) => NEUTRAL_LABELS.includes(label.toLowerCase()));
    return [...neutral, ...facts.enumLabels];
  }
  if (!isTextual(facts)) return BY_TYPE[bareType(facts)] ?? [];
  const phones = ['0000000000', '+10000000000', '000-000-0000', '+1 000 000 0000'];
  const first = isEmail(mapped)
    ? ['erased@erased.invalid']
    : mapped.categories.some((key) => isWithin(key, 'user.contact.phone_number'))
      ? phones
      : [];
  const zeros = Array.from({ length: 20 }, (_, place) => '0'.repeat(place + 1));
  return [
    ...first,
    'erased',
    'Erased',
    'ERASED',
    'erased@erased.invalid',
    'https://erased.invalid/',
    ...phones,
    '1900-01-01',
    '00000-0000',
    '000-00-0000',
    ...zeros,
    'X',
    'XX',
    'XXX',
    'x',
    'xx',
    '{}',
    '',
  ];
}

/** What a check names by itself is likely to pass it: `sex in ('f', 'm', 'x')`, `year >= 1900`. */
function literalsOf(expressions: readonly string[], facts: ColumnFacts): readonly string[] {
  return expressions.flatMap((expression) =>
    isTextual(facts)
      ? [...expression.matchAll(/'((?:[^']|'')*)'/g)]
          .map(([, text = '']) => text.replaceAll("''", "'"))
          .flatMap((text) => [sampleOfPattern(text) ?? text, text])
          .toReversed()
      : [...expression.matchAll(/'?(-?\d[\d.:-]*)'?/g)].flatMap(([, digits = '']) => numberTexts(digits)),
  );
}

function numberTexts(text: string): readonly string[] {
  const number = Number(text);
  return Number.isFinite(number) ? [text, String(number + 1), String(number - 1)] : [text];
}

/** Whether a value is one that this mask writes. What looks like any other is taken for none. */
export function isMask(write: Write, value: string | null): boolean {
  if (value === null || write.to === 'null') return value === null && write.to === 'null';
  if (write.to === 'value') return value === write.text;
  if (write.to === 'hash') return value.length === write.length && /^[0-9a-f]+$/.test(value);
  const form = formOf(write.make);
  return form !== undefined && new RegExp(form).test(value);
}

export function describeWrite(write: Write): string {
  if (write.to === 'value') return `${write.column} = ${write.told ?? JSON.stringify(write.text)}`;
  if (write.to === 'null') return `${write.column} = null`;
  return write.to === 'hash' ? `${write.column} = keyed hash` : `${write.column} = a random mask of its own`;
}
