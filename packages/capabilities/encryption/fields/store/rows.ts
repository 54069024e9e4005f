import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import type { Census, Field, FieldIndex, PageRange } from '../model.ts';
import { idsOfKeys, listFields } from './records.ts';
import { byteaArray, int8Array, textArray, tidArray } from './arrays.ts';
import { namesOf, q, qualified, rowsOf, type FieldNames } from './names.ts';
import { tablesApart } from './partitions.ts';

/** A row as it was read: where it lay and what stood there. */
export type PlainRow = { readonly place: string; readonly plain: string };
export type SealedRow = { readonly place: string; readonly sealed: Buffer };
export type BothRow = PlainRow & SealedRow;

/** `indexes` pairs with the indexes of the field. */
export type SealedWrite = BothRow & { readonly indexes: readonly (string | null)[] };

/** `numbers` pairs with the indexes that are filled in. */
export type IndexedRow = SealedRow & { readonly numbers: readonly (string | null)[] };

export async function tableSize(client: pg.ClientBase, field: Field): Promise<{ readonly pages: number; readonly rows: number }> {
  const { table } = namesOf(field);
  const { rows } = await client.query<{ pages: string; rows: string }>(
    `select pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8 as pages, greatest(c.reltuples, 0)::int8 as rows
       from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass($1)`,
    [table],
  );
  return { pages: Number(rows[0]?.pages ?? 0), rows: Number(rows[0]?.rows ?? 0) };
}

export async function countValues(client: pg.ClientBase, field: Field, which: 'plain' | 'sealed'): Promise<number> {
  const { column, encrypted } = namesOf(field);
  const { rows } = await client.query<{ count: string }>(
    `select count(${which === 'plain' ? column : encrypted}) as count from ${rowsOf(field)}`,
  );
  return Number(rows[0]?.count ?? 0);
}

/** Plaintext without ciphertext (`unsealed`), or ciphertext without plaintext (`unopened`). */
export async function countLeft(client: pg.ClientBase, field: Field, which: 'unsealed' | 'unopened'): Promise<number> {
  const rows = await byIndex<{ count: string }>(
    client,
    `select count(*) as count from ${rowsOf(field)} where ${leftOf(field, which)}`,
  );
  return Number(rows[0]?.count ?? 0);
}

/**
 * Of a column that was added a moment ago the planner knows nothing, and takes half of the table for what is left: it would look through
 * all of it, under the lock in which readers are switched too. Where there is no index yet it still does.
 */
async function byIndex<Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  statement: string,
  parameters: readonly unknown[] = [],
): Promise<readonly Row[]> {
  await client.query('set local enable_seqscan = off; set local jit = off');
  const { rows } = await client.query<Row>(statement, [...parameters]);
  await client.query('set local enable_seqscan to default; set local jit to default');
  return rows;
}

/** Written so that the partial index on what is left serves it. */
function leftOf(field: Field, which: 'unsealed' | 'unopened'): string {
  const { column, encrypted } = namesOf(field);
  const own = which === 'unsealed' ? `${column} is not null` : `${column} is null`;
  return `((${column} is null) <> (${encrypted} is null)) and ${own}`;
}

/** Pages from and to, as the two parameters of this number and the next. */
function rangeOf(alias: string, first: number): string {
  return `${alias}ctid >= pg_catalog.format('(%s,0)', $${first}::int8)::pg_catalog.tid and ${alias}ctid < pg_catalog.format('(%s,0)', $${first + 1}::int8)::pg_catalog.tid`;
}

const RANGE = rangeOf('', 1);

