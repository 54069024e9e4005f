import type pg from 'pg';
import { intervalOf, newId, type DataMap, type Meaning } from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import type { Identity, RowKey } from '../model.ts';
import type { Node } from '../rules/graph.ts';
import type { Referring, Rows } from './act.ts';
import { identityNames, identityTexts, isOneOf, Parameters, quote, quoteTable } from './sql.ts';
import { ALONE, standingIn, waysToPeople, type Way } from './standing.ts';
import { arrays, edgeCondition, identityOf, type Reach } from './traverse.ts';

/** `until`: the last day; `due`: the moment from which on it need not be kept. Null where nobody knows. */
export type Kept = {
  readonly until: string | null;
  readonly due: string | null;
  /** The map names a date, and the row has none yet. */
  readonly isUndated: boolean;
};

/** One row of a person in a table, with all that decides what becomes of it. */
export type PersonRow = {
  readonly key: RowKey;
  /** The paths by which it is theirs; none where it only hangs on a row of theirs, and is somebody else's. */
  readonly reached: readonly { readonly meaning: Meaning; readonly path: string }[];
  /** Everybody else whom paths of the map lead to from it. */
  readonly others: readonly Person[];
  /** Those of the others who own it as much as the person, or more. */
  readonly owners: readonly Person[];
  /** Who of the others stands where, by path. */
  readonly at: ReadonlyMap<string, readonly Person[]>;
  /** A duty to keep it goes on. */
  readonly kept: Kept | null;
  /** The row as the server writes it, where it was asked for: to be hashed. */
  readonly text: string | null;
};

export type TableRows = {
  readonly table: string;
  readonly identity: Identity;
  /** The condition that a row `t` is the person's; undefined where none can be. */
  readonly isTheirs: (parameters: Parameters) => string | undefined;
  /** The condition by which all rows of the person are found, as `from … where …`, with its parameters. Undefined: none. */
  readonly select: (
    list: string,
    more?: { readonly and?: string; readonly tail?: string },
  ) => { readonly text: string; readonly parameters: Parameters } | undefined;
  readonly edges: readonly Node[];
};

/** How the rows of one table that are the person's are asked for: the one question of export and erasure. */
export function rowsOf(reach: Reach, table: string, key: RowKey): TableRows {
  const edges = reach.graph.edgesOf.get(table) ?? [];
  const identity = identityOf(reach.schema, table);
  const isTheirs = (parameters: Parameters): string | undefined => {
    const conditions = edges.flatMap((node) => edgeCondition(reach, { node, key }, parameters) ?? []);
    return conditions.length === 0 ? undefined : `(${conditions.join(' or ')})`;
  };
  return foundBy({ table, identity, edges, isTheirs });
}

/** Rows of a table that refer to these, whoever's they are. */
export function rowsReferring(
  { schema }: Reach,
  rows: Rows,
  { table, columns, references }: Pick<Referring, 'table' | 'columns' | 'references'>,
): TableRows {
  const isTheirs = (parameters: Parameters): string => {
    const pairs = columns.map((column, place) => `t.${quote(column)} = x.${quote(references[place] ?? '')}`);
    const isOne = isOneOf(rows.identity, 'x', rows.keys, parameters);
    return `exists (select from ${quoteTable(rows.table)} as x where ${isOne} and ${pairs.join(' and ')})`;
  };
  return foundBy({ table, identity: identityOf(schema, table), edges: [], isTheirs });
}

function foundBy({ table, identity, edges, isTheirs }: Omit<TableRows, 'select'>): TableRows {
  return {
    table,
    identity,
    edges,
    isTheirs,
    select: (list, { and = '', tail = '' } = {}) => {
      const parameters = new Parameters();
      const where = isTheirs(parameters);
      return where === undefined
        ? undefined
        : { text: `select ${list} from ${quoteTable(table)} as t where ${where}${and} ${tail}`, parameters };
    },
  };
}

export type LoadGround = { readonly map: DataMap; readonly reach: Reach; readonly person: Person; readonly now: Date };

/** As many as one person may have in a table without being worked off in chunks. */
export type LoadOptions = {
  readonly limit: number;
  readonly lock: boolean;
  /** In the order of their keys: from the first, or those after this one. */
  readonly from?: 'first' | { readonly after: RowKey };
  readonly withText?: boolean;
  /** What else is asked of them. */
  readonly and?: (parameters: Parameters) => string;
};

/** The rows of the person in one table, at most `limit`. */
export async function loadRows(
  client: pg.ClientBase,
  ground: LoadGround,
  rows: TableRows,
  { limit, lock, from, withText = false, and }: LoadOptions,
): Promise<readonly PersonRow[]> {
  const question = questionOf(ground, rows, withText);
  if (question === undefined) return [];
  const { text, parameters, read } = question;
  const beyond = from === undefined || from === 'first' ? '' : ` and ${isAfter(rows.identity, from.after, parameters)}`;
  const order = from === undefined ? '' : ` order by ${orderOf(rows.identity)}`;
  const most = Number.isFinite(limit) ? ` limit ${limit}` : '';
  const found = await arrays(
    client,
    `${text}${beyond}${and?.(parameters) ?? ''}${order}${most}${lock ? ' for update of t' : ''}`,
    parameters,
  );
  return found.map(read);
}

