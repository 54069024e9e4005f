import type pg from 'pg';
import { quoteTable } from '@safekeep/postgres';
import type { Field, PageRange } from '../model.ts';
import { byteaArray, int8Array, textArray, tidArray } from './arrays.ts';
import { namesOf, objectName, rowsOf } from './names.ts';
import { asLogin } from './session.ts';

// Several columns of one table in one look at its rows and in one UPDATE: a row is copied once, and once into each index of the table.

/** What is read of a column: in which rows, which is true or false and never NULL, and whether plaintext, ciphertext or both. */
export type Reading = { readonly where: string; readonly plain: boolean; readonly sealed: boolean };

/** What stands there; undefined what was not asked for. */
type Cells = { readonly place: string; readonly plain: string | null | undefined; readonly sealed: Buffer | null | undefined };

type Stretch = PageRange & {
  readonly reading: (field: Field, place: number) => Reading;
  /** The parameters of readings, from $3 on. */
  readonly given?: readonly string[];
};

/** Column by column the rows of a stretch of pages that its reading is about. `Row` is what the readings show. */
export async function readColumns<Row>(
  client: pg.ClientBase,
  fields: readonly Field[],
  { from, to, reading, given = [] }: Stretch,
): Promise<readonly (readonly Row[])[]> {
  const [first] = fields;
  if (first === undefined) return [];
  const readings = fields.map(reading);
  // Every row that is found is one of an only column.
  const isOnly = fields.length === 1;
  const cells = fields.flatMap((field, at) => {
    const { column, encrypted } = namesOf(field);
    const { where, plain, sealed } = readings[at] ?? NOWHERE;
    const shown = (value: string): string => (isOnly ? value : `case when ${where} then ${value} end`);
    return [isOnly ? 'null' : where, plain ? shown(`${column}::text`) : 'null', sealed ? shown(encrypted) : 'null'];
  });
  const { rows } = await client.query<(boolean | string | Buffer | null)[]>({
    text: `select ctid::text, ${cells.join(', ')} from ${rowsOf(first)} where ${rangeOf('', 1)} and (${readings.map(({ where }) => where).join(' or ')})`,
    values: [from, to, ...given],
    rowMode: 'array',
  });
  return readings.map((_, place) => {
    const at = 1 + 3 * place;
    const found = isOnly ? rows : rows.filter((row) => row[at] === true);
    // The statement gives a place, then three cells for each reading.
    return found.map((row) => ({ place: row[0], plain: row[at + 1], sealed: row[at + 2] }) as Cells as Row);
  });
}

const NOWHERE: Reading = { where: 'false', plain: false, sealed: false };

/** Pages from and to, as the two parameters of this number and the next. */
export function rangeOf(alias: string, first: number): string {
  const place = (parameter: number): string => {
    const page = `pg_catalog.floor($${parameter}::pg_catalog.float8)`;
    return `pg_catalog.format('(%s,%s)', ${page}::pg_catalog.int8, (($${parameter}::pg_catalog.float8 - ${page}) * 65536)::pg_catalog.int4)::pg_catalog.tid`;
  };
  return `${alias}ctid >= ${place(first)} and ${alias}ctid < ${place(first + 1)}`;
}

/** The ranges in one in which the values of these columns have so many bytes at most, or are those of one row: nothing is opened to know it. */
export async function stretchesOf(
  client: pg.ClientBase,
  fields: readonly Field[],
  { from, to, bytes }: PageRange & { readonly bytes: number },
): Promise<readonly PageRange[]> {
  const [first] = fields;
  if (first === undefined) return [];
  const size = fields.map(sizeOf).join(' + ');
  // Nearly always all of them fit, which is quickly said.
  const { rows: all } = await client.query<{ fit: boolean }>(
    `select coalesce(sum(${size}), 0) <= $3::int8 as fit from ${rowsOf(first)} where ${rangeOf('', 1)}`,
    [from, to, bytes],
  );
  if (all[0]?.fit === true) return [{ from, to }];
  const { rows } = await client.query<{ at: number }>(
    `select pg_catalog.split_part(pg_catalog.btrim(pg_catalog.min(place)::text, '()'), ',', 1)::float8
            + pg_catalog.split_part(pg_catalog.btrim(pg_catalog.min(place)::text, '()'), ',', 2)::float8 / 65536 as at
       from (select place, (sum(size) over (order by place) - size)::int8 / $3::int8 as nth
               from (select ctid as place, ${size} as size from ${rowsOf(first)} where ${rangeOf('', 1)}) as r) as n
      group by nth order by nth`,
    [from, to, bytes],
  );
  const starts = [from, ...rows.slice(1).map(({ at }) => at)];
  return starts.map((start, nth) => ({ from: start, to: starts[nth + 1] ?? to }));
}

/** By what the row says of values that lie elsewhere and are compressed. */
function sizeOf(field: Field): string {
  const { column, encrypted } = namesOf(field);
  const plain = field.valueType === 'bytea' ? column : `${column}::text`;
  return `coalesce(pg_catalog.octet_length(${plain}), 0)::int8 + coalesce(pg_catalog.octet_length(${encrypted}), 0)`;
}

/** One value for each row that is written. */
export type Input =
  | { readonly type: 'bytea'; readonly name: string; readonly values: readonly (Uint8Array | null)[] }
  | { readonly type: 'text' | 'int8'; readonly name: string; readonly values: readonly (string | null)[] };

