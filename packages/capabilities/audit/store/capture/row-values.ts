import { quoteName, quoteTable, quoteText } from '@safekeep/postgres';
import type { Capture, CapturedColumn, ColumnForm } from '../../model.ts';

// A row in SQL: its values, keys and links as the log has them.

/** Longer values, as stored, are hashed: a jsonb string ends at 256 MB, and compression of 255:1 with two digits a byte fits below it. */
const LARGE_BYTES = 500_000;

/** A function takes 100 arguments, and a column needs two. */
export const PAIRS_AT_MOST = 45;

export type CaptureShape = Omit<Capture, 'triggers' | 'functions'> & {
  /** Rows that move between partitions and are written into them by name are seen by row triggers alone; and of parent and child each tells its own. */
  readonly partitioned: boolean;
  /** A key that names one row at the end of each statement: by it the rows before and after a statement are paired. */
  readonly paired: boolean;
};

export function name({ name: column }: Pick<CapturedColumn, 'name'>): string {
  return quoteName(column);
}

/** What stands in a column, as far as it counts: plaintext beside its ciphertext says nothing, and leaves the row by no way of ours. */
function valueOf({ name: column, sealedIn }: Pick<CapturedColumn, 'name' | 'sealedIn'>, row: string): string {
  const value = `${row}.${quoteName(column)}`;
  return sealedIn === undefined ? value : `(case when pg_catalog.num_nulls(${row}.${quoteName(sealedIn)}) = 1 then ${value} end)`;
}

/** Ciphertext comes to a value that stays as it is: what it stood as before would tell the plaintext, and what it was inserted as is that. */
export function isSealing({ plain, encrypted }: NonNullable<CapturedColumn['carries']>, old: string, made: string): string {
  const [before, after] = [old, made].map((row) => `pg_catalog.num_nulls(${row}.${quoteName(encrypted)})`);
  const value = (row: string): string => `${row}.${quoteName(plain)}`;
  return `(${before} = 1 and ${after} = 0 and pg_catalog.num_nulls(${value(old)}) = 0 and not pg_catalog.record_image_ne(row(${value(old)}), row(${value(made)})))`;
}

/** Rows whose values are sealed, given back or taken away by this change are written column by column. */
export function unsealed({ columns }: CaptureShape): readonly string[] {
  return columns.flatMap(({ name: column, sealedIn }) => {
    if (sealedIn === undefined) return [];
    const [plain, sealed] = [column, sealedIn].map((each) => quoteName(each));
    return [
      `pg_catalog.num_nulls(o.${sealed}) = pg_catalog.num_nulls(n.${sealed})`,
      `not pg_catalog.record_image_ne(row(o.${plain}), row(n.${plain}))`,
    ];
  });
}

/** A value of row `r`, as jsonb text or null. Not by way of the type's own JSON: json may hold what jsonb cannot. */
export function textOf(column: CapturedColumn, row: string): string {
  const { form, builtIn } = column;
  const value = valueOf(column, row);
  if (!builtIn) return printed(value);
  const texts: Readonly<Record<ColumnForm, string>> = {
    iso: `(pg_catalog.to_jsonb(${value}) operator(pg_catalog.#>>) '{}')`,
    utc: `(pg_catalog.to_jsonb(pg_catalog.timezone('UTC', ${value})) operator(pg_catalog.#>>) '{}')`,
    hex: `('\\x' || pg_catalog.encode(${value}, 'hex'))`,
    text: `${value}::pg_catalog.text`,
    large: `${value}::pg_catalog.text`,
  };
  return texts[form];
}

/**
 * By the output function of its type, which a superuser alone can define. A cast to text may be a function of whoever owns the type, and would
 * run with the rights of whoever reads the value here.
 */
export function printed(value: string): string {
  return `(case when pg_catalog.num_nulls(${value}) = 0 then pg_catalog.format('%s', ${value}) end)`;
}

/** The same as jsonb: a text, null, or hash and size of what is too large. */
export function jsonOf(column: CapturedColumn, row: string): string {
  const text = textOf(column, row);
  if (column.form !== 'large' && column.form !== 'hex') return `pg_catalog.to_jsonb(${text})`;
  const value = valueOf(column, row);
  return `case when pg_catalog.pg_column_size(${value}) > ${LARGE_BYTES} then ${hashOf(column, row)} else pg_catalog.to_jsonb(${text}) end`;
}

function hashOf(column: CapturedColumn, row: string): string {
  const text = textOf(column, row);
  return `pg_catalog.jsonb_build_object('sha256', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${text}, 'UTF8')), 'hex'), 'bytes', pg_catalog.octet_length(${text}))`;
}

