import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import pg from 'pg';
import { formatColumnName } from '@safekeep/core';
import { generatePractice, labels } from '@safekeep/sample';

/** Rows of a table that are copied: enough for the statistics to speak. */
const ROWS_AT_MOST = 400;

/**
 * The sample practice in a database, its tables with keys and references, all of it as text but what SQLite keeps as numbers; and
 * what each of its columns may fairly be called, by external name.
 */
export async function loadPractice(pool: pg.Pool): Promise<{ readonly labels: ReadonlyMap<string, readonly string[]> }> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-scan-'));
  try {
    const file = join(folder, 'practice.sqlite');
    await generatePractice({ file, size: 'small' });
    const source = new DatabaseSync(file, { readOnly: true, readBigInts: true });
    // What SQLite keeps behind a search index does not come over to PostgreSQL.
    const tables = Object.entries(labels.tables).flatMap(([table, { traits }]) => (traits.includes('search-index') ? [] : [table]));
    for (const table of tables) await copy(source, pool, table);
    for (const table of tables) await refer(source, pool, table);
    source.close();
    await pool.query('analyze');
  } finally {
    await rm(folder, { recursive: true });
  }
  const entries = Object.entries(labels.tables).flatMap(([table, { columns }]) =>
    Object.entries(columns).map(
      ([column, { category, or = [] }]) => [formatColumnName({ schema: 'public', table, column }), [category, ...or]] as const,
    ),
  );
  return { labels: new Map(entries) };
}

async function copy(source: DatabaseSync, pool: pg.Pool, table: string): Promise<void> {
  const columns = source.prepare('SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1').all(table);
  const quoted = pg.escapeIdentifier(table);
  const key = columns.filter(({ pk }) => Number(pk) > 0).map(({ name }) => pg.escapeIdentifier(String(name)));
  const list = columns.map(
    ({ name, type }) => `${pg.escapeIdentifier(String(name))} ${/INT/i.test(String(type)) ? 'bigint' : 'text'}`,
  );
  await pool.query(
    `create table ${quoted} (${[...list, ...(key.length === 0 ? [] : [`primary key (${key.join(', ')})`])].join(', ')})`,
  );
  const names = columns.map(({ name }) => `"${String(name).replaceAll('"', '""')}"`);
  const rows = source.prepare(`SELECT ${names.join(', ')} FROM "${table.replaceAll('"', '""')}" LIMIT ${ROWS_AT_MOST}`).all();
  const integers = new Set(columns.filter(({ type }) => /INT/i.test(String(type))).map(({ name }) => String(name)));
  const clean = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, asText(value, integers.has(name))])),
  );
  await pool.query(
    `insert into ${quoted} select r.* from jsonb_populate_recordset(null::${quoted}, $1) as r on conflict do nothing`,
    [JSON.stringify(clean)],
  );
}

function asText(value: SQLOutputValue | undefined, isInteger: boolean): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value.subarray(0, 32)).toString('hex');
  const text = String(value).replaceAll('\u0000', '');
  return isInteger && !/^-?\d{1,18}$/.test(text) ? null : text;
}

/** References are not checked: only some of the rows came along. */
async function refer(source: DatabaseSync, pool: pg.Pool, table: string): Promise<void> {
  const parts = source.prepare('SELECT id, "from", "table", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq').all(table);
  for (const some of Map.groupBy(parts, ({ id }) => Number(id)).values()) {
    const target = String(some[0]?.['table']);
    const from = some.map((part) => pg.escapeIdentifier(String(part['from'])));
    const to = some.map((part) => pg.escapeIdentifier(String(part['to'])));
    if (to.some((name) => name === '"null"')) continue;
    await pool.query(
      `alter table ${pg.escapeIdentifier(table)} add foreign key (${from.join(', ')}) references ${pg.escapeIdentifier(target)} (${to.join(', ')}) not valid`,
    );
  }
}
