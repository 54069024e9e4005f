import type pg from 'pg';
import { quoteName, quoteTable, quoteText } from '@safekeep/postgres';
import type { TakenForeignKey } from '../model.ts';

// What is changed about the tables of the target while they follow, and put back.

export type TargetTables = { readonly schema: string; readonly tables: readonly string[] };

/**
 * Takes the foreign keys off the tables. Rows come in as they changed, in no order of theirs, and an ON DELETE CASCADE of the
 * target would act a second time on what the source has done already.
 */
export async function takeForeignKeys(client: pg.ClientBase, { schema, tables }: TargetTables): Promise<TakenForeignKey[]> {
  // With an empty search_path pg_get_constraintdef names every table with its schema.
  await client.query(`SET LOCAL search_path = ''`);
  const { rows } = await client.query<TakenForeignKey>(
    `SELECT c.relname AS "table", k.conname AS name, pg_catalog.pg_get_constraintdef(k.oid) AS definition, k.convalidated AS validated
       FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE k.contype = 'f' AND n.nspname = $1 AND c.relname = ANY ($2) ORDER BY c.relname, k.conname`,
    [schema, tables],
  );
  for (const { table, name } of rows)
    await client.query(`ALTER TABLE ${quoteTable({ schema, table })} DROP CONSTRAINT ${quoteName(name)}`);
  return rows;
}

/** Puts them back without looking at the rows, which takes no time; they bind every write from now on. */
export async function putBackForeignKeys(client: pg.ClientBase, schema: string, keys: readonly TakenForeignKey[]): Promise<void> {
  for (const { table, name, definition } of keys) {
    const notValid = definition.endsWith('NOT VALID') ? '' : ' NOT VALID';
    await client.query(`ALTER TABLE ${quoteTable({ schema, table })} ADD CONSTRAINT ${quoteName(name)} ${definition}${notValid}`);
  }
}

export function validateForeignKeySql(schema: string, { table, name }: TakenForeignKey): string {
  return `ALTER TABLE ${quoteTable({ schema, table })} VALIDATE CONSTRAINT ${quoteName(name)}`;
}

/** Columns that the server computes: they are not written. */
export async function generatedColumns(client: pg.ClientBase, schema: string, table: string): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT a.attname AS name FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''`,
    [quoteTable({ schema, table })],
  );
  return new Set(rows.map(({ name }) => name));
}

/** Sets the identity of a table beyond its largest number and beyond `atLeast`; never back. */
export async function advanceIdentity(
  client: pg.ClientBase,
  place: { readonly schema: string; readonly table: string },
  atLeast: string,
): Promise<void> {
  const table = quoteTable({ schema: place.schema, table: place.table });
  const { rows } = await client.query<{ column: string; sequence: string }>(
    `SELECT a.attname AS "column", pg_catalog.pg_get_serial_sequence($1, a.attname) AS sequence FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND a.attidentity <> ''`,
    [table],
  );
  for (const { column, sequence } of rows) {
    await client.query(
      `SELECT pg_catalog.setval(${quoteText(sequence)}, number) FROM (
         SELECT greatest((SELECT max(${quoteName(column)}) FROM ${table}), $1::bigint, (SELECT last_value FROM ${sequence} WHERE is_called)) AS number
       ) AS used WHERE number >= 1`,
      [atLeast],
    );
  }
}

// ---- the log for the way back --------------------------------------------------------------------------------------------

const EVENTS = [
  ['INSERT', 'REFERENCING NEW TABLE AS new_rows'],
  ['UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'],
  ['DELETE', 'REFERENCING OLD TABLE AS old_rows'],
  ['TRUNCATE', ''],
] as const;

export type WayBack = { readonly tenant: string; readonly runId: string; readonly until: Date };

/** Triggers that note which rows of the table change, see sql/functions/note_import_changes.sql. */
export async function createWayBack(
  client: pg.ClientBase,
  place: { readonly schema: string; readonly table: string; readonly key: readonly string[] },
  back: WayBack,
): Promise<void> {
  const settings = [back.tenant, back.runId, back.until.toISOString(), ...place.key].map(quoteText).join(', ');
  for (const [event, transition] of EVENTS) {
    await client.query(
      `CREATE TRIGGER ${quoteName(triggerName(back.runId, event))} AFTER ${event} ON ${quoteTable({ schema: place.schema, table: place.table })} ${transition}
         FOR EACH STATEMENT EXECUTE FUNCTION safekeep.note_import_changes(${settings})`,
    );
  }
}

export async function dropWayBack(client: pg.ClientBase, { schema, tables }: TargetTables, runId: string): Promise<void> {
  for (const table of tables) {
    for (const [event] of EVENTS)
      await client.query(`DROP TRIGGER IF EXISTS ${quoteName(triggerName(runId, event))} ON ${quoteTable({ schema, table })}`);
  }
}

function triggerName(runId: string, event: string): string {
  return `safekeep_import_${event.toLowerCase()}_${runId.replaceAll('-', '')}`;
}
