import type pg from 'pg';
import { bareType, columnOf, encryptedName, type Subject, type TableFacts } from '@safekeep/core';
import type { RowKey } from '../model.ts';
import type { Tenancy } from '../rules/graph.ts';
import { isAmong, Parameters, quote, quoteTable } from './sql.ts';
import { arrays, ofTenant, typeOf } from './traverse.ts';

export type Match = { readonly key: RowKey; readonly label: string | null };

const TEXTS: ReadonlySet<string> = new Set(['text', 'character varying', 'character']);

/**
 * Rows of persons with this value in a column. Exactly: as it stands, so that an index serves it, and for texts without regard
 * to capitals; other types are compared as the server writes them. A part: anywhere in a text, never in another type.
 */
export async function matchValue(
  client: pg.ClientBase,
  question: {
    readonly subject: Subject;
    readonly table: TableFacts;
    readonly column: string;
    readonly query: string;
    /** Only people of this tenant, where the table has those of several. */
    readonly tenancy: Tenancy;
    readonly how: 'exact' | 'part';
    readonly limit: number;
  },
): Promise<readonly Match[]> {
  const { subject, table, column, query, how, limit, tenancy } = question;
  const facts = columnOf(table, column);
  const isText = facts !== undefined && !facts.isArray && (TEXTS.has(bareType(facts)) || bareType(facts).endsWith('citext'));
  if (how === 'part' && !isText) return [];
  const parameters = new Parameters();
  const name = `t.${quote(column)}`;
  const value = parameters.add(query);
  const condition = !isText
    ? `${name}::text = ${value}`
    : how === 'exact'
      ? `(${name} = ${value} or lower(${name}::text) = lower(${value}))`
      : `strpos(lower(${name}::text), lower(${value})) > 0`;
  const ours = ofTenant(tenancy.way, tenancy.tenant, parameters);
  return await matches(client, { subject, condition: `${condition}${ours}`, parameters, limit });
}

async function matches(
  client: pg.ClientBase,
  {
    subject,
    condition,
    parameters,
    limit,
  }: { readonly subject: Subject; readonly condition: string; readonly parameters: Parameters; readonly limit: number },
): Promise<readonly Match[]> {
  const key = subject.key.map((column) => `t.${quote(column)}::text`);
  const label = subject.label === null ? 'null::text' : `t.${quote(subject.label)}::text`;
  const rows = await arrays(
    client,
    `select ${key.join(', ')}, ${label} from ${quoteTable(subject.table)} as t where ${condition} order by ${key.join(', ')} limit ${limit}`,
    parameters,
  );
  return rows.map((row) => ({ key: row.slice(0, key.length).map(String), label: row[key.length] ?? null }));
}

/** Whether a row of persons has ciphertext and nothing in the clear beside it. */
export async function isSealedAlone(
  client: pg.ClientBase,
  { subject, column }: { readonly subject: Subject; readonly column: string },
): Promise<boolean> {
  const alone = `t.${quote(encryptedName(column))} is not null and t.${quote(column)} is null`;
  const rows = await arrays(client, `select 1 from ${quoteTable(subject.table)} as t where ${alone} limit 1`, new Parameters());
  return rows.length > 0;
}

/** The stored bytes of a column in these rows of persons. */
export async function readColumns(
  client: pg.ClientBase,
  {
    subject,
    table,
    keys,
    column,
  }: { readonly subject: Subject; readonly table: TableFacts; readonly keys: readonly RowKey[]; readonly column: string },
): Promise<readonly (Match & { readonly value: Buffer | null })[]> {
  if (keys.length === 0) return [];
  const parameters = new Parameters();
  const where = isAmong(
    { alias: 't', columns: subject.key, types: subject.key.map((name) => typeOf(table, name)), values: keys },
    parameters,
  );
  const key = subject.key.map((name) => `t.${quote(name)}::text`);
  const label =
    subject.label === null || columnOf(table, subject.label) === undefined ? 'null::text' : `t.${quote(subject.label)}::text`;
  const { rows } = await client.query<(string | Buffer | null)[]>({
    text: `select ${key.join(', ')}, ${label}, t.${quote(column)} from ${quoteTable(subject.table)} as t where ${where}`,
    values: parameters.values,
    rowMode: 'array',
  });
  return rows.map((row) => {
    const value = row[key.length + 1];
    return {
      key: row.slice(0, key.length).map(String),
      label: row[key.length] === null ? null : String(row[key.length]),
      value: Buffer.isBuffer(value) ? value : null,
    };
  });
}
