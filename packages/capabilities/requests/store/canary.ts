import type pg from 'pg';
import type { Tenancy } from '../rules/graph.ts';
import { bareType, columnOf, lengthOf, type TableFacts } from '@safekeep/core';
import type { RowKey } from '../model.ts';
import type { Rows } from './act.ts';
import { isOneOf, Parameters, quote, quoteTable } from './sql.ts';
import { arrays, ofTenant } from './traverse.ts';

/** A text that stands nowhere by chance, as long as the column lets it be. */
const TOKEN_LEAST = 8;

/** What becomes of a column in the copy of a row. */
export type CopyColumn =
  | { readonly name: string; readonly as: 'kept' | 'default' }
  | { readonly name: string; readonly as: 'value'; readonly text: string | null };

/** Copies one row with some columns changed, or only tries; returns the values of all its columns as text, or undefined where the database refuses. */
export async function copyRow(
  client: pg.ClientBase,
  source: Rows,
  columns: readonly CopyColumn[],
  end: 'keep' | 'try',
): Promise<Readonly<Record<string, string | null>> | undefined> {
  const parameters = new Parameters();
  const given = columns.filter(({ as }) => as !== 'default');
  const list = given.map((column) => {
    if (column.as !== 'value') return `t.${quote(column.name)}`;
    return `${parameters.add(column.text)}::text::${columnOf(source.facts, column.name)?.type ?? 'text'}`;
  });
  const where = isOneOf(source.identity, 't', source.keys, parameters);
  const names = source.facts.columns.map(({ name }) => name);
  const returning = names.map((name) => `${quote(name)}::text`).join(', ');
  await client.query('savepoint safekeep_copy');
  try {
    const rows = await arrays(
      client,
      `insert into ${quoteTable(source.table)} (${given.map(({ name }) => quote(name)).join(', ')}) select ${list.join(', ')} from ${quoteTable(source.table)} as t where ${where} limit 1 returning ${returning}`,
      parameters,
    );
    await client.query(end === 'keep' ? 'release savepoint safekeep_copy' : 'rollback to savepoint safekeep_copy');
    const [row] = rows;
    return row === undefined ? undefined : Object.fromEntries(names.map((name, place) => [name, row[place] ?? null]));
  } catch (error) {
    await client.query('rollback to savepoint safekeep_copy');
    if (error instanceof Error && 'code' in error && typeof error.code === 'string' && /^(22|23|P0|428|44)/.test(error.code))
      return undefined;
    throw error;
  }
}

/** All columns of one row as text. */
export async function readRow(client: pg.ClientBase, source: Rows): Promise<Readonly<Record<string, string | null>>> {
  const parameters = new Parameters();
  const names = source.facts.columns.map(({ name }) => name);
  const where = isOneOf(source.identity, 't', source.keys, parameters);
  const rows = await arrays(
    client,
    `select ${names.map((name) => `t.${quote(name)}::text`).join(', ')} from ${quoteTable(source.table)} as t where ${where} limit 1`,
    parameters,
  );
  return Object.fromEntries(names.map((name, place) => [name, rows[0]?.[place] ?? null]));
}

/** Whether a column can hold a token, cut to its length. */
export function tokenFor(facts: TableFacts, column: string, token: string): string | undefined {
  const found = columnOf(facts, column);
  if (found === undefined || found.isArray || found.enumLabels !== null || found.generated !== null) return undefined;
  const type = bareType(found);
  if (!['text', 'character varying', 'character'].includes(type) && !type.endsWith('citext')) return undefined;
  const limit = lengthOf(found) ?? 80;
  return limit < TOKEN_LEAST ? undefined : token.slice(0, limit);
}

/** The next number for a key that nobody numbers. */
export async function nextNumber(client: pg.ClientBase, table: string, column: string): Promise<string> {
  const rows = await arrays(
    client,
    `select (coalesce(max(t.${quote(column)}), 0) + 1)::text from ${quoteTable(table)} as t`,
    new Parameters(),
  );
  return rows[0]?.[0] ?? '1';
}

/** In which tables of the user's a text stands, in any column. */
export async function tablesWith(client: pg.ClientBase, tables: readonly string[], text: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const table of tables) {
    const parameters = new Parameters();
    const place = parameters.add(text);
    const rows = await arrays(
      client,
      `select '1'::text from ${quoteTable(table)} as t where strpos(t::text, ${place}) > 0 limit 1`,
      parameters,
    );
    if (rows.length > 0) found.push(table);
  }
  return found;
}

/** The key of some person. */
export async function anyPerson(
  client: pg.ClientBase,
  subject: { readonly table: string; readonly key: readonly string[] },
  tenancy: Tenancy,
): Promise<RowKey | undefined> {
  const parameters = new Parameters();
  const list = subject.key.map((column) => `t.${quote(column)}::text`);
  const rows = await arrays(
    client,
    `select ${list.join(', ')} from ${quoteTable(subject.table)} as t where true${ofTenant(tenancy.way, tenancy.tenant, parameters)} order by ${list.join(', ')} limit 1`,
    parameters,
  );
  return rows[0]?.map(String);
}

export async function insertCanaryRun(
  client: pg.ClientBase,
  tenant: string,
  run: { readonly id: string; readonly at: Date; readonly state: 'pass' | 'fail' | 'not-evaluable'; readonly result: object },
): Promise<void> {
  await client.query('insert into safekeep.canary_runs (tenant_id, run_id, at, state, result) values ($1, $2, $3, $4, $5)', [
    tenant,
    run.id,
    run.at,
    run.state,
    JSON.stringify(run.result),
  ]);
}
