// For tests only: the smallest loader that gives the translated objects real rows on a real server. The import itself
// scans, decides and copies in its own modules.
import assert from 'node:assert/strict';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import type pg from 'pg';
import { quoteName } from '@safekeep/postgres';
import {
  createTableSql,
  readSourceSchema,
  refuse,
  settlePlain,
  settleViolated,
  translateObjects,
  unifyKeyTypes,
  type ColumnDecision,
  type ColumnFacts,
  type Decisions,
  type ObjectReport,
  type PostLoadStatement,
  type SourceColumn,
  type SourceSchema,
  type SourceTable,
  type TargetPlan,
  type TargetTable,
  type TargetType,
  type TranslateOptions,
} from './index.ts';

export const SCHEMA = 'moved';

export type Moved = { readonly schema: SourceSchema; readonly plan: TargetPlan; readonly objects: readonly ObjectReport[] };

/** A database in memory that holds what the statements made. */
export function sourceWith(sql: string): DatabaseSync {
  const source = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true, enableForeignKeyConstraints: false });
  source.exec(sql);
  return source;
}

export function planFor(
  source: DatabaseSync,
  options: Partial<TranslateOptions> = {},
): { readonly schema: SourceSchema; readonly plan: TargetPlan } {
  const schema = readSourceSchema(source);
  const { decisions } = unifyKeyTypes(schema, decide(source, schema));
  return { schema, plan: translateObjects(schema, decisions, { schema: SCHEMA, naming: 'exact', serverVersion: 15, ...options }) };
}

/** Makes the tables, loads every row and runs every statement, each in a savepoint of its own. */
export async function move(source: DatabaseSync, pool: pg.Pool, options: Partial<TranslateOptions> = {}): Promise<Moved> {
  const { schema, plan } = planFor(source, options);
  assert.deepEqual(plan.blockers, []);
  const client = await pool.connect();
  try {
    await client.query(`DROP SCHEMA IF EXISTS ${quoteName(plan.schema)} CASCADE; CREATE SCHEMA ${quoteName(plan.schema)}; BEGIN`);
    let objects: readonly ObjectReport[] = plan.objects;
    for (const table of plan.tables) objects = await makeTable({ client, source, plan }, table, objects);
    for (const statement of plan.statements) objects = await run(client, statement, objects);
    await client.query('COMMIT');
    return { schema, plan, objects };
  } finally {
    client.release();
  }
}

async function attempt(client: pg.PoolClient, sql: string): Promise<string | null> {
  await client.query('SAVEPOINT one');
  try {
    await client.query(sql);
    return null;
  } catch (error) {
    assert(error instanceof Error);
    await client.query('ROLLBACK TO SAVEPOINT one');
    return error.message;
  }
}

async function run(
  client: pg.PoolClient,
  statement: PostLoadStatement,
  objects: readonly ObjectReport[],
): Promise<readonly ObjectReport[]> {
  const refused = await attempt(client, statement.sql);
  if (refused === null) return objects;
  if (statement.violated !== null && /violates|is violated/.test(refused)) {
    assert.equal(await attempt(client, statement.violated.sql), null);
    return settleViolated(objects, statement);
  }
  return refuse(objects, statement.object, `${refused} in ${statement.sql}`);
}

type Loading = { readonly client: pg.PoolClient; readonly source: DatabaseSync; readonly plan: TargetPlan };

async function makeTable(
  { client, source, plan }: Loading,
  table: TargetTable,
  objects: readonly ObjectReport[],
): Promise<readonly ObjectReport[]> {
  const refused = await attempt(client, createTableSql(plan.schema, table));
  if (refused !== null) await client.query(createTableSql(plan.schema, table, { plain: true }));
  const columns = table.columns.filter((column) => refused !== null || !column.generated);
  const read = source.prepare(
    `SELECT ${columns.map(({ source: name }) => quoteName(name)).join(', ')} FROM ${quoteName(table.source)}`,
  );
  read.setReturnArrays(true);
  read.setReadBigInts(true);
  const places = columns.map((column, at) => `$${at + 1}::${column.type}`);
  const insert = `INSERT INTO ${quoteName(plan.schema)}.${quoteName(table.name)} (${columns.map(({ name }) => quoteName(name)).join(', ')}) VALUES (${places.join(', ')})`;
  // With setReturnArrays each row is an array.
  for (const row of read.all() as unknown as SQLOutputValue[][]) {
    await client.query(
      insert,
      row.map((held, at) => parameter(held, columns[at]?.type ?? 'text')),
    );
  }
  return refused === null ? objects : settlePlain(objects, table, refused);
}

function parameter(held: SQLOutputValue, type: TargetType): unknown {
  if (held === null) return null;
  if (held instanceof Uint8Array) return Buffer.from(held);
  if (type === 'bytea') return Buffer.from(String(held));
  if (type === 'boolean') return held === 1n || held === 'true';
  return typeof held === 'number' && Object.is(held, -0) ? '-0' : String(held);
}

// ---- decisions ---------------------------------------------------------------------------------------------------------

export function decide(source: DatabaseSync, schema: SourceSchema): Decisions {
  const loadable = schema.tables.filter((table) => table.loadable);
  return new Map(
    loadable.map((table) => [
      table.name,
      new Map(table.columns.filter(({ hidden }) => !hidden).map((column) => [column.name, decideColumn(source, table, column)])),
    ]),
  );
}

