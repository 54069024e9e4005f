import type pg from 'pg';
import { quoteName, quoteTable, type Queryable } from '@safekeep/postgres';
import type { Census, Field, FieldIndex, PageRange } from '../model.ts';
import { BATCH_BYTES } from '../rules/pace.ts';
import { idsOfKeys, listFields } from './records.ts';
import { inputOf, rangeOf, readColumns, type Input, type Writing } from './columns.ts';
import { indexColumnType, namesOf, rowsOf } from './names.ts';
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
  await client.query('set local enable_seqscan = off');
  const { rows } = await client.query<Row>(statement, [...parameters]);
  await client.query('set local enable_seqscan to default');
  return rows;
}

/** Written so that the partial index on what is left serves it. */
function leftOf(field: Field, which: 'unsealed' | 'unopened'): string {
  const { column, encrypted } = namesOf(field);
  const own = which === 'unsealed' ? `${column} is not null` : `${column} is null`;
  return `((${column} is null) <> (${encrypted} is null)) and ${own}`;
}

const RANGE = rangeOf('', 1);

export async function readUnsealed(
  client: pg.ClientBase,
  fields: readonly Field[],
  range: PageRange,
): Promise<readonly (readonly PlainRow[])[]> {
  const reading = (field: Field) => {
    const { column, encrypted } = namesOf(field);
    return { where: `(${column} is not null and ${encrypted} is null)`, plain: true, sealed: false };
  };
  return await readColumns(client, fields, { ...range, reading });
}

/** Rows that are left wherever they lie, and how many were found: more where not all fit into a batch. */
export type Left<Row> = { readonly rows: readonly Row[]; readonly found: number };

/** What `found` selects, up to {@link BATCH_BYTES} and one row at least; `sizes` are its texts and bytes. */
function withinBytes(found: string, sizes: readonly ('plain' | 'sealed')[]): string {
  const size = sizes.map((each) => `coalesce(pg_catalog.octet_length(${each}), 0)::int8`).join(' + ');
  return `select * from (select *, sum(${size}) over (rows unbounded preceding) - (${size}) as before, count(*) over () as found from (${found}) as f) as n
           where before <= ${BATCH_BYTES}`;
}

type Found<Row> = Row & { readonly before: string; readonly found: string };

function leftIn<Row extends object>(rows: readonly Found<Row>[]): Left<Row> {
  // Without `before` and `found` a row is what its statement selects.
  const own = rows.map(({ before: _before, found: _found, ...row }) => row as unknown as Row);
  return { rows: own, found: Number(rows[0]?.found ?? 0) };
}

export async function readLeftUnsealed(client: pg.ClientBase, field: Field, limit: number): Promise<Left<PlainRow>> {
  const { column } = namesOf(field);
  const found = `select ctid::text as place, ${column}::text as plain from ${rowsOf(field)} where ${leftOf(field, 'unsealed')} limit $1`;
  return leftIn(await byIndex<Found<PlainRow>>(client, withinBytes(found, ['plain']), [limit]));
}

/**
 * The guard by image sees any change of the plaintext, to the byte, even one that the type calls equal. Where another session
 * changed the row after it was read, the server looks at the new one with this (manual 13.2.1).
 */
function unchanged(field: Field): string {
  const { column, type } = namesOf(field);
  return `not (pg_catalog.record_image_ne(row(t.${column}), row(${inputOf(field, 'plain')}::${type})))`;
}

/** What is printed, byte by byte, whatever the column's collation calls equal. */
function samePlain(field: Field): string {
  return `t.${namesOf(field).column}::text = ${inputOf(field, 'plain')} collate "C"`;
}

/** Ciphertext for rows that still are as they were read. */
export function sealedWriting(field: Field, rows: readonly SealedWrite[]): Writing {
  const { encrypted } = namesOf(field);
  const numbers = numbersOf(
    field,
    field.indexes,
    rows.map((row) => row.indexes),
  );
  return {
    field,
    places: placesOf(rows),
    sets: [[encrypted, inputOf(field, 'sealed')], ...numbers.sets],
    inputs: [sealedOf(rows), plainsOf(rows), ...numbers.inputs],
    guard: `t.${encrypted} is null and ${unchanged(field)}`,
    same: [samePlain(field), `t.${encrypted} = ${inputOf(field, 'sealed')}`, ...numbers.same].join(' and '),
  };
}

type Numbers = Pick<Writing, 'inputs' | 'sets'> & { readonly same: readonly string[] };

/** The numbers of rows, index by index; of `unique` the whole hash, which comes as bytea in hex. */
function numbersOf(field: Field, indexes: readonly FieldIndex[], rows: readonly (readonly (string | null)[])[]): Numbers {
  const named = indexes.map(({ kind, column }, place) => ({ kind, column: quoteName(column), name: `i${place}`, place }));
  return {
    inputs: named.map(({ kind, name, place }) =>
      numberInput(
        kind,
        name,
        rows.map((row) => row[place] ?? null),
      ),
    ),
    sets: named.map(({ column, name }) => [column, inputOf(field, name)]),
    same: named.map(({ column, name }) => `t.${column} is not distinct from ${inputOf(field, name)}`),
  };
}

