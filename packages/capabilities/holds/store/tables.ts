import pg from 'pg';
import { codeOf, formatTableName, parseTableName, SafekeepError, type TableRef } from '@safekeep/core';
import { quoteTable, type Queryable } from '@safekeep/postgres';
import type { Condition, RecordKey } from '../model.ts';

export type KeyColumn = { readonly name: string; readonly type: string };

/** What of a table matters to a hold. */
export type HoldTable = TableRef & {
  readonly oid: number;
  /** External name. */
  readonly text: string;
  readonly kind: 'table' | 'other';
  /** Row security hides rows of it from this login. */
  readonly filtered: boolean;
  readonly columns: readonly KeyColumn[];
  /** Of the primary key, in its order; empty where there is none. */
  readonly key: readonly KeyColumn[];
};

export async function findTable(db: Queryable, name: string): Promise<HoldTable | undefined> {
  const ref = parseTableName(name);
  const { rows } = await db.query(
    `select c.oid, case when c.relkind in ('r', 'p') then 'table' else 'other' end as kind, pg_catalog.row_security_active(c.oid) as filtered,
            -- With -1 a type has no length: a key is not cut to fit before it is compared.
            coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, -1)))
                        from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns,
            coalesce((select pg_catalog.json_agg(a.attname order by k.place)
                        from pg_catalog.pg_index as i
                       cross join lateral pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality as k (number, place)
                        join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
                       where i.indrelid = c.oid and i.indisprimary), '[]') as key
       from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2`,
    [ref.schema, ref.table],
  );
  // The statement above names these columns and types.
  const [row] = rows as readonly (Pick<HoldTable, 'oid' | 'kind' | 'filtered' | 'columns'> & { readonly key: readonly string[] })[];
  if (row === undefined) return undefined;
  return { ...row, ...ref, text: formatTableName(ref), key: row.key.map((column) => columnOf(row.columns, column)) };
}

/** Throws a plain error for a column that is not there: the map or the catalogue named it a moment ago. */
export function columnOf(columns: readonly KeyColumn[], name: string): KeyColumn {
  const column = columns.find((each) => each.name === name);
  if (column === undefined) throw new Error('A column of a key is gone from its table');
  return column;
}

export type FoundRow = { readonly primaryKey: RecordKey | null; readonly key: RecordKey };

/**
 * The one row whose `columns` have these values, with its keys as the database writes them: `042` is found as `42`.
 * `undefined` where there is none; where there are several the columns are no key, and that is an error.
 */
export async function findRow(
  db: Queryable,
  table: HoldTable,
  by: { readonly columns: readonly KeyColumn[]; readonly key: RecordKey },
): Promise<FoundRow | undefined> {
  if (by.columns.length !== by.key.length) return undefined;
  const matches = by.columns.map(({ name, type }, place) => `${pg.escapeIdentifier(name)} = $${place + 1}::text::${type}`);
  const primaryKey = table.key.length === 0 ? 'null::text[]' : texts(table.key);
  try {
    const { rows } = await db.query(
      `select ${primaryKey} as "primaryKey", ${texts(by.columns)} as key from ${quoteTable(table)} where ${matches.join(' and ')} limit 2`,
      by.key,
    );
    // Two arrays of text, as selected above.
    const found = rows as readonly FoundRow[];
    if (found.length > 1)
      throw new SafekeepError('hold-table-unfit', {
        table: table.text,
        reason: 'the columns of its key do not tell its rows apart',
      });
    return found[0];
  } catch (error) {
    // Class 22, data exception: what is no value of the column's type is no row's key. So is a NUL in a text (22021).
    if (codeOf(error)?.startsWith('22') === true) return undefined;
    throw error;
  }
}

/** A condition as SQL and what it takes as `$1`. Both come from the database, which quotes what it names. */
export type Predicate = { readonly predicate: string; readonly operands: readonly string[] };

export async function predicateOf(db: Queryable, table: Pick<HoldTable, 'oid'>, condition: Condition): Promise<Predicate> {
  const { rows } = await db.query(
    'select predicate, operands from safekeep.hold_predicate($1, $2::pg_catalog.oid::pg_catalog.regclass, false, $3)',
    [JSON.stringify(condition), table.oid, []],
  );
  // The out parameters of the function.
  const [made] = rows as readonly Predicate[];
  if (made === undefined) throw new Error('A function without a set answered nothing');
  return made;
}

/** The columns as the parts of a key. */
function texts(columns: readonly KeyColumn[]): string {
  return `array[${columns.map(({ name }) => `${pg.escapeIdentifier(name)}::text`).join(', ')}]`;
}

/** The whole key of a row as hold_rows keeps it. */
export function keyText(columns: readonly KeyColumn[]): string {
  return columns.map(({ name }) => `safekeep.key_part(${pg.escapeIdentifier(name)}::text)`).join(` || ',' || `);
}