/**
 * All rows of the person in one table as they stood at one moment, in the order of their keys, so many at once; none are locked. Whoever has
 * seen enough may break off.
 */
export async function* personPages(
  client: pg.ClientBase,
  ground: LoadGround,
  rows: TableRows,
  pageRows: number,
): AsyncGenerator<readonly PersonRow[]> {
  const question = questionOf(ground, rows, false);
  if (question === undefined) return;
  const { text, parameters, read } = question;
  // Pages of another table may be asked for while one is looked at.
  const cursor = quote(`safekeep pages ${newId<'pages'>()}`);
  await client.query(`declare ${cursor} no scroll cursor for ${text} order by ${orderOf(rows.identity)}`, parameters.values);
  let isLost = false;
  try {
    for (let isMore = true; isMore;) {
      const found = await arrays(client, `fetch ${pageRows} from ${cursor}`, new Parameters());
      isMore = found.length === pageRows;
      if (found.length > 0) yield found.map(read);
    }
  } catch (error) {
    isLost = true;
    throw error;
  } finally {
    // It went with the transaction; that it cannot be closed would hide why.
    if (!isLost) await client.query(`close ${cursor}`);
  }
}

type Question = {
  readonly text: string;
  readonly parameters: Parameters;
  readonly read: (row: readonly (string | null)[]) => PersonRow;
};

/** What is asked of the rows of the person in one table, and how an answer is read. Undefined where there can be none. */
function questionOf({ map, reach, person, now }: LoadGround, rows: TableRows, withText: boolean): Question | undefined {
  const parts = identityTexts(rows.identity, 't');
  const parameters = new Parameters();
  // By which of several paths: where there is one only, a row that is found was found by it.
  const asked = rows.edges.length === 1 ? [] : rows.edges;
  const flags = asked.map((node) => {
    const condition = edgeCondition(reach, { node, key: person.key }, parameters);
    return condition === undefined ? 'false' : `coalesce(${condition}, false)`;
  });
  const where = rows.isTheirs(parameters);
  if (where === undefined) return undefined;
  const ways = waysToPeople({ map, reach, person }, rows, parameters);
  const others = ways.map(({ expression }) => expression);
  const keep = keepColumns(map, rows.table, now, parameters);
  const list = [...parts, ...flags.map((flag) => `(${flag})::text`), ...others, ...keep, ...(withText ? ['t::text'] : [])];
  const reached = reachedBy(rows.edges);
  const reading = { parts: parts.length, flags: flags.length, ways, person, hasKeep: keep.length > 0, withText };
  return {
    text: `select ${list.join(', ')} from ${quoteTable(rows.table)} as t where ${where}`,
    parameters,
    read: (row) => rowOf(row, reached(row.slice(parts.length, parts.length + flags.length)), reading),
  };
}

/** The paths by which a row is the person's. Rows that are reached alike share one list. */
function reachedBy(edges: readonly Node[]): (flags: readonly (string | null)[]) => PersonRow['reached'] {
  const known = new Map<string, PersonRow['reached']>();
  return (flags) => {
    const text = flags.join();
    const isReached = (place: number): boolean => flags.length === 0 || flags[place] === 'true';
    const made = known.get(text) ?? edges.flatMap(({ edge }, place) => (edge !== null && isReached(place) ? [edge] : []));
    known.set(text, made);
    return made;
  };
}

function rowOf(
  row: readonly (string | null)[],
  reached: PersonRow['reached'],
  {
    parts,
    flags,
    ways,
    person,
    hasKeep,
    withText,
  }: {
    readonly parts: number;
    readonly flags: number;
    readonly ways: readonly Way[];
    readonly person: Person;
    readonly hasKeep: boolean;
    readonly withText: boolean;
  },
): PersonRow {
  const last = parts + flags + ways.length;
  const { others, owners, elsewhere, at } = ways.length === 0 ? ALONE : standingIn(ways, row.slice(parts + flags, last), person);
  return {
    // Columns of a key are not null.
    key: row.slice(0, parts) as RowKey,
    reached: elsewhere.size === 0 ? reached : reached.filter(({ path }) => !elsewhere.has(path)),
    others,
    owners,
    at,
    kept:
      hasKeep && row[last] === 'true'
        ? { until: row[last + 1] ?? null, due: row[last + 2] ?? null, isUndated: row[last + 3] === 'true' }
        : null,
    text: withText ? (row.at(-1) ?? null) : null,
  };
}

function orderOf(identity: Identity): string {
  return identity.kind === 'place' ? 't.tableoid, t.ctid' : identity.columns.map(({ name }) => `t.${quote(name)}`).join(', ');
}

