import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import type { Census, Field, FieldIndex, PageRange } from '../model.ts';
import { listFields } from './records.ts';
import { indexColumnType, namesOf, q } from './names.ts';

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
  const { table, column, encrypted } = namesOf(field);
  const { rows } = await client.query<{ count: string }>(
    `select count(${which === 'plain' ? column : encrypted}) as count from only ${table}`,
  );
  return Number(rows[0]?.count ?? 0);
}

/** Plaintext without ciphertext (`unsealed`), or ciphertext without plaintext (`unopened`). */
export async function countLeft(client: pg.ClientBase, field: Field, which: 'unsealed' | 'unopened'): Promise<number> {
  const { table } = namesOf(field);
  const { rows } = await client.query<{ count: string }>(
    `select count(*) as count from only ${table} where ${leftOf(field, which)}`,
  );
  return Number(rows[0]?.count ?? 0);
}

/** Written so that the partial index on what is left serves it. */
function leftOf(field: Field, which: 'unsealed' | 'unopened'): string {
  const { column, encrypted } = namesOf(field);
  const own = which === 'unsealed' ? `${column} is not null` : `${column} is null`;
  return `((${column} is null) <> (${encrypted} is null)) and ${own}`;
}

const RANGE = `ctid >= pg_catalog.format('(%s,0)', $1::int8)::pg_catalog.tid and ctid < pg_catalog.format('(%s,0)', $2::int8)::pg_catalog.tid`;