function numberInput(kind: FieldIndex['kind'], name: string, numbers: readonly (string | null)[]): Input {
  if (kind === 'card_bin' || kind === 'card_last4') return { name, type: 'text', values: numbers.map((each) => each ?? '') };
  if (kind !== 'unique') return { name, type: 'int8', values: numbers };
  return { name, type: 'bytea', values: numbers.map((each) => (each === null ? null : Buffer.from(each.slice(2), 'hex'))) };
}

function placesOf(rows: readonly { readonly place: string }[]): readonly string[] {
  return rows.map(({ place }) => place);
}

function plainsOf(rows: readonly PlainRow[]): Input {
  return { name: 'plain', type: 'text', values: rows.map(({ plain }) => plain) };
}

function sealedOf(rows: readonly SealedRow[]): Input {
  return { name: 'sealed', type: 'bytea', values: rows.map(({ sealed }) => sealed) };
}

/** A sealed value and what stands beside it. */
export type BesideRow = SealedRow & { readonly plain: string | null };

/** Those with plaintext too: a value that was written past our triggers would be lost with its ciphertext. */
export async function readUnopened(
  client: pg.ClientBase,
  fields: readonly Field[],
  range: PageRange,
): Promise<readonly (readonly BesideRow[])[]> {
  const reading = (field: Field) => ({ where: `(${namesOf(field).encrypted} is not null)`, plain: true, sealed: true });
  return await readColumns(client, fields, { ...range, reading });
}

