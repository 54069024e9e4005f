import type pg from 'pg';
import { columnOf, type SchemaIndex, type Subject } from '@safekeep/core';
import type { RowKey } from '../model.ts';
import { Parameters, quote, quoteTable } from './sql.ts';
import { arrays, tableOf } from './traverse.ts';

/** So many people travel at once. */
const PEOPLE_AT_ONCE = 2000;

export type PersonValues = { readonly key: RowKey; readonly values: readonly (string | null)[] };

/** Every person of a kind, with some of their columns as text, in batches. */
export async function* everyPerson(
  client: pg.ClientBase,
  { schema, subject, columns }: { readonly schema: SchemaIndex; readonly subject: Subject; readonly columns: readonly string[] },
): AsyncGenerator<readonly PersonValues[]> {
  const facts = tableOf(schema, subject.table);
  const wanted = columns.filter((name) => columnOf(facts, name) !== undefined);
  const list = [...subject.key, ...wanted].map((column) => `t.${quote(column)}::text`);
  const none = new Parameters();
  await client.query(
    `declare safekeep_people no scroll cursor for select ${list.join(', ')} from ${quoteTable(subject.table)} as t`,
  );
  for (;;) {
    const rows = await arrays(client, `fetch ${PEOPLE_AT_ONCE} from safekeep_people`, none);
    yield rows.map((row) => ({ key: row.slice(0, subject.key.length).map(String), values: row.slice(subject.key.length) }));
    if (rows.length < PEOPLE_AT_ONCE) break;
  }
  await client.query('close safekeep_people');
}
