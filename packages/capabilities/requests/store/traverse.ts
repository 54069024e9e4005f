import type pg from 'pg';
import { columnOf, SafekeepError, type SchemaIndex, type TableFacts } from '@safekeep/core';
import type { Identity, RowKey } from '../model.ts';
import { partsOf, PERSON, type Graph, type Node, type TenantWay } from '../rules/graph.ts';
import { lockPerson } from './session.ts';
import { alongHops, isAmong, Parameters, quote, quoteTable } from './sql.ts';

/** What was found on the way: for each node that others ask, the values they ask for. Rows themselves are found by these. */
export type Reach = {
  readonly tenant: string;
  readonly graph: Graph;
  readonly schema: SchemaIndex;
  readonly values: ReadonlyMap<string, readonly RowKey[]>;
  /** Also by values that stand there no more: by now they may lead to somebody else. */
  readonly isOfBefore?: boolean;
};

type Start = {
  readonly graph: Graph;
  readonly schema: SchemaIndex;
  readonly key: RowKey;
  /** A person of another tenant is nobody. */
  readonly tenant: string;
};

export type FollowOptions = {
  /** Lock what is passed, so that nothing can be hung on it until the transaction ends. */
  readonly lock: boolean;
  readonly onProgress?: (values: number) => void;
  readonly signal?: AbortSignal;
};

/**
 * Rows that other rows hang on are held in memory by the columns that tie them; rows that nothing hangs on never are. Two
 * million bookings of one person fit into 200 MB; whoever has more has something else in that table.
 */
const VALUES_AT_MOST = 2_000_000;
/** Each round goes one step along a circle; a circle over all of a person's rows ends with its last row. */
const ROUNDS_AT_MOST = 10_000;

/**
 * Follows every path of the map from one person outwards until nothing new is found. Undefined where there is no such person.
 * The person's own row is locked first where `lock` is asked for.
 */
export async function followPaths(client: pg.ClientBase, start: Start, options: FollowOptions): Promise<Reach | undefined> {
  const own = await personRow(client, start, options.lock);
  return own === undefined ? undefined : await followFrom(client, { ...start, own }, options);
}

/**
 * From the columns of the person's own row that `personRow` gave, where there is one, and from what was found `before`: what has come to hang on
 * that since is found too.
 */
export async function followFrom(
  client: pg.ClientBase,
  {
    graph,
    schema,
    tenant,
    own,
    before,
  }: Omit<Start, 'key'> & { readonly own: RowKey | undefined; readonly before?: Reach | undefined },
  options: FollowOptions,
): Promise<Reach> {
  const found = new Map<string, Found>([...graph.nodes.keys()].map((id) => [id, { seen: new Set(), rows: [], taken: new Map() }]));
  if (own !== undefined) add(found, PERSON, [own]);
  for (const [id, rows] of before?.values ?? []) add(found, id, rows);
  // Shorter paths first: without circles one round finds everything, and the second sees that there is nothing more.
  const asked = [...graph.nodes.values()]
    .filter(({ id }) => id !== PERSON && graph.wanted.has(id))
    .toSorted((a, b) => a.id.length - b.id.length);
  for (let round = 0, isNew = true; isNew; round += 1) {
    if (round === ROUNDS_AT_MOST)
      throw new SafekeepError('subject-too-large', { limit: ROUNDS_AT_MOST, what: 'steps in a circle' });
    isNew = false;
    for (const node of asked) {
      options.signal?.throwIfAborted();
      const ends = [...node.sources].flatMap((source) => endsAt(graph, node, source, untaken(found, node, source)));
      if (ends.length === 0) continue;
      isNew = true;
      add(found, node.id, await askNode(client, { graph, schema, tenant, node, ends }, options.lock));
      const total = [...found.values()].reduce((sum, { rows }) => sum + rows.length, 0);
      if (total > VALUES_AT_MOST)
        throw new SafekeepError('subject-too-large', { limit: VALUES_AT_MOST, what: 'rows that others hang on' });
      options.onProgress?.(total);
    }
  }
  const values = new Map([...found].map(([id, { rows }]) => [id, rows]));
  return { graph, schema, tenant, values, isOfBefore: before !== undefined };
}

/** What a node has found, and how much of what its sources found it has asked with. */
type Found = { readonly seen: Set<string>; readonly rows: RowKey[]; readonly taken: Map<string, number> };

function add(found: ReadonlyMap<string, Found>, id: string, rows: readonly RowKey[]): void {
  const known = foundBy(found, id);
  for (const row of rows) {
    const text = row.length === 1 ? String(row[0]) : JSON.stringify(row);
    if (known.seen.has(text)) continue;
    known.seen.add(text);
    known.rows.push(row);
  }
}

function untaken(found: ReadonlyMap<string, Found>, { id }: Node, source: string): readonly RowKey[] {
  const { taken } = foundBy(found, id);
  const { rows } = foundBy(found, source);
  const from = taken.get(source) ?? 0;
  taken.set(source, rows.length);
  return rows.slice(from);
}