export async function readUnsealed(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly PlainRow[]> {
  const { table, column, encrypted } = namesOf(field);
  const { rows } = await client.query<PlainRow>(
    `select ctid::text as place, ${column}::text as plain from only ${table} where ${RANGE} and ${column} is not null and ${encrypted} is null`,
    [from, to],
  );
  return rows;
}

/** Wherever they lie. */
export async function readLeftUnsealed(client: pg.ClientBase, field: Field, limit: number): Promise<readonly PlainRow[]> {
  const { table, column } = namesOf(field);
  const { rows } = await client.query<PlainRow>(
    `select ctid::text as place, ${column}::text as plain from only ${table} where ${leftOf(field, 'unsealed')} limit $1`,
    [limit],
  );
  return rows;
}

export type WriteOptions = {
  /** Rows that others have locked are left for a later pass instead of waited for. */
  readonly skipLocked: boolean;
};

/**
 * Stores ciphertext for rows that still are as they were read: the guard by image sees any change of the plaintext, to the
 * byte, even one that the type calls equal. What it leaves out comes with the next pass. Answers what is stored now.
 */
export async function writeSealed(
  client: pg.ClientBase,
  field: Field,
  rows: readonly SealedWrite[],
  { skipLocked }: WriteOptions,
): Promise<readonly BothRow[]> {
  const { table, column, encrypted, type, indexes } = namesOf(field);
  const given = field.indexes.map((index, place) => `$${place + 4}::${indexColumnType(index)}[]`);
  const names = indexes.map((_, place) => `i${place}`);
  const sets = [`${encrypted} = s.sealed`, ...indexes.map((index, place) => `${index} = s.i${place}`)];
  const { rows: stored } = await client.query<BothRow>(
    `update only ${table} as t set ${sets.join(', ')}
       from unnest($1::pg_catalog.tid[], $2::pg_catalog.text[], $3::pg_catalog.bytea[]${given.map((each) => `, ${each}`).join('')}) as s (${['place', 'plain', 'sealed', ...names].join(', ')})
      where t.ctid = s.place and t.${encrypted} is null
        and not (pg_catalog.record_image_ne(row(t.${column}), row(s.plain::${type})))${skipLocked ? unlockedOnly(table) : ''}
      returning s.place::text as place, t.${column}::text as plain, t.${encrypted} as sealed`,
    [
      rows.map(({ place }) => place),
      rows.map(({ plain }) => plain),
      rows.map(({ sealed }) => sealed),
      ...indexes.map((_, place) => rows.map((row) => row.indexes[place] ?? null)),
    ],
  );
  return stored;
}

/** PostgreSQL manual, 13.3.2: FOR NO KEY UPDATE is what an UPDATE of these columns takes anyway. */
function unlockedOnly(table: string): string {
  return ` and t.ctid in (select l.ctid from only ${table} l where l.ctid = any ($1::pg_catalog.tid[]) for no key update skip locked)`;
}

export async function readUnopened(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly SealedRow[]> {
  const { table, column, encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from only ${table} where ${RANGE} and ${column} is null and ${encrypted} is not null`,
    [from, to],
  );
  return rows;
}

export async function readLeftUnopened(client: pg.ClientBase, field: Field, limit: number): Promise<readonly SealedRow[]> {
  const { table, encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from only ${table} where ${leftOf(field, 'unopened')} limit $1`,
    [limit],
  );
  return rows;
}

/** Gives rows their plaintext back, if the ciphertext is still the one that was opened. Answers what is stored now. */
export async function writeOpened(
  client: pg.ClientBase,
  field: Field,
  rows: readonly BothRow[],
  { skipLocked }: WriteOptions,
): Promise<readonly PlainRow[]> {
  const { table, column, encrypted, type } = namesOf(field);
  const { rows: stored } = await client.query<PlainRow>(
    `update only ${table} as t set ${column} = s.plain::${type}
       from unnest($1::pg_catalog.tid[], $2::pg_catalog.text[], $3::pg_catalog.bytea[]) as s (place, plain, sealed)
      where t.ctid = s.place and t.${column} is null and t.${encrypted} operator(pg_catalog.=) s.sealed${skipLocked ? unlockedOnly(table) : ''}
      returning s.place::text as place, t.${column}::text as plain`,
    [rows.map(({ place }) => place), rows.map(({ plain }) => plain), rows.map(({ sealed }) => sealed)],
  );
  return stored;
}

export async function readBoth(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly BothRow[]> {
  const { table, column, encrypted } = namesOf(field);
  const { rows } = await client.query<BothRow>(
    `select ctid::text as place, ${column}::text as plain, ${encrypted} as sealed from only ${table}
      where ${RANGE} and ${column} is not null and ${encrypted} is not null`,
    [from, to],
  );
  return rows;
}

export async function readLeftBoth(client: pg.ClientBase, field: Field, limit: number): Promise<readonly BothRow[]> {
  const { table, column, encrypted } = namesOf(field);
  const { rows } = await client.query<BothRow>(
    `select ctid::text as place, ${column}::text as plain, ${encrypted} as sealed from only ${table}
      where ${column} is not null and ${encrypted} is not null limit $1`,
    [limit],
  );
  return rows;
}

/** Takes plaintext away from rows in which both still are as they were compared. Answers how many. */
export async function writeNulls(
  client: pg.ClientBase,
  field: Field,
  rows: readonly BothRow[],
  { skipLocked }: WriteOptions,
): Promise<number> {
  const { table, column, encrypted, type } = namesOf(field);
  const { rowCount } = await client.query(
    `update only ${table} as t set ${column} = null
       from unnest($1::pg_catalog.tid[], $2::pg_catalog.text[], $3::pg_catalog.bytea[]) as s (place, plain, sealed)
      where t.ctid = s.place and t.${encrypted} operator(pg_catalog.=) s.sealed
        and not (pg_catalog.record_image_ne(row(t.${column}), row(s.plain::${type})))${skipLocked ? unlockedOnly(table) : ''}`,
    [rows.map(({ place }) => place), rows.map(({ plain }) => plain), rows.map(({ sealed }) => sealed)],
  );
  return rowCount ?? 0;
}

/** Bytes 5 to 12 of a sealed value: the id of its key. */
const KEY_ID = (encrypted: string): string => `pg_catalog.substr(${encrypted}, 5, 8)`;

export async function readUnderOtherKeys(
  client: pg.ClientBase,
  field: Field,
  { keyId, from, to }: PageRange & { readonly keyId: string },
): Promise<readonly SealedRow[]> {
  const { table, encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from only ${table}
      where ${RANGE} and ${encrypted} is not null and ${KEY_ID(encrypted)} operator(pg_catalog.<>) pg_catalog.decode($3, 'hex')`,
    [from, to, keyId],
  );
  return rows;
}

/** Puts ciphertext under another key in the place of the one that was opened. Answers what is stored now. */
export async function writeResealed(
  client: pg.ClientBase,
  field: Field,
  rows: readonly (SealedRow & { readonly resealed: Buffer })[],
  { skipLocked }: WriteOptions,
): Promise<readonly SealedRow[]> {
  const { table, encrypted } = namesOf(field);
  const { rows: stored } = await client.query<SealedRow>(
    `update only ${table} as t set ${encrypted} = s.resealed
       from unnest($1::pg_catalog.tid[], $2::pg_catalog.bytea[], $3::pg_catalog.bytea[]) as s (place, sealed, resealed)
      where t.ctid = s.place and t.${encrypted} operator(pg_catalog.=) s.sealed${skipLocked ? unlockedOnly(table) : ''}
      returning s.place::text as place, t.${encrypted} as sealed`,
    [rows.map(({ place }) => place), rows.map(({ sealed }) => sealed), rows.map(({ resealed }) => resealed)],
  );
  return stored;
}

/** Sealed values that one of these indexes says nothing of yet. */
export async function readUnindexed(
  client: pg.ClientBase,
  field: Field,
  { from, to, indexes }: PageRange & { readonly indexes: readonly FieldIndex[] },
): Promise<readonly SealedRow[]> {
  const { table, encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from only ${table} where ${RANGE} and ${encrypted} is not null and (${missing(indexes)})`,
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
  const { table, encrypted } = namesOf(field);
  const { rows } = await client.query<SealedRow>(
    `select ctid::text as place, ${encrypted} as sealed from only ${table} where ${encrypted} is not null and (${missing(indexes)}) limit $1`,
    [limit],
  );
  return rows;
}

function missing(indexes: readonly FieldIndex[]): string {
  return indexes.map(({ column }) => `${q(column)} is null`).join(' or ');
}

/** Fills indexes in where the ciphertext still is the one that was opened. Answers how many rows were written. */
export async function writeIndexes(
  client: pg.ClientBase,
  field: Field,
  { rows, indexes, skipLocked }: WriteOptions & { readonly indexes: readonly FieldIndex[]; readonly rows: readonly IndexedRow[] },
): Promise<number> {
  const { table, encrypted } = namesOf(field);
  const given = indexes.map((index, place) => `, $${place + 3}::${indexColumnType(index)}[]`).join('');
  const { rowCount } = await client.query(
    `update only ${table} as t set ${indexes.map(({ column }, place) => `${q(column)} = s.i${place}`).join(', ')}
       from unnest($1::pg_catalog.tid[], $2::pg_catalog.bytea[]${given}) as s (place, sealed${indexes.map((_, place) => `, i${place}`).join('')})
      where t.ctid = s.place and t.${encrypted} operator(pg_catalog.=) s.sealed${skipLocked ? unlockedOnly(table) : ''}`,
    [
      rows.map(({ place }) => place),
      rows.map(({ sealed }) => sealed),
      ...indexes.map((_, place) => rows.map((row) => row.numbers[place] ?? null)),
    ],
  );
  return rowCount ?? 0;
}

/** All sealed values of a stretch of pages. */
export async function readSealed(client: pg.ClientBase, field: Field, { from, to }: PageRange): Promise<readonly Buffer[]> {
  const { table, encrypted } = namesOf(field);
  const { rows } = await client.query<{ sealed: Buffer }>(
    `select ${encrypted} as sealed from only ${table} where ${RANGE} and ${encrypted} is not null`,
    [from, to],
  );
  return rows.map(({ sealed }) => sealed);
}

/** By the headers alone. */
export async function census(client: Queryable, field: Field): Promise<readonly Census[]> {
  const { table, encrypted } = namesOf(field);
  const { rows } = await client.query(
    `select pg_catalog.encode(${KEY_ID(encrypted)}, 'hex') as "keyId", count(*) as values from only ${table} where ${encrypted} is not null group by 1 order by 1`,
  );
  // The statement names these columns.
  return (rows as readonly { keyId: string; values: string }[]).map(({ keyId, values }) => ({ keyId, values: Number(values) }));
}

/** Values in all columns of a tenant by the id of their key. In the caller's transaction, which has the tenant. */
export async function censusOf(db: Queryable, tenant: string): Promise<ReadonlyMap<string, number>> {
  const counted = new Map<string, number>();
  for (const field of await listFields(db, tenant)) {
    if (field.phase === 'planned') continue;
    for (const { keyId, values } of await census(db, field)) counted.set(keyId, (counted.get(keyId) ?? 0) + values);
  }
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