/** What is written of a column. Expressions know the row as `t`, and inputs by {@link inputOf}. */
export type Writing = {
  readonly field: Field;
  readonly places: readonly string[];
  /** The first has a value for every row. */
  readonly inputs: readonly Input[];
  /** By the quoted name of the column what is put there. */
  readonly sets: readonly (readonly [column: string, value: string])[];
  /** The row is still as it was read. */
  readonly guard: string;
  /** It stands as it was given. */
  readonly same: string;
};

/** How an expression of a {@link Writing} names one of its inputs. */
export function inputOf(field: Pick<Field, 'id'>, name: string): string {
  return `s.${objectName(name, field)}`;
}

export type WriteOptions = {
  /** Rows that others have locked are left for a later pass instead of waited for. */
  readonly skipLocked: boolean;
  /** The pages that all rows lie in, where that is known: they are looked at once and in order. */
  readonly range?: PageRange;
};

/** How many rows were written, and how many of those stand in the table otherwise than they were given (a trigger of the user's). */
export type Stored = { readonly done: number; readonly differing: number };

/**
 * One UPDATE for a batch of several columns: rows by their place, values as binary arrays, and only counts come back, column by column. A
 * row in which one of them is not as it was read any more is left out with all of them: what is left comes with the next pass.
 * It runs by the login's search path, behind pg_catalog: what another schema could have a better match for (an aggregate) is quoteTable.
 */
export async function writeColumns(
  client: pg.ClientBase,
  writings: readonly Writing[],
  { skipLocked, range }: WriteOptions,
): Promise<readonly Stored[]> {
  const [first] = writings;
  if (first === undefined) return [];
  const asked = [...new Set(writings.flatMap((writing) => writing.places))];
  const places = skipLocked ? await lockFree(client, first.field, { places: asked, range }) : asked;
  if (places.length === 0) return writings.map(() => ({ done: 0, differing: 0 }));
  const inputs = writings.flatMap((writing) => spread(writing, places));
  const within = range === undefined ? '' : ` and ${rangeOf('t.', inputs.length + 2)}`;
  const parts = writings.map((writing) => ({ ...writing, isGiven: isGivenBy(writing, places) }));
  const { rows } = await asLogin(client, () =>
    client.query<{ done: readonly number[]; differing: readonly number[] }>(
      `with written as (
       update ${rowsOf(first.field)} as t
          set ${parts.flatMap(({ sets, isGiven }) => sets.map(([column, value]) => `${column} = case when ${isGiven} then ${value} else t.${column} end`)).join(', ')}
         from unnest($1::pg_catalog.tid[], ${inputs.map(({ type }, at) => `$${at + 2}::pg_catalog.${type}[]`).join(', ')}) as s (place, ${inputs.map(({ name }) => name).join(', ')})
        where t.ctid = s.place${within} and ${parts.map(({ isGiven, guard }) => `(not (${isGiven}) or (${guard}))`).join(' and ')}
       returning ${parts.map(({ isGiven, same }, at) => `case when ${isGiven} then (${same}) is true end as c${at}`).join(', ')})
     select array[${parts.map((_, at) => `pg_catalog.count(c${at})`).join(', ')}]::pg_catalog.int4[] as done,
            array[${parts.map((_, at) => `pg_catalog.count(*) filter (where not c${at})`).join(', ')}]::pg_catalog.int4[] as differing from written`,
      [tidArray(places), ...inputs.map(({ bytes }) => bytes), ...(range === undefined ? [] : [range.from, range.to])],
    ),
  );
  return writings.map((_, at) => ({ done: rows[0]?.done[at] ?? 0, differing: rows[0]?.differing[at] ?? 0 }));
}

/** Whether a row is one of this writing, of the rows of all. */
function isGivenBy({ field, places, inputs: [first] }: Writing, all: readonly string[]): string {
  if (first === undefined) throw new Error('Nothing says which rows are written');
  const own = new Set(places);
  return all.every((place) => own.has(place)) ? 'true' : `${inputOf(field, first.name)} is not null`;
}

type Parameter = { readonly name: string; readonly type: Input['type']; readonly bytes: Buffer };

/** The inputs of a column over the places of all of them. */
function spread({ field, places, inputs }: Writing, all: readonly string[]): readonly Parameter[] {
  const at = new Map(places.map((place, nth) => [place, nth]));
  const over = <Value>(values: readonly (Value | null)[]): readonly (Value | null)[] =>
    places.length === all.length && places.every((place, nth) => place === all[nth])
      ? values
      : all.map((place) => values[at.get(place) ?? -1] ?? null);
  return inputs.map((input) => ({
    name: objectName(input.name, field),
    type: input.type,
    bytes:
      input.type === 'bytea' ? byteaArray(over(input.values)) : (input.type === 'text' ? textArray : int8Array)(over(input.values)),
  }));
}

/**
 * Locks those of these rows that nobody else has, as an UPDATE does that changes no key (PostgreSQL manual, 13.3.2), and answers where they
 * lie. In a statement of its own: inside of the UPDATE the server would lock all of them again for each row. Without the range the planner
 * looks through the whole table for the places of a batch.
 */
async function lockFree(
  client: pg.ClientBase,
  { table }: Pick<Field, 'table'>,
  { places, range }: { readonly places: readonly string[]; readonly range: PageRange | undefined },
): Promise<readonly string[]> {
  const { rows } = await client.query<[string]>({
    text: `select l.ctid::text from only ${quoteTable(table)} as l where l.ctid = any ($1::pg_catalog.tid[])${range === undefined ? '' : ` and ${rangeOf('l.', 2)}`}
              for no key update skip locked`,
    values: [tidArray(places), ...(range === undefined ? [] : [range.from, range.to])],
    rowMode: 'array',
  });
  return rows.map(([place]) => place);
}