function foundBy(found: ReadonlyMap<string, Found>, id: string): Found {
  const known = found.get(id);
  if (known === undefined) throw new Error('Every node has its place');
  return known;
}

/** The columns of the person's own row that others refer to, locked where asked for; undefined where there is no such person. */
export async function personRow(
  client: pg.ClientBase,
  { graph, schema, key, tenant }: Start,
  lock: boolean,
): Promise<RowKey | undefined> {
  const { subject } = graph;
  if (lock) await lockPerson(client, { tenant, person: { type: subject.name, key }, shared: false });
  const wanted = graph.wanted.get(PERSON) ?? [];
  const parameters = new Parameters();
  const texts = [...subject.key, ...wanted].map((column) => `t.${quote(column)}::text`);
  const where = keyMatch(schema, subject, key, parameters);
  if (where === undefined) return undefined;
  const rows = await arrays(
    client,
    `select ${texts.join(', ')} from ${quoteTable(subject.table)} as t where ${where}${ofTenant(graph.tenantWays.get(graph.subject.table) ?? null, tenant, parameters)} limit 2${lock ? ' for update' : ''}`,
    parameters,
  ).catch((error: unknown) => {
    throw isUnreadable(error) ? new SafekeepError('subject-invalid', { reason: 'its key is no value of that kind' }) : error;
  });
  if (rows.length > 1) throw new SafekeepError('subject-key-ambiguous', { subject: subject.name, table: subject.table });
  requireOwnText(key, rows[0]);
  return rows[0]?.slice(subject.key.length) as RowKey | undefined; // Null values are filtered where they are asked for.
}

/** Holds, marks, keys and the log know people by the text of their key: under another text of it nothing of theirs is found, or exported, or erased. */
export function requireOwnText(key: RowKey, row: readonly (string | null)[] | undefined): void {
  if (row !== undefined && key.some((part, place) => part !== row[place]))
    throw new SafekeepError('subject-invalid', { reason: 'the database writes its key in another way' });
}

/** PostgreSQL 22P02, 22003, 22007, 22008: the text is no number, date or uuid, or out of range. Its message quotes the text: it goes no further. */
function isUnreadable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['22P02', '22003', '22007', '22008'].includes(String(error.code));
}

/** The condition that rows are this tenant's, to go on with; empty where a table has those of one tenant only. */
export function ofTenant(way: TenantWay | null, tenant: string, parameters: Parameters): string {
  if (way === null) return '';
  const { hops, column } = way;
  const isTheirs = (alias: string): string => `${alias}.${quote(column)}::text = ${parameters.add(tenant)}`;
  if (hops.length === 0) return ` and ${isTheirs('t')}`;
  const { from, where, last } = alongHops('t', hops, 'w');
  return ` and exists (select from ${from} where ${where} and ${isTheirs(last)})`;
}

/**
 * The condition, to go on with, that rows are no rows of an heir (old-style inheritance) by which the person is reached as well: that one is
 * asked for them, with all of its columns. Empty where a table has no such heirs, or is only passed: a path leads over all of its rows.
 */
function ofItself({ graph, schema }: Pick<Start, 'graph' | 'schema'>, { table, edge }: Node, parameters: Parameters): string {
  if (edge === null || !schema.parents.has(table)) return '';
  const apart = partsOf(schema, table)
    .filter((heir) => graph.edgesOf.has(heir))
    .flatMap((heir) => [heir, ...partsOf(schema, heir)]);
  return apart.length === 0
    ? ''
    : ` and t.tableoid <> all (${parameters.add([...new Set(apart)].map(quoteTable))}::pg_catalog.regclass[])`;
}

/** That a row is the person's own. Undefined for a key of another number of parts. */
export function keyMatch(
  schema: SchemaIndex,
  subject: { readonly table: string; readonly key: readonly string[] },
  key: RowKey,
  parameters: Parameters,
): string | undefined {
  if (key.length !== subject.key.length) return undefined;
  const table = tableOf(schema, subject.table);
  return subject.key
    .map((column, place) => `t.${quote(column)} = ${parameters.add(key[place])}::text::${typeOf(table, column)}`)
    .join(' and ');
}

/** The values that a step arrives at, out of what a source found. A null leads nowhere. */
function endsAt(graph: Graph, node: Node, source: string, rows: readonly RowKey[]): readonly RowKey[] {
  const wanted = graph.wanted.get(source) ?? [];
  const places = (node.hop?.references ?? []).map((column) => wanted.indexOf(column));
  const isAsFound = places.length === wanted.length && places.every((place, at) => place === at);
  // Of hundreds of thousands no copies are made.
  if (isAsFound) return rows.filter(isWhole);
  return rows.map((row) => places.map((place) => row[place])).filter((values): values is string[] => isWhole(values));
}

function isWhole(values: readonly (string | null | undefined)[]): boolean {
  return values.every((value) => value !== null && value !== undefined);
}