export function pair(column: CapturedColumn, row: string): string {
  return `pg_catalog.jsonb_build_object(${quoteText(column.name)}, ${jsonOf(column, row)})`;
}

export function pairs(columns: readonly CapturedColumn[], row: string): string {
  const chunks = Array.from({ length: Math.ceil(columns.length / PAIRS_AT_MOST) }, (_, at) =>
    columns.slice(at * PAIRS_AT_MOST, (at + 1) * PAIRS_AT_MOST),
  );
  const objects = chunks.map(
    (chunk) =>
      `pg_catalog.jsonb_build_object(${chunk.map((column) => `${quoteText(column.name)}, ${jsonOf(column, row)}`).join(', ')})`,
  );
  return objects.length === 0 ? `'{}'::pg_catalog.jsonb` : `(${objects.join(' operator(pg_catalog.||) ')})`;
}

/** Whether the texts of a key are the same when, and only when, `=` says so. */
export function isExact({ type }: CapturedColumn): boolean {
  return EXACT.test(type) || TEXTS.test(type);
}

/** Equal in a collation of one's own may be what is not the same. */
export function bytewise({ type }: CapturedColumn): string {
  return TEXTS.test(type) ? ' collate pg_catalog."C"' : '';
}

export function canBeLarge({ form }: CapturedColumn): boolean {
  return form === 'large' || form === 'hex';
}

/** Types of which two values are equal when, and only when, they are the same bytes. */
const EXACT =
  /^(smallint|integer|bigint|boolean|uuid|date|timestamp without time zone|timestamp with time zone|timestamp|bytea|name|oid|"char")$/;

const TEXTS = /^(text|character varying(\(\d+\))?)$/;

/** Whether the bytes of a column differ, whatever operators its type has: json has none, and to numeric 1.0 is 1.00. */
export function isChanged(column: CapturedColumn, old: string, made: string): string {
  if (column.sealedIn !== undefined) return changedImage(column, old, made);
  const [before, after] = [`${old}.${name(column)}`, `${made}.${name(column)}`];
  if (column.builtIn && isExact(column)) return `${before}${bytewise(column)} is distinct from ${after}${bytewise(column)}`;
  return `pg_catalog.record_image_ne(row(${before}), row(${after}))`;
}

/** Also where the ciphertext beside a plaintext goes: from then on that counts again, and the log must have it. */
export function changedImage({ name: column, sealedIn }: CapturedColumn, old: string, made: string): string {
  const value = (row: string): string => `row(${row}.${quoteName(column)})`;
  const changed = `pg_catalog.record_image_ne(${value(made)}, ${value(old)})`;
  if (sealedIn === undefined) return changed;
  const sealed = quoteName(sealedIn);
  return `(${changed} or (pg_catalog.num_nulls(${old}.${sealed}) = 0 and pg_catalog.num_nulls(${made}.${sealed}) = 1))`;
}

export type Erasing = 'erasing' | 'never';

/** A value in a batch: `=` and its text, `#` and hash and size as JSON, `-` one that was left out; null for null. See also NOT_SAID. */
export function entryOf(column: CapturedColumn, row: string, mode: Erasing): string {
  const text = `'=' || ${textOf(column, row)}`;
  const value = valueOf(column, row);
  const whole = canBeLarge(column)
    ? `case when pg_catalog.pg_column_size(${value}) > ${LARGE_BYTES} then '#' || ${hashOf(column, row)}::pg_catalog.text else ${text} end`
    : text;
  return mode === 'erasing' ? `case when erasing then '-' else ${whole} end` : whole;
}

/** Of which the text of a row has what a cast to text gives. */
const PRINTED = /^(smallint|integer|bigint|numeric(\(\d+,-?\d+\))?|text|character varying(\(\d+\))?|uuid|jsonb?)$/;

/** All captured columns of a row in the text of a composite value (PostgreSQL manual, 8.16.6). */
export function wholeText(shape: CaptureShape, row: string): string {
  const values = shape.columns.map((column) => (PRINTED.test(column.type) ? valueOf(column, row) : textOf(column, row)));
  return `row(${values.join(', ')})::pg_catalog.text`;
}

/** A key as holds and subjects write it: parts joined by commas. */
export function keyText(columns: readonly CapturedColumn[], row: string): string {
  if (columns.length === 0) return 'null';
  return columns.map((column) => partOf(column, row)).join(` || ',' || `);
}

/** Of numbers and UUIDs nothing needs to be escaped. */
export const UNESCAPED = /^(smallint|integer|bigint|uuid)$/;