export async function readUnsealed(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly PlainRow[]> {
  const { column, encrypted } = namesOf(field);
  const { rows } = await client.query<PlainRow>(
    `select ctid::text as place, ${column}::text as plain from ${rowsOf(field)} where ${RANGE} and ${column} is not null and ${encrypted} is null`,
    [from, to],
  );
  return rows;
}

/** Wherever they lie. */
export async function readLeftUnsealed(client: pg.ClientBase, field: Field, limit: number): Promise<readonly PlainRow[]> {
  const { column } = namesOf(field);
  return await byIndex<PlainRow>(
    client,
    `select ctid::text as place, ${column}::text as plain from ${rowsOf(field)} where ${leftOf(field, 'unsealed')} limit $1`,
    [limit],
  );
}

export type WriteOptions = {
  /** Rows that others have locked are left for a later pass instead of waited for. */
  readonly skipLocked: boolean;
  /** The pages that all rows lie in, where that is known: they are looked at once and in order. */
  readonly range?: PageRange;
};

/** How many rows were written, and how many of those stand in the table otherwise than they were given (a trigger of the user's). */
export type Stored = { readonly done: number; readonly differing: number };

type Writing = {
  readonly sets: readonly string[];
  /** By name, the arrays that are joined by place: `plain: pg_catalog.text[]`. */
  readonly arrays: readonly { readonly name: string; readonly type: string; readonly bytes: Buffer }[];
  /** The row is still as it was read. */
  readonly guard: string;
  /** It stands as it was given. */
  readonly same: string;
};

/** One UPDATE for a batch: rows by their place, values as binary arrays, and only counts come back. */
async function writeRows(
  client: pg.ClientBase,
  field: Field,
  rows: readonly { readonly place: string }[],
  { writing: { sets, arrays, guard, same }, options }: { readonly writing: Writing; readonly options: WriteOptions },
): Promise<Stored> {
  const { table } = namesOf(field);
  const { skipLocked, range } = options;
  const given = arrays.map(({ type }, place) => `$${place + 2}::pg_catalog.${type}[]`);
  const within = (alias: string): string => (range === undefined ? '' : ` and ${rangeOf(alias, arrays.length + 2)}`);
  const { rows: counted } = await client.query<Stored>(
    `with written as (
       update ${rowsOf(field)} as t set ${sets.join(', ')}
         from unnest($1::pg_catalog.tid[], ${given.join(', ')}) as s (place, ${arrays.map(({ name }) => name).join(', ')})
        where t.ctid = s.place${within('t.')} and ${guard}${skipLocked ? unlockedOnly(table, within('l.')) : ''}
       returning ${same} as same)
     select count(*)::int4 as done, count(*) filter (where same is not true)::int4 as differing from written`,
    [
      tidArray(rows.map(({ place }) => place)),
      ...arrays.map(({ bytes }) => bytes),
      ...(range === undefined ? [] : [range.from, range.to]),
    ],
  );
  return counted[0] ?? { done: 0, differing: 0 };
}

/**
 * The guard by image sees any change of the plaintext, to the byte, even one that the type calls equal. Where another session
 * changed the row after it was read, the server looks at the new one with this (manual 13.2.1).
 */
function unchanged({ column, type }: FieldNames): string {
  return `not (pg_catalog.record_image_ne(row(t.${column}), row(s.plain::${type})))`;
}

/** What is printed, byte by byte, whatever the column's collation calls equal. */
function samePlain({ column }: FieldNames): string {
  return `t.${column}::text = s.plain collate "C"`;
}

/** Stores ciphertext for rows that still are as they were read. What it leaves out comes with the next pass. */
export async function writeSealed(
  client: pg.ClientBase,
  field: Field,
  rows: readonly SealedWrite[],
  options: WriteOptions,
): Promise<Stored> {
  const names = namesOf(field);
  const { encrypted, indexes } = names;
  const numbers = numbersOf(
    field.indexes,
    rows.map((row) => row.indexes),
  );
  const writing: Writing = {
    sets: [`${encrypted} = s.sealed`, ...indexes.map((index, place) => `${index} = s.i${place}`)],
    arrays: [plainsOf(rows), sealedOf(rows), ...numbers],
    guard: `t.${encrypted} is null and ${unchanged(names)}`,
    same: [
      samePlain(names),
      `t.${encrypted} = s.sealed`,
      ...indexes.map((index, place) => `t.${index} is not distinct from s.i${place}`),
    ].join(' and '),
  };
  return await writeRows(client, field, rows, { writing, options });
}

/** The numbers of rows, index by index; of `unique` the whole hash, which comes as bytea in hex. */
function numbersOf(indexes: readonly FieldIndex[], rows: readonly (readonly (string | null)[])[]): Writing['arrays'] {
  return indexes.map(({ kind }, place) => {
    const numbers = rows.map((row) => row[place] ?? null);
    if (kind === 'card_bin' || kind === 'card_last4')
      return { name: `i${place}`, type: 'text', bytes: textArray(numbers.map((each) => each ?? '')) };
    return kind === 'unique'
      ? {
          name: `i${place}`,
          type: 'bytea',
          bytes: byteaArray(numbers.map((each) => (each === null ? null : Buffer.from(each.slice(2), 'hex')))),
        }
      : { name: `i${place}`, type: 'int8', bytes: int8Array(numbers) };
  });
}

function plainsOf(rows: readonly PlainRow[]): Writing['arrays'][number] {
  return { name: 'plain', type: 'text', bytes: textArray(rows.map(({ plain }) => plain)) };
}

function sealedOf(rows: readonly SealedRow[]): Writing['arrays'][number] {
  return { name: 'sealed', type: 'bytea', bytes: byteaArray(rows.map(({ sealed }) => sealed)) };
}

/**
 * PostgreSQL manual, 13.3.2: FOR NO KEY UPDATE is what an UPDATE of these columns takes anyway. Without the range the planner looks
 * through the whole table for the places of a batch.
 */
function unlockedOnly(table: string, within: string): string {
  return ` and t.ctid in (select l.ctid from only ${table} l where l.ctid = any ($1::pg_catalog.tid[])${within} for no key update skip locked)`;
}

/** A sealed value and what stands beside it. */
export type BesideRow = SealedRow & { readonly plain: string | null };

/** Those with plaintext too: a value that was written past our triggers would be lost with its ciphertext. */
export async function readUnopened(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly BesideRow[]> {
  const { column, encrypted } = namesOf(field);
  const { rows } = await client.query<BesideRow>(
    `select ctid::text as place, ${column}::text as plain, ${encrypted} as sealed from ${rowsOf(field)} where ${RANGE} and ${encrypted} is not null`,
    [from, to],
  );
  return rows;
}

export async function readLeftUnopened(client: pg.ClientBase, field: Field, limit: number): Promise<readonly BesideRow[]> {
  const { encrypted } = namesOf(field);
  return await byIndex<BesideRow>(
    client,
    `select ctid::text as place, null as plain, ${encrypted} as sealed from ${rowsOf(field)} where ${leftOf(field, 'unopened')} limit $1`,
    [limit],
  );
}

/** What stands in a row as plaintext, and what its ciphertext opened to. */
export type Pair = { readonly place: string; readonly before: string | null; readonly plain: string };

/** The places of pairs that are two values for the type of the column. */
export async function placesThatDiffer(client: pg.ClientBase, field: Field, pairs: readonly Pair[]): Promise<readonly string[]> {
  if (pairs.length === 0) return [];
  const { type } = namesOf(field);
  const { rows } = await client.query<{ place: string }>(
    `select s.place from unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.text[]) as s (place, before, plain)
      where pg_catalog.record_image_ne(row(s.before::${type}), row(s.plain::${type}))`,
    [pairs.map(({ place }) => place), pairs.map(({ before }) => before), pairs.map(({ plain }) => plain)],
  );
  return rows.map(({ place }) => place);
}

/** Gives rows that have none their plaintext back, if the ciphertext is still the one that was opened. */
export async function writeOpened(
  client: pg.ClientBase,
  field: Field,
  rows: readonly BothRow[],
  options: WriteOptions,
): Promise<Stored> {
  const names = namesOf(field);
  const { column, encrypted, type } = names;
  const writing: Writing = {
    sets: [`${column} = s.plain::${type}`],
    arrays: [plainsOf(rows), sealedOf(rows)],
    guard: `t.${encrypted} = s.sealed and t.${column} is null`,
    same: samePlain(names),
  };
  return await writeRows(client, field, rows, { writing, options });
}

export async function readBoth(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly BothRow[]> {
  const { column, encrypted } = namesOf(field);
  const { rows } = await client.query<BothRow>(
    `select ctid::text as place, ${column}::text as plain, ${encrypted} as sealed from ${rowsOf(field)}
      where ${RANGE} and ${column} is not null and ${encrypted} is not null`,
    [from, to],
  );
  return rows;
}

export async function readLeftBoth(client: pg.ClientBase, field: Field, limit: number): Promise<readonly BothRow[]> {
  const { column, encrypted } = namesOf(field);
  const { rows } = await client.query<BothRow>(
    `select ctid::text as place, ${column}::text as plain, ${encrypted} as sealed from ${rowsOf(field)}
      where ${column} is not null and ${encrypted} is not null limit $1`,
    [limit],
  );
  return rows;
}

/** Takes plaintext away from rows in which both still are as they were compared. */
export async function writeNulls(
  client: pg.ClientBase,
  field: Field,
  rows: readonly BothRow[],
  options: WriteOptions,
): Promise<Stored> {
  const names = namesOf(field);
  const { column, encrypted } = names;
  const writing: Writing = {
    sets: [`${column} = null`],
    arrays: [plainsOf(rows), sealedOf(rows)],
    guard: `t.${encrypted} = s.sealed and ${unchanged(names)}`,
    same: `t.${column} is null and t.${encrypted} = s.sealed`,
  };
  return await writeRows(client, field, rows, { writing, options });
}

/** Bytes 5 to 12 of a sealed value: the id of its key. */
const KEY_ID = (encrypted: string): string => `pg_catalog.substr(${encrypted}, 5, 8)`;

export async function readUnderOtherKeys(
  client: pg.ClientBase,
  field: Field,
  { keyId, from, to }: PageRange & { readonly keyId: string },
): Promise<readonly SealedRow[]> {
  const { encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from ${rowsOf(field)}
      where ${RANGE} and ${encrypted} is not null and ${KEY_ID(encrypted)} operator(pg_catalog.<>) pg_catalog.decode($3, 'hex')`,
    [from, to, keyId],
  );
  return rows;
}

/** Wherever they lie. */
export async function readLeftUnderOtherKeys(
  client: pg.ClientBase,
  field: Field,
  { keyId, limit }: { readonly keyId: string; readonly limit: number },
): Promise<readonly SealedRow[]> {
  const { encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from ${rowsOf(field)}
      where ${encrypted} is not null and ${KEY_ID(encrypted)} operator(pg_catalog.<>) pg_catalog.decode($1, 'hex') limit $2`,
    [keyId, limit],
  );
  return rows;
}

/** Puts ciphertext under another key in the place of the one that was opened. */
export async function writeResealed(
  client: pg.ClientBase,
  field: Field,
  rows: readonly (SealedRow & { readonly resealed: Buffer })[],
  options: WriteOptions,
): Promise<Stored> {
  const { encrypted } = namesOf(field);
  const writing: Writing = {
    sets: [`${encrypted} = s.resealed`],
    arrays: [sealedOf(rows), { name: 'resealed', type: 'bytea', bytes: byteaArray(rows.map(({ resealed }) => resealed)) }],
    guard: `t.${encrypted} = s.sealed`,
    same: `t.${encrypted} = s.resealed`,
  };
  return await writeRows(client, field, rows, { writing, options });
}

/** Sealed values that one of these indexes says nothing of yet. */
export async function readUnindexed(
  client: pg.ClientBase,
  field: Field,
  { from, to, indexes }: PageRange & { readonly indexes: readonly FieldIndex[] },
): Promise<readonly SealedRow[]> {
  const { encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from ${rowsOf(field)} where ${RANGE} and ${encrypted} is not null and (${missing(indexes)})`,
    [from, to],
  );
  return rows;
}

/** Wherever they lie. */
export async function readLeftUnindexed(
  client: pg.ClientBase,
  field: Field,
  { indexes, limit }: { readonly indexes: readonly FieldIndex[]; readonly limit: number },
): Promise<readonly SealedRow[]> {
  const { encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from ${rowsOf(field)} where ${encrypted} is not null and (${missing(indexes)}) limit $1`,
    [limit],
  );
  return rows;
}

function missing(indexes: readonly FieldIndex[]): string {
  return indexes.map(({ column }) => `${q(column)} is null`).join(' or ');
}

/** Fills indexes in where the ciphertext still is the one that was opened. */
export async function writeIndexes(
  client: pg.ClientBase,
  field: Field,
  {
    rows,
    indexes,
    options,
  }: { readonly options: WriteOptions; readonly indexes: readonly FieldIndex[]; readonly rows: readonly IndexedRow[] },
): Promise<Stored> {
  const columns = indexes.map(({ column }) => q(column));
  const numbers = numbersOf(
    indexes,
    rows.map((row) => row.numbers),
  );
  const writing: Writing = {
    sets: columns.map((column, place) => `${column} = s.i${place}`),
    arrays: [sealedOf(rows), ...numbers],
    guard: `t.${namesOf(field).encrypted} = s.sealed`,
    same: columns.map((column, place) => `t.${column} is not distinct from s.i${place}`).join(' and '),
  };
  return await writeRows(client, field, rows, { writing, options });
}

/** A row with the values of all columns of a compound index, in their order. */
export type PartsRow = { readonly place: string; readonly parts: readonly Buffer[] };
export type CompoundRow = PartsRow & { readonly number: string | null };

type PartsReading = {
  readonly parts: FieldIndex['parts'];
  /** Only rows that this index says nothing of yet. */
  readonly missing?: FieldIndex;
  readonly range?: PageRange;
  readonly limit?: number;
};

/** Rows in which all columns of a compound index have a value. */
export async function readParts(
  client: pg.ClientBase,
  field: Field,
  { parts, missing: index, range, limit }: PartsReading,
): Promise<readonly PartsRow[]> {
  const columns = parts.map(({ encryptedColumn }) => q(encryptedColumn));
  const where = [
    ...columns.map((column) => `${column} is not null`),
    ...(index === undefined ? [] : [`${q(index.column)} is null`]),
    ...(range === undefined ? [] : [RANGE]),
  ];
  const { rows } = await client.query<PartsRow>(
    `select ctid::text as place, array[${columns.join(', ')}] as parts from ${rowsOf(field)}
      where ${where.join(' and ')}${limit === undefined ? '' : ` limit ${limit}`}`,
    range === undefined ? [] : [range.from, range.to],
  );
  return rows;
}

/** Fills a compound index in where all its columns still are what was opened. */
export async function writeCompound(
  client: pg.ClientBase,
  field: Field,
  { index, rows, options }: { readonly index: FieldIndex; readonly rows: readonly CompoundRow[]; readonly options: WriteOptions },
): Promise<Stored> {
  const parts = index.parts.map(({ encryptedColumn }, place) => ({ column: q(encryptedColumn), name: `p${place}` }));
  const writing: Writing = {
    sets: [`${q(index.column)} = s.i0`],
    arrays: [
      ...parts.map(({ name }, place) => ({
        name,
        type: 'bytea',
        bytes: byteaArray(rows.map((row) => row.parts[place] ?? null)),
      })),
      ...numbersOf(
        [index],
        rows.map(({ number }) => [number]),
      ),
    ],
    guard: parts.map(({ column, name }) => `t.${column} = s.${name}`).join(' and '),
    same: `t.${q(index.column)} is not distinct from s.i0`,
  };
  return await writeRows(client, field, rows, { writing, options });
}

/** All sealed values of a stretch of pages. */
export async function readSealed(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly Buffer[]> {
  const { encrypted } = namesOf(field);
  const { rows } = await client.query<{ sealed: Buffer }>(
    `select ${encrypted} as sealed from ${rowsOf(field)} where ${RANGE} and ${encrypted} is not null`,
    [from, to],
  );
  return rows.map(({ sealed }) => sealed);
}

/** By the headers alone. */
export async function census(client: Queryable, field: Field): Promise<readonly Census[]> {
  return await censusIn(client, rowsOf(field), namesOf(field).encrypted);
}

async function censusIn(client: Queryable, table: string, encrypted: string): Promise<readonly Census[]> {
  const { rows } = await client.query(
    `select pg_catalog.encode(${KEY_ID(encrypted)}, 'hex') as "keyId", count(*) as values from ${table} where ${encrypted} is not null group by 1 order by 1`,
  );
  // The statement names these columns.
  return (rows as readonly { keyId: string; values: string }[]).map(({ keyId, values }) => ({ keyId, values: Number(values) }));
}

/**
 * Values in all columns of a tenant by the id of their key, those in partitions that were detached and in copies of the tables among them,
 * also where the column itself was decrypted since. In the caller's transaction, which has the tenant.
 */
export async function censusOf(db: Queryable, tenant: string): Promise<ReadonlyMap<string, number>> {
  const counted = new Map<string, number>();
  const count = (counts: readonly Census[]): void => {
    for (const { keyId, values } of counts) counted.set(keyId, (counted.get(keyId) ?? 0) + values);
  };
  const fields = (await listFields(db, tenant)).filter(({ phase }) => phase !== 'planned');
  for (const field of fields) count(await census(db, field));
  const known = fields.map(({ id, table }) => ({ id, home: table }));
  const gone = (await idsOfKeys(db, tenant)).filter((id) => fields.every((field) => field.id !== id));
  for (const apart of await tablesApart(db, [...known, ...gone.map((id) => ({ id, home: null }))]))
    count(await censusIn(db, `only ${qualified(apart)}`, q(apart.encryptedColumn)));
  return counted;
}

/** The texts of these columns of rows whose blind index is this number. */
export async function keysByIndex(
  db: Queryable,
  field: Field,
  {
    index,
    number,
    key,
    limit,
  }: { readonly index: FieldIndex; readonly number: string; readonly key: readonly string[]; readonly limit: number },
): Promise<readonly (readonly string[])[]> {
  const { rows } = await db.query(
    `select array[${key.map((column) => `${q(column)}::text`).join(', ')}] as key from ${namesOf(field).table}
      where ${q(index.column)} = $1::bigint order by 1 limit $2`,
    [number, limit],
  );
  // The statement names this column.
  return (rows as readonly { readonly key: readonly string[] }[]).map((row) => row.key);
}