/** The values that a step of a path arrives at. */
export function allEnds({ graph, values }: Reach, node: Node): readonly RowKey[] {
  return [...node.sources].flatMap((source) => endsAt(graph, node, source, values.get(source) ?? []));
}

async function askNode(
  client: pg.ClientBase,
  { graph, schema, tenant, node, ends }: Omit<Start, 'key'> & { readonly node: Node; readonly ends: readonly RowKey[] },
  lock: boolean,
): Promise<readonly RowKey[]> {
  const parameters = new Parameters();
  const texts = (graph.wanted.get(node.id) ?? []).map((column) => `t.${quote(column)}::text`);
  // Also of heirs: by these rows others are found.
  const where = matchEnds({ graph, schema, tenant }, { node, ends }, parameters);
  const rows = await arrays(
    client,
    `select ${texts.join(', ')} from ${quoteTable(node.table)} as t where ${where}${lock ? ' for update' : ''}`,
    parameters,
  );
  return rows as readonly RowKey[]; // As above.
}

function matchEnds(
  { graph, schema, tenant }: Omit<Start, 'key'>,
  { node, ends }: { readonly node: Node; readonly ends: readonly RowKey[] },
  parameters: Parameters,
): string {
  const { hop, table } = node;
  if (hop === null) throw new Error('The person has no step');
  const to = tableOf(schema, hop.to);
  const among = isAmong(
    { alias: 't', columns: hop.columns, types: hop.references.map((column) => typeOf(to, column)), values: ends },
    parameters,
  );
  // A path by a number alone would lead to another tenant's row of the same number.
  return `${among}${ofTenant(graph.tenantWays.get(table) ?? null, tenant, parameters)}`;
}

/** The condition by which a path makes rows of its table the person's; undefined where it leads to none. */
export function edgeCondition(
  reach: Reach,
  { node, key }: { readonly node: Node; readonly key: RowKey },
  parameters: Parameters,
): string | undefined {
  const match = node.id === PERSON ? ownMatch(reach, key, parameters) : matchFound(reach, node, parameters);
  return match === undefined ? undefined : `(${match}${ofItself(reach, node, parameters)})`;
}

function ownMatch({ graph, schema, tenant }: Reach, key: RowKey, parameters: Parameters): string | undefined {
  const { subject, tenantWays } = graph;
  const match = keyMatch(schema, subject, key, parameters);
  return match === undefined ? undefined : `${match}${ofTenant(tenantWays.get(subject.table) ?? null, tenant, parameters)}`;
}

function matchFound(reach: Reach, node: Node, parameters: Parameters): string | undefined {
  const ends = allEnds(reach, node);
  return ends.length === 0 ? undefined : matchEnds(reach, { node, ends }, parameters);
}

/**
 * How rows of a table are told apart: primary key, else a key without nulls, else by place. A key of a table with children of old-style
 * inheritance is none over all of them: the same number may stand in a child for somebody else, so there the table is part of it.
 */
export function identityOf(schema: SchemaIndex, name: string): Identity {
  const table = tableOf(schema, name);
  const isSolid = (columns: readonly string[]): boolean => columns.every((name) => columnOf(table, name)?.notNull === true);
  const key = table.primaryKey ?? table.uniques.find(({ columns }) => isSolid(columns));
  if (key === undefined || key === null) return { kind: 'place' };
  const columns = key.columns.map((column) => ({ name: column, type: typeOf(table, column) }));
  return { kind: 'key', columns: schema.parents.has(name) ? [TABLE_OF_ROW, ...columns] : columns };
}

const TABLE_OF_ROW = { name: 'tableoid', type: 'oid' };

/** The key as the table has it, without what tells it from the same key in another table. */
export function plainKey(identity: Identity, key: RowKey): RowKey {
  return identity.kind === 'key' && identity.columns[0] === TABLE_OF_ROW ? key.slice(1) : key;
}

export function tableOf(schema: SchemaIndex, name: string): TableFacts {
  const table = schema.byName.get(name);
  if (table === undefined) throw new SafekeepError('map-does-not-fit', { problems: `there is no table ${name}` });
  return table;
}

export function typeOf(table: TableFacts, column: string): string {
  const facts = columnOf(table, column);
  if (facts === undefined)
    throw new SafekeepError('map-does-not-fit', { problems: `there is no column ${column} in ${table.schema}.${table.name}` });
  // The server's own words for the type.
  return facts.baseType;
}

/** Whether rows say who wrote them: those of a foreign table, be it a partition or an heir of this one, have no `xmin`. */
export function tellsWriters(schema: SchemaIndex, name: string): boolean {
  return [name, ...partsOf(schema, name)].every((part) => tableOf(schema, part).kind !== 'foreign-table');
}

/** Rows as arrays of text. */
export async function arrays(client: pg.ClientBase, text: string, parameters: Parameters): Promise<(string | null)[][]> {
  const { rows } = await client.query<(string | null)[]>({ text, values: parameters.values, rowMode: 'array' });
  return rows;
}
