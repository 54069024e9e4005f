import type pg from 'pg';
import { columnOf, type SchemaIndex, type Subject } from '@safekeep/core';
import type { RowKey } from '../model.ts';
import type { Tenancy } from '../rules/graph.ts';
import { isAmong, Parameters, quote, quoteTable } from './sql.ts';
import { arrays, keyMatch, ofTenant, requireOwnText, tableOf, typeOf } from './traverse.ts';

/** So many people travel at once. */
const PEOPLE_AT_ONCE = 2000;

export type PersonValues = { readonly key: RowKey; readonly values: readonly (string | null)[] };

/** Every person of a kind, with some of their columns as text, in batches. */
export async function* everyPerson(
  client: pg.ClientBase,
  {
    schema,
    subject,
    columns,
    tenancy,
  }: { readonly schema: SchemaIndex; readonly subject: Subject; readonly columns: readonly string[]; readonly tenancy: Tenancy },
): AsyncGenerator<readonly PersonValues[]> {
  const facts = tableOf(schema, subject.table);
  const wanted = columns.filter((name) => columnOf(facts, name) !== undefined);
  const list = [...subject.key, ...wanted].map((column) => `t.${quote(column)}::text`);
  const [none, ours] = [new Parameters(), new Parameters()];
  await client.query(
    `declare safekeep_people no scroll cursor for select ${list.join(', ')} from ${quoteTable(subject.table)} as t where true${ofTenant(tenancy.way, tenancy.tenant, ours)}`,
    ours.values,
  );
  for (;;) {
    const rows = await arrays(client, `fetch ${PEOPLE_AT_ONCE} from safekeep_people`, none);
    yield rows.map((row) => ({ key: row.slice(0, subject.key.length).map(String), values: row.slice(subject.key.length) }));
    if (rows.length < PEOPLE_AT_ONCE) break;
  }
  await client.query('close safekeep_people');
}

/** Some columns of one person as text. */
export async function onePerson(
  client: pg.ClientBase,
  {
    schema,
    subject,
    key,
    columns,
    tenancy,
  }: {
    readonly schema: SchemaIndex;
    readonly subject: Subject;
    readonly key: RowKey;
    readonly columns: readonly string[];
    readonly tenancy: Tenancy;
  },
): Promise<readonly (string | null)[] | undefined> {
  const parameters = new Parameters();
  const where = keyMatch(schema, subject, key, parameters);
  if (where === undefined) return undefined;
  const list = [...subject.key, ...columns].map((column) => `t.${quote(column)}::text`);
  const found = await arrays(
    client,
    `select ${list.join(', ')} from ${quoteTable(subject.table)} as t where ${where}${ofTenant(tenancy.way, tenancy.tenant, parameters)} limit 1`,
    parameters,
  );
  requireOwnText(key, found[0]);
  return found[0]?.slice(subject.key.length);
}

/** Some columns of these people as text. */
export async function somePeople(
  client: pg.ClientBase,
  {
    schema,
    subject,
    keys,
    columns,
    tenancy,
  }: {
    readonly schema: SchemaIndex;
    readonly subject: Subject;
    readonly keys: readonly RowKey[];
    readonly columns: readonly string[];
    readonly tenancy: Tenancy;
  },
): Promise<readonly PersonValues[]> {
  const parameters = new Parameters();
  const table = tableOf(schema, subject.table);
  const types = subject.key.map((column) => typeOf(table, column));
  const where = isAmong({ alias: 't', columns: subject.key, types, values: keys }, parameters);
  const list = [...subject.key, ...columns].map((column) => `t.${quote(column)}::text`);
  const rows = await arrays(
    client,
    `select ${list.join(', ')} from ${quoteTable(subject.table)} as t where ${where}${ofTenant(tenancy.way, tenancy.tenant, parameters)}`,
    parameters,
  );
  return rows.map((row) => ({ key: row.slice(0, subject.key.length).map(String), values: row.slice(subject.key.length) }));
}