export async function readLeftUnopened(client: pg.ClientBase, field: Field, limit: number): Promise<Left<BesideRow>> {
  const { encrypted } = namesOf(field);
  const found = `select ctid::text as place, null as plain, ${encrypted} as sealed from ${rowsOf(field)} where ${leftOf(field, 'unopened')} limit $1`;
  return leftIn(await byIndex<Found<BesideRow>>(client, withinBytes(found, ['sealed']), [limit]));
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

/** Plaintext for rows that have none, if the ciphertext is still the one that was opened. */
export function openedWriting(field: Field, rows: readonly BothRow[]): Writing {
  const { column, encrypted, type } = namesOf(field);
  return {
    field,
    places: placesOf(rows),
    sets: [[column, `${inputOf(field, 'plain')}::${type}`]],
    inputs: [sealedOf(rows), plainsOf(rows)],
    guard: `t.${encrypted} = ${inputOf(field, 'sealed')} and t.${column} is null`,
    same: samePlain(field),
  };
}

export async function readBoth(
  client: pg.ClientBase,
  fields: readonly Field[],
  range: PageRange,
): Promise<readonly (readonly BothRow[])[]> {
  const reading = (field: Field) => {
    const { column, encrypted } = namesOf(field);
    return { where: `(${column} is not null and ${encrypted} is not null)`, plain: true, sealed: true };
  };
  return await readColumns(client, fields, { ...range, reading });
}

export async function readLeftBoth(client: pg.ClientBase, field: Field, limit: number): Promise<Left<BothRow>> {
  const { column, encrypted } = namesOf(field);
  const found = `select ctid::text as place, ${column}::text as plain, ${encrypted} as sealed from ${rowsOf(field)}
                  where ${column} is not null and ${encrypted} is not null limit $1`;
  return leftIn((await client.query<Found<BothRow>>(withinBytes(found, ['plain', 'sealed']), [limit])).rows);
}

/** No plaintext in rows in which both still are as they were compared. */
export function nulledWriting(field: Field, rows: readonly BothRow[]): Writing {
  const { column, encrypted } = namesOf(field);
  return {
    field,
    places: placesOf(rows),
    sets: [[column, 'null']],
    inputs: [sealedOf(rows), plainsOf(rows)],
    guard: `t.${encrypted} = ${inputOf(field, 'sealed')} and ${unchanged(field)}`,
    same: `t.${column} is null and t.${encrypted} = ${inputOf(field, 'sealed')}`,
  };
}

/** Bytes 5 to 12 of a sealed value: the id of its key. */
const KEY_ID = (encrypted: string): string => `pg_catalog.substr(${encrypted}, 5, 8)`;

/** `keyIds` pairs with the fields. */
export async function readUnderOtherKeys(
  client: pg.ClientBase,
  fields: readonly Field[],
  { keyIds, ...range }: PageRange & { readonly keyIds: readonly string[] },
): Promise<readonly (readonly SealedRow[])[]> {
  const reading = (field: Field, place: number) => {
    const { encrypted } = namesOf(field);
    const isOther = `${KEY_ID(encrypted)} operator(pg_catalog.<>) pg_catalog.decode($${place + 3}, 'hex')`;
    return { where: `(${encrypted} is not null and ${isOther})`, plain: false, sealed: true };
  };
  return await readColumns(client, fields, { ...range, reading, given: keyIds });
}

/** Wherever they lie. */
export async function readLeftUnderOtherKeys(
  client: pg.ClientBase,
  field: Field,
  { keyId, limit }: { readonly keyId: string; readonly limit: number },
): Promise<Left<SealedRow>> {
  const { encrypted } = namesOf(field);
  const found = `select ctid::text as place, ${encrypted} as sealed from ${rowsOf(field)}
                  where ${encrypted} is not null and ${KEY_ID(encrypted)} operator(pg_catalog.<>) pg_catalog.decode($1, 'hex') limit $2`;
  return leftIn((await client.query<Found<SealedRow>>(withinBytes(found, ['sealed']), [keyId, limit])).rows);
}

/** Ciphertext under another key in the place of the one that was opened. */
export function resealedWriting(field: Field, rows: readonly (SealedRow & { readonly resealed: Buffer })[]): Writing {
  const { encrypted } = namesOf(field);
  const resealed = inputOf(field, 'resealed');
  return {
    field,
    places: placesOf(rows),
    sets: [[encrypted, resealed]],
    inputs: [sealedOf(rows), { name: 'resealed', type: 'bytea', values: rows.map((row) => row.resealed) }],
    guard: `t.${encrypted} = ${inputOf(field, 'sealed')}`,
    same: `t.${encrypted} = ${resealed}`,
  };
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
): Promise<Left<SealedRow>> {
  const { encrypted } = namesOf(field);
  const found = `select ctid::text as place, ${encrypted} as sealed from ${rowsOf(field)} where ${encrypted} is not null and (${missing(indexes)}) limit $1`;
  return leftIn((await client.query<Found<SealedRow>>(withinBytes(found, ['sealed']), [limit])).rows);
}

function missing(indexes: readonly FieldIndex[]): string {
  return indexes.map(({ column }) => `${quoteName(column)} is null`).join(' or ');
}

/** Indexes where the ciphertext still is the one that was opened. */
export function indexesWriting(
  field: Field,
  { rows, indexes }: { readonly rows: readonly IndexedRow[]; readonly indexes: readonly FieldIndex[] },
): Writing {
  const { inputs, sets, same } = numbersOf(
    field,
    indexes,
    rows.map((row) => row.numbers),
  );
  return {
    field,
    places: placesOf(rows),
    sets,
    inputs: [sealedOf(rows), ...inputs],
    guard: `t.${namesOf(field).encrypted} = ${inputOf(field, 'sealed')}`,
    same: same.join(' and '),
  };
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
  const columns = parts.map(({ encryptedColumn }) => quoteName(encryptedColumn));
  const where = [
    ...columns.map((column) => `${column} is not null`),
    ...(index === undefined ? [] : [`${quoteName(index.column)} is null`]),
    ...(range === undefined ? [] : [RANGE]),
  ];
  const { rows } = await client.query<PartsRow>(
    `select ctid::text as place, array[${columns.join(', ')}] as parts from ${rowsOf(field)}
      where ${where.join(' and ')}${limit === undefined ? '' : ` limit ${limit}`}`,
    range === undefined ? [] : [range.from, range.to],
  );
  return rows;
}

/** A compound index where all its columns still are what was opened. */
export function compoundWriting(
  field: Field,
  { index, rows }: { readonly index: FieldIndex; readonly rows: readonly CompoundRow[] },
): Writing {
  const parts = index.parts.map(({ encryptedColumn }, place) => ({ column: quoteName(encryptedColumn), name: `p${place}`, place }));
  const { inputs, sets, same } = numbersOf(
    field,
    [index],
    rows.map(({ number }) => [number]),
  );
  return {
    field,
    places: placesOf(rows),
    sets,
    inputs: [
      ...parts.map(({ name, place }): Input => ({ name, type: 'bytea', values: rows.map((row) => row.parts[place] ?? null) })),
      ...inputs,
    ],
    guard: parts.map(({ column, name }) => `t.${column} = ${inputOf(field, name)}`).join(' and '),
    same: same.join(' and '),
  };
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
    count(await censusIn(db, `only ${quoteTable(apart)}`, quoteName(apart.encryptedColumn)));
  return counted;
}

/** The texts of these columns of rows whose blind index is this number, or this whole hash as `\x…`. */
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
    `select array[${key.map((column) => `${quoteName(column)}::text`).join(', ')}] as key from ${namesOf(field).table}
      where ${quoteName(index.column)} = $1::${indexColumnType(index)} order by 1 limit $2`,
    [number, limit],
  );
  // The statement names this column.
  return (rows as readonly { readonly key: readonly string[] }[]).map((row) => row.key);
}
