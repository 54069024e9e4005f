import type pg from 'pg';
import { quoteTable } from '@safekeep/postgres';
import type { FollowPair } from '../model.ts';
import { keyForms } from '../columns.ts';
import { keyNames } from './changed-keys.ts';
import { quotedTarget, sameSql, textSql } from '../typed-back.ts';

/** A table of the target with rows that changed since the cut-over. */
export type TargetChange = {
  readonly pair: FollowPair;
  /** Temporary table of the target with the keys, typed. */
  readonly keysTable: string;
  /** Temporary table of the target with the rows that the source has under these keys. */
  readonly oldTable: string;
  /** It was emptied as a whole once: the source may have rows under keys that no entry names. */
  readonly truncated: boolean;
};

/** How one row looks from the target: its key, and by column its text and whether the source has the same value already. */
export type TargetRow = {
  readonly key: readonly string[];
  readonly isThere: boolean;
  readonly wasThere: boolean;
  readonly texts: readonly (string | null)[];
  readonly same: readonly boolean[];
};

const ROWS_AT_ONCE = 1_000;

/** Makes the texts of values the same whatever the session is set to; to the end of the transaction. */
export async function setPlainTexts(client: pg.ClientBase): Promise<void> {
  await client.query(
    `SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1`,
  );
}

/** The changed keys of each table. The caller holds a lock that keeps further changes out. */
export async function targetChanges(
  client: pg.ClientBase,
  place: { readonly tenant: string; readonly runId: string; readonly schema: string },
  pairs: readonly FollowPair[],
): Promise<TargetChange[]> {
  const changes: TargetChange[] = [];
  for (const [number, pair] of pairs.entries()) {
    const where = 'tenant_id = $1 AND run_id = $2 AND target = $3';
    const parameters = [place.tenant, place.runId, pair.target];
    const { rows } = await client.query<{ all: boolean }>(
      `SELECT key IS NULL AS "all" FROM safekeep.import_changes WHERE ${where} GROUP BY 1`,
      parameters,
    );
    if (rows.length === 0) continue;
    const names = keyNames(pair);
    const [keysTable, oldTable] = [`safekeep_back_keys_${number}`, `safekeep_back_old_${number}`];
    const table = quoteTable({ schema: place.schema, table: pair.target });
    await client.query(`CREATE TEMP TABLE ${keysTable} ON COMMIT DROP AS SELECT ${names.join(', ')} FROM ${table} WITH NO DATA`);
    await client.query(`CREATE TEMP TABLE ${oldTable} ON COMMIT DROP AS SELECT * FROM ${table} WITH NO DATA`);
    const typed = keyForms(pair).map(({ type }, at) => `key[${at + 1}]::${type}`);
    await client.query(
      `INSERT INTO pg_temp.${keysTable} SELECT DISTINCT ${typed.join(', ')} FROM safekeep.import_changes WHERE ${where} AND key IS NOT NULL`,
      parameters,
    );
    changes.push({ pair, keysTable, oldTable, truncated: rows.some((row) => row.all) });
  }
  return changes;
}

/** After TRUNCATE: the rows that the source still has, and the target had, are changed too. */
export async function addKeysOfSource(client: pg.ClientBase, { pair, keysTable, oldTable }: TargetChange): Promise<void> {
  const names = keyNames(pair).join(', ');
  await client.query(
    `INSERT INTO pg_temp.${keysTable} SELECT ${names} FROM pg_temp.${oldTable} EXCEPT SELECT ${names} FROM pg_temp.${keysTable}`,
  );
}

/** Keys as texts, a page at a time. */
export async function eachKey(
  client: pg.ClientBase,
  { pair, keysTable }: TargetChange,
  take: (key: readonly string[]) => void,
): Promise<void> {
  await eachRow<{ key: string[] }>(
    client,
    `SELECT array[${keyTexts(pair, 'k').join(', ')}] AS key FROM pg_temp.${keysTable} AS k`,
    ({ key }) => take(key),
  );
}

export async function eachChangedRow(
  client: pg.ClientBase,
  schema: string,
  { pair, keysTable, oldTable }: TargetChange,
  take: (row: TargetRow) => void,
): Promise<void> {
  await client.query(`ANALYZE pg_temp.${keysTable}; ANALYZE pg_temp.${oldTable}`);
  const names = keyNames(pair);
  const on = (table: string): string => names.map((name) => `${table}.${name} = k.${name}`).join(' AND ');
  const columns = pair.form.columns;
  const texts = columns.map((form, at) => textSql(quotedTarget('t', form), form, pair.spellings[at] ?? null));
  const same = columns.map((form) => sameSql(quotedTarget('t', form), quotedTarget('o', form), form));
  await eachRow<TargetRow>(
    client,
    `SELECT array[${keyTexts(pair, 'k').join(', ')}] AS key, t.${names[0] ?? ''} IS NOT NULL AS "isThere", o.${names[0] ?? ''} IS NOT NULL AS "wasThere",
            array[${texts.join(', ')}]::text[] AS texts, array[${same.join(', ')}] AS same
       FROM pg_temp.${keysTable} AS k LEFT JOIN ${quoteTable({ schema, table: pair.target })} AS t ON ${on('t')} LEFT JOIN pg_temp.${oldTable} AS o ON ${on('o')}`,
    take,
  );
}

/** Makes a view of the rows of the target that have these keys now; its name is returned. */
export async function createRowsView(client: pg.ClientBase, schema: string, { pair, keysTable }: TargetChange): Promise<string> {
  const view = `${keysTable}_rows`;
  const columns = pair.form.columns.map((form) => quotedTarget('t', form)).join(', ');
  const on = keyNames(pair).map((name) => `t.${name} = k.${name}`);
  await client.query(
    `CREATE TEMP VIEW ${view} AS SELECT ${columns} FROM ${quoteTable({ schema, table: pair.target })} AS t JOIN pg_temp.${keysTable} AS k ON ${on.join(' AND ')}`,
  );
  return view;
}

export async function deleteChanges(
  client: pg.ClientBase,
  { tenant, runId }: { readonly tenant: string; readonly runId: string },
): Promise<void> {
  await client.query('DELETE FROM safekeep.import_changes WHERE tenant_id = $1 AND run_id = $2', [tenant, runId]);
}

function keyTexts(pair: FollowPair, table: string): string[] {
  return keyForms(pair).map((form) =>
    textSql(quotedTarget(table, form), form, pair.spellings[pair.form.columns.indexOf(form)] ?? null),
  );
}

// oxlint-disable-next-line no-unnecessary-type-parameters -- says what the rows are, as node-postgres' own query<Row> does
async function eachRow<Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  select: string,
  take: (row: Row) => void,
): Promise<void> {
  await client.query(`DECLARE safekeep_back NO SCROLL CURSOR FOR ${select}`);
  for (;;) {
    const { rows } = await client.query<Row>(`FETCH ${ROWS_AT_ONCE} FROM safekeep_back`);
    for (const row of rows) take(row);
    if (rows.length < ROWS_AT_ONCE) break;
  }
  await client.query('CLOSE safekeep_back');
}