function partOf(column: CapturedColumn, row: string): string {
  return UNESCAPED.test(column.type) ? textOf(column, row) : `safekeep.key_part(${textOf(column, row)})`;
}

export function keyOf(shape: CaptureShape, row: string): string {
  return keyText(shape.key, row);
}

export function linksOf(shape: CaptureShape, row: string): string {
  if (shape.paths.length === 0) return 'null::pg_catalog.text[]';
  return `array[${shape.paths.map(({ link }) => keyText(columnsOf(shape, link), row)).join(', ')}]`;
}

export function linkList(shape: CaptureShape, row: string): readonly string[] {
  return shape.paths.map(({ link }) => keyText(columnsOf(shape, link), row));
}

/** Null where it stayed, else `=` and the key, or `-` for none. The key itself stays, else it is not this trigger's. */
export function oldLinkList(shape: CaptureShape): readonly string[] {
  return oldLinks(shape).map((link) => (link === null ? 'null' : `case when ${link.when} then ${link.text} end`));
}

export function oldLinks(shape: CaptureShape): readonly (null | { readonly when: string; readonly text: string })[] {
  const key = new Set(shape.key.map((column) => column.name));
  return shape.paths.map(({ link }) => {
    const moving = columnsOf(shape, link).filter((column) => !key.has(column.name));
    if (moving.length === 0) return null;
    const when = moving.map((column) => isChanged(column, 'o', 'n')).join(' or ');
    return { when, text: `coalesce('=' || ${keyText(columnsOf(shape, link), 'o')}, '-')` };
  });
}

export function columnsOf(shape: CaptureShape, names: readonly string[]): readonly CapturedColumn[] {
  return names.map(
    (column) =>
      [...shape.columns, ...shape.key].find((each) => each.name === column) ?? {
        name: column,
        type: 'text',
        builtIn: false,
        form: 'text',
        personal: true,
        identifies: true,
        path: null,
      },
  );
}

export function tenantOf(shape: CaptureShape, row: string): string {
  const own = quoteText(shape.tenant);
  return shape.tenantColumn === null ? own : `coalesce(${printed(`${row}.${quoteName(shape.tenantColumn)}`)}, ${own})`;
}

type KeyColumn = Pick<CapturedColumn, 'name' | 'type' | 'builtIn' | 'enumerated'>;

/**
 * Rows `r` of a table by the texts k0, k1, … of `k`. Compared as the column's type, so that its index is used: where that is PostgreSQL's own by a cast
 * of the text, where it is enumerated by that of its values which is printed so. The value comes from the column itself and by no name of the type,
 * which its owner may give to another, and is compared by PostgreSQL's operator: nothing that somebody else wrote is run.
 */
export function joinByKey(
  { schema, name: table, alone }: Pick<Capture, 'schema' | 'name' | 'alone'>,
  columns: readonly KeyColumn[],
): string {
  const relation = quoteTable({ schema, table });
  const values = columns.flatMap((column, place) =>
    column.enumerated === true
      ? [
          `join pg_catalog.unnest(pg_catalog.enum_range((null::${relation}).${name(column)})) as e${place} (value) on pg_catalog.format('%s', e${place}.value) = k.k${place}`,
        ]
      : [],
  );
  const equal = columns.map((column, place) => {
    if (column.builtIn) return `r.${name(column)} = k.k${place}::${column.type}`;
    if (column.enumerated === true) return `r.${name(column)} operator(pg_catalog.=) e${place}.value`;
    return `${printed(`r.${name(column)}`)} = k.k${place}`;
  });
  return `${values.join(' ')} join ${alone === true ? 'only ' : ''}${relation} as r on ${equal.join(' and ')}`;
}

/** Of a table that is not as it was mapped any more: every column by the name that it has now. */
export function wholeRow(row: string): string {
  return `(select coalesce(pg_catalog.jsonb_object_agg(c.key, c.value operator(pg_catalog.#>>) '{}'), '{}') from pg_catalog.jsonb_each(pg_catalog.to_jsonb(${row})) as c)`;
}

export function wideKey(shape: CaptureShape, row: string): string {
  return wideParts(
    shape.key.map((column) => column.name),
    row,
  );
}

export function wideLinks(shape: CaptureShape, row: string): string {
  if (shape.paths.length === 0) return 'null::pg_catalog.text[]';
  return `array[${shape.paths.map(({ link }) => wideParts(link, row)).join(', ')}]`;
}

function wideParts(names: readonly string[], row: string): string {
  if (names.length === 0) return 'null';
  return names
    .map((column) => `safekeep.key_part(pg_catalog.to_jsonb(${row}) operator(pg_catalog.->>) ${quoteText(column)})`)
    .join(` || ',' || `);
}