function decideColumn(source: DatabaseSync, table: SourceTable, column: SourceColumn): ColumnDecision {
  const facts = factsOf(source, table, column);
  return { facts, type: typeFor(column, facts), changed: null };
}

const SHAPES: readonly (readonly [pattern: RegExp, shape: string, type: TargetType])[] = [
  [/^\d{4}-\d\d-\d\d$/, 'YYYY-MM-DD', 'date'],
  [/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, 'YYYY-MM-DD HH24:MI:SS', 'timestamp'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'YYYY-MM-DD"T"HH24:MI:SS"Z"', 'timestamptz'],
];

function factsOf(source: DatabaseSync, table: SourceTable, column: SourceColumn): ColumnFacts {
  const name = quoteName(column.name);
  const counts = new Map<string, number>();
  for (const row of source
    .prepare(`SELECT typeof(${name}) AS class, count(*) AS rows FROM ${quoteName(table.name)} GROUP BY 1`)
    .all()) {
    counts.set(String(row['class']), Number(row['rows']));
  }
  const range = source.prepare(
    `SELECT min(${name}) AS low, max(${name}) AS high FROM ${quoteName(table.name)} WHERE typeof(${name}) = 'integer'`,
  );
  range.setReadBigInts(true);
  const { low, high } = range.get() ?? {};
  const texts = source
    .prepare(`SELECT ${name} AS held FROM ${quoteName(table.name)} WHERE typeof(${name}) = 'text'`)
    .all()
    .map((row) => String(row['held']));
  const shape =
    /DATE|TIME/i.test(column.declaredType) && texts.length > 0
      ? SHAPES.find(([pattern]) => texts.every((held) => pattern.test(held)))
      : undefined;
  const count = (storage: string): number => counts.get(storage) ?? 0;
  return {
    integers: count('integer'),
    reals: count('real'),
    texts: count('text'),
    blobs: count('blob'),
    nulls: count('null'),
    minimum: typeof low === 'bigint' ? low : null,
    maximum: typeof high === 'bigint' ? high : null,
    shape: shape?.[1] ?? null,
  };
}

function typeFor(column: SourceColumn, facts: ColumnFacts): TargetType {
  const numbers = facts.integers + facts.reals;
  if (facts.blobs > 0) return 'bytea';
  if (facts.texts > 0) return numbers > 0 ? 'text' : (SHAPES.find(([, shape]) => shape === facts.shape)?.[2] ?? 'text');
  if (/BOOL/i.test(column.declaredType) && facts.reals === 0 && (facts.minimum ?? 0n) >= 0n && (facts.maximum ?? 0n) <= 1n)
    return 'boolean';
  if (column.affinity === 'real') return 'double precision';
  if (facts.reals > 0) return column.affinity === 'numeric' ? 'numeric' : 'double precision';
  if (column.affinity === 'integer' || facts.integers > 0) return column.affinity === 'numeric' ? 'numeric' : 'bigint';
  const empty = { text: 'text', blob: 'text', numeric: 'numeric', real: 'double precision', integer: 'bigint' } as const;
  return empty[column.affinity];
}

// ---- comparing results -------------------------------------------------------------------------------------------------

export function stateOf({ objects }: Pick<Moved, 'objects'>, id: string): string {
  const object = objects.find((candidate) => candidate.id === id);
  assert(object !== undefined, `no object ${id} among ${objects.map((other) => other.id).join(' | ')}`);
  return object.state;
}

/** The rows of a view on both sides, in the order each gave, in one notation. */
export async function bothSides(
  source: DatabaseSync,
  pool: pg.Pool,
  view: string,
): Promise<{ readonly sqlite: string[]; readonly postgres: string[] }> {
  const statement = source.prepare(`SELECT * FROM ${quoteName(view)}`);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  // With setReturnArrays each row is an array.
  const sqlite = (statement.all() as unknown as SQLOutputValue[][]).map((row) => JSON.stringify(row.map(noted)));
  const { rows } = await pool.query<unknown[]>({
    text: `SELECT * FROM ${quoteName(SCHEMA)}.${quoteName(view)}`,
    rowMode: 'array',
    types: { getTypeParser },
  });
  return { sqlite, postgres: rows.map((row) => JSON.stringify(row.map(noted))) };
}

const BYTEA = 17;
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 700, 701, 1700]);
const TIMESTAMPTZ = 1184;

function getTypeParser(oid: number): (text: string) => unknown {
  if (oid === BYTEA) return (text) => Buffer.from(text.slice(2), 'hex');
  if (oid === TIMESTAMPTZ) return (text) => new Date(text).toISOString().replace('.000', '');
  if (oid === 16) return (text) => (text === 't' ? 1 : 0);
  return NUMBERS.has(oid) ? Number : String;
}

/** Numbers to 12 digits: the order of adding reals is open in both databases. */
function noted(held: unknown): unknown {
  if (held instanceof Uint8Array) return `x'${Buffer.from(held).toString('hex')}'`;
  if (typeof held === 'bigint') return Number(Number(held).toPrecision(12));
  return typeof held === 'number' ? Number(held.toPrecision(12)) : held;
}
