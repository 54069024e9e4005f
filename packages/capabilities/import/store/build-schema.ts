import type pg from 'pg';
import { quoteName, quoteTable } from '@safekeep/postgres';

/** A relation of the target that stands where the import would put one of its own. */
export type Occupant = { readonly name: string; readonly kind: string };

const KINDS: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialised view',
  i: 'index',
  I: 'index',
  S: 'sequence',
  f: 'foreign table',
  c: 'type',
};

export async function createSchema(client: pg.ClientBase, schema: string): Promise<void> {
  await client.query(`CREATE SCHEMA ${quoteName(schema)}`);
}

export async function dropSchema(client: pg.ClientBase, schema: string): Promise<void> {
  await client.query(`DROP SCHEMA IF EXISTS ${quoteName(schema)} CASCADE`);
}

export async function schemaExists(client: pg.ClientBase, schema: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  return rowCount === 1;
}

/** Whether this login may create in the database and in the schema, where that exists. */
export async function mayCreate(
  client: pg.ClientBase,
  schema: string,
): Promise<{ readonly inDatabase: boolean; readonly inSchema: boolean; readonly user: string; readonly database: string }> {
  const { rows } = await client.query<{ inDatabase: boolean; inSchema: boolean; user: string; database: string }>(
    `SELECT has_database_privilege(current_database(), 'CREATE') AS "inDatabase",
            coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1), true) AS "inSchema",
            current_user AS "user", current_database() AS database`,
    [schema],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('The server did not tell our rights');
  return row;
}

/** Relations of `schema` by any of these names. */
export async function findOccupants(client: pg.ClientBase, schema: string, names: readonly string[]): Promise<Occupant[]> {
  const { rows } = await client.query<{ name: string; kind: string }>(
    `SELECT relname AS name, relkind AS kind FROM pg_class
      WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relname = ANY ($2) ORDER BY relname`,
    [schema, names],
  );
  return rows.map(({ name, kind }) => ({ name, kind: KINDS[kind] ?? kind }));
}

/** Names of all relations of a schema, indexes and sequences included. */
export async function relationNames(client: pg.ClientBase, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1))',
    [schema],
  );
  return rows.map(({ name }) => name);
}

export type Movable = { readonly name: string; readonly kind: 'r' | 'v' };

/** Tables and views of a schema; what belongs to a table (indexes, identity sequences) moves with it. */
export async function movables(client: pg.ClientBase, schema: string): Promise<Movable[]> {
  const { rows } = await client.query<Movable>(
    `SELECT relname AS name, relkind AS kind FROM pg_class
      WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind IN ('r', 'v') ORDER BY relkind, relname`,
    [schema],
  );
  return rows;
}

/** Moves a table or view to another schema: a change of the catalog only, whatever its size. */
export async function moveRelation(client: pg.ClientBase, relation: Movable, from: string, to: string): Promise<void> {
  await client.query(
    `ALTER ${relation.kind === 'v' ? 'VIEW' : 'TABLE'} ${quoteTable({ schema: from, table: relation.name })} SET SCHEMA ${quoteName(to)}`,
  );
}

/** What outside of `names` rests on these tables: foreign keys and views that would follow them out of the way. */
export async function dependentsOutside(
  client: pg.ClientBase,
  schema: string,
  names: readonly string[],
): Promise<{ readonly table: string; readonly dependent: string }[]> {
  const { rows } = await client.query<{ table: string; dependent: string }>(
    `WITH mine AS (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relname = ANY ($2))
     SELECT confrelid::regclass::text AS "table", 'foreign key ' || conname || ' of ' || conrelid::regclass::text AS dependent
       FROM pg_constraint WHERE contype = 'f' AND confrelid IN (SELECT oid FROM mine) AND conrelid NOT IN (SELECT oid FROM mine)
     UNION
     SELECT d.refobjid::regclass::text, 'view ' || r.ev_class::regclass::text
       FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM mine) AND r.ev_class NOT IN (SELECT oid FROM mine)
     ORDER BY 1, 2`,
    [schema, names],
  );
  return rows;
}

/** The first table on which something of Safekeep's stands: a trigger of the audit log or of a field, a guard against plaintext. */
export async function protectedTable(client: pg.ClientBase, schema: string, names: readonly string[]): Promise<string | undefined> {
  const { rows } = await client.query<{ table: string }>(
    `WITH mine AS (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relname = ANY ($2))
     SELECT tgrelid::regclass::text AS "table" FROM pg_trigger
      WHERE tgrelid IN (SELECT oid FROM mine) AND NOT tgisinternal AND tgname LIKE '%safekeep\\_%'
     UNION
     SELECT conrelid::regclass::text FROM pg_constraint
      WHERE conrelid IN (SELECT oid FROM mine) AND contype = 'c' AND conname LIKE '%safekeep\\_%'
     ORDER BY 1 LIMIT 1`,
    [schema, names],
  );
  return rows[0]?.table;
}

export async function countRows(client: pg.ClientBase, schema: string, table: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) AS count FROM ${quoteTable({ schema, table })}`);
  return Number(rows[0]?.count);
}

export async function analyze(client: pg.ClientBase, schema: string, table: string): Promise<void> {
  await client.query(`ANALYZE ${quoteTable({ schema, table })}`);
}

/** Drops relations together, so that they may depend on each other; anything else that depends on them makes it fail. */
export async function dropRelations(client: pg.ClientBase, schema: string, relations: readonly Movable[]): Promise<void> {
  for (const kind of ['v', 'r'] as const) {
    const names = relations.filter((relation) => relation.kind === kind).map(({ name }) => quoteTable({ schema, table: name }));
    if (names.length > 0) await client.query(`DROP ${kind === 'v' ? 'VIEW' : 'TABLE'} ${names.join(', ')} RESTRICT`);
  }
}

export async function lockAgainstWrites(client: pg.ClientBase, schema: string, tables: readonly string[]): Promise<void> {
  if (tables.length > 0)
    await client.query(`LOCK TABLE ${tables.map((table) => quoteTable({ schema, table })).join(', ')} IN SHARE ROW EXCLUSIVE MODE`);
}