function isAfter(identity: Identity, after: RowKey, parameters: Parameters): string {
  if (identity.kind === 'place') throw new Error('Rows without a key are not worked off in chunks');
  const names = identity.columns.map(({ name }) => `t.${quote(name)}`);
  const values = identity.columns.map(({ type }, place) => `${parameters.add(after[place])}::text::${type}`);
  return `(${names.join(', ')}) > (${values.join(', ')})`;
}

/** Whether the duty to keep still goes on, and until when. A row without the date is kept: nobody can say that it may go. */
function keepColumns(map: DataMap, table: string, now: Date, parameters: Parameters): readonly string[] {
  const rule = map.tables.get(table)?.onErasure;
  if (rule === undefined || rule === null) return [];
  if (rule.until === null) return [`'true'`, 'null::text', 'null::text', `'false'`];
  const column = `t.${quote(rule.until.column)}`;
  const plus = `${parameters.add(intervalOf(rule.until.plus))}::interval`;
  // A day so far off means that it never ends. ISO 8601 has four digits for a year, and five would come before four in order.
  const end = `(case when ${column} >= ${NEVER} then 'infinity' else ${column} + ${plus} end)`;
  const isNever = `${end} >= ${NEVER}`;
  const due = `case when not (${isNever}) then to_char(${end}::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') end`;
  const until = `case when ${isNever} then 'infinity' else (${end})::date::text end`;
  return [`coalesce(${end} > ${parameters.add(now)}::timestamptz, true)::text`, until, due, `(${column} is null)::text`];
}

const NEVER = `'9999-01-01'`;

/** How many rows of a table are the person's. */
export async function countOfPerson(
  client: pg.ClientBase,
  reach: Reach,
  { table, person }: { readonly table: string; readonly person: Person },
): Promise<number> {
  const statement = rowsOf(reach, table, person.key).select('count(*)::text');
  if (statement === undefined) return 0;
  const found = await arrays(client, statement.text, statement.parameters);
  return Number(found[0]?.[0] ?? 0);
}

/** How many of these rows are the person's. */
export async function countAmong(
  client: pg.ClientBase,
  reach: Reach,
  { person, rows }: { readonly person: Person; readonly rows: Rows },
): Promise<number> {
  const asked = rowsOf(reach, rows.table, person.key).select(identityNames(rows.identity, 't').join(', '));
  if (asked === undefined) return 0;
  const where = isOneOf(rows.identity, 't', rows.keys, asked.parameters);
  const [found] = await arrays(client, `select count(*)::text from (${asked.text}) as t where ${where}`, asked.parameters);
  return Number(found?.[0] ?? 0);
}

/** Whether a duty has ended on a row of the person in a table that does not look masked, as `looks` has it of `t`. */
export async function hasEndedRow(
  client: pg.ClientBase,
  { map, reach, person, now }: LoadGround,
  { table, looks }: { readonly table: string; readonly looks: (parameters: Parameters) => string },
): Promise<boolean> {
  const asked = rowsOf(reach, table, person.key).select('t.*');
  const rule = map.tables.get(table)?.onErasure ?? null;
  if (asked === undefined || rule === null || rule.until === null) return false;
  const [kept] = keepColumns(map, table, now, asked.parameters);
  const text = `select 1::text from (${asked.text}) as t where ${kept} = 'false' and (${looks(asked.parameters)}) is not true limit 1`;
  return (await arrays(client, text, asked.parameters)).length > 0;
}

/** Over all rows of the person in a table, however many: from when on the first of those kept need not be, and whether one has no date. */
export async function duesOfPerson(
  client: pg.ClientBase,
  { map, reach, person, now }: LoadGround,
  table: string,
): Promise<{ readonly due: string | null; readonly isUndated: boolean }> {
  const none = { due: null, isUndated: false };
  const asked = rowsOf(reach, table, person.key).select('t.*');
  const rule = map.tables.get(table)?.onErasure ?? null;
  if (asked === undefined || rule === null || rule.until === null) return none;
  const [kept, , due, isUndated] = keepColumns(map, table, now, asked.parameters);
  const [found] = await arrays(
    client,
    `select min(${due}), bool_or(${isUndated} = 'true')::text from (${asked.text}) as t where ${kept} = 'true'`,
    asked.parameters,
  );
  return { due: found?.[0] ?? null, isUndated: found?.[1] === 'true' };
}

/** Whether a duty keeps a row of the person in a table. */
export async function keepsByDuty(client: pg.ClientBase, { map, reach, person, now }: LoadGround, table: string): Promise<boolean> {
  const asked = rowsOf(reach, table, person.key).select('t.*');
  if (asked === undefined || (map.tables.get(table)?.onErasure ?? null) === null) return false;
  const [kept = 'false'] = keepColumns(map, table, now, asked.parameters);
  const [found] = await arrays(
    client,
    `select exists (select from (${asked.text}) as t where ${kept} = 'true')::text`,
    asked.parameters,
  );
  return found?.[0] === 'true';
}
