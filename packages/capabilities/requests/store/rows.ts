import type pg from 'pg';
import {
  formatPath,
  intervalOf,
  type DataMap,
  type Meaning,
  type ResolvedPath,
  resolveEdge,
  type SchemaIndex,
} from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import type { Identity, RowKey } from '../model.ts';
import type { Node } from '../rules/graph.ts';
import { identityTexts, Parameters, quote, quoteTable } from './sql.ts';
import { arrays, edgeCondition, identityOf, tableOf, type Reach } from './traverse.ts';

/** One row of a person in a table, with all that decides what becomes of it. */
export type PersonRow = {
  readonly key: RowKey;
  /** The paths by which it is theirs. */
  readonly reached: readonly { readonly meaning: Meaning; readonly path: string }[];
  /** Everybody else whom paths of the map lead to from it. */
  readonly others: readonly Person[];
  /** A duty to keep it goes on; until when, where that is known. */
  readonly kept: { readonly until: string | null } | null;
  /** The row as the server writes it, where it was asked for: to be hashed. */
  readonly text: string | null;
};

export type TableRows = {
  readonly table: string;
  readonly identity: Identity;
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
  const identity = identityOf(tableOf(reach.schema, table));
  return {
    table,
    identity,
    edges,
    select: (list, { and = '', tail = '' } = {}) => {
      const parameters = new Parameters();
      const conditions = edges.flatMap((node) => edgeCondition(reach, { node, key }, parameters) ?? []);
      if (conditions.length === 0) return undefined;
      return {
        text: `select ${list} from ${quoteTable(table)} as t where (${conditions.join(' or ')})${and} ${tail}`,
        parameters,
      };
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
  const { map, reach, person, now } = ground;
  const parts = identityTexts(rows.identity, 't');
  const statement = new Parameters();
  // By which of several paths: where there is one only, a row that is found was found by it.
  const asked = rows.edges.length === 1 ? [] : rows.edges;
  const flags = asked.map((node) => {
    const condition = edgeCondition(reach, { node, key: person.key }, statement);
    return condition === undefined ? 'false' : `coalesce(${condition}, false)`;
  });
  const conditions = rows.edges.flatMap((node) => edgeCondition(reach, { node, key: person.key }, statement) ?? []);
  if (conditions.length === 0) return [];
  const strangers = otherEdges(map, reach.schema, rows.table);
  const others = strangers.map((edge) => personsBy(map, edge));
  const keep = keepColumns(map, rows.table, now, statement);
  const list = [...parts, ...flags.map((flag) => `(${flag})::text`), ...others, ...keep, ...(withText ? ['t::text'] : [])];
  const beyond = from === undefined || from === 'first' ? '' : ` and ${isAfter(rows.identity, from.after, statement)}`;
  const order = from === undefined ? '' : ` order by ${orderOf(rows.identity)}`;
  const most = Number.isFinite(limit) ? ` limit ${limit}` : '';
  const found = await arrays(
    client,
    `select ${list.join(', ')} from ${quoteTable(rows.table)} as t where (${conditions.join(' or ')})${beyond}${and?.(statement) ?? ''}${order}${most}${lock ? ' for update of t' : ''}`,
    statement,
  );
  const reached = reachedBy(rows.edges);
  const reading = { parts: parts.length, flags: flags.length, strangers, person, hasKeep: keep.length > 0, withText };
  return found.map((row) => rowOf(row, reached(row.slice(parts.length, parts.length + flags.length)), reading));
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

const NOBODY: readonly Person[] = [];

function rowOf(
  row: readonly (string | null)[],
  reached: PersonRow['reached'],
  {
    parts,
    flags,
    strangers,
    person,
    hasKeep,
    withText,
  }: {
    readonly parts: number;
    readonly flags: number;
    readonly strangers: readonly ResolvedPath[];
    readonly person: Person;
    readonly hasKeep: boolean;
    readonly withText: boolean;
  },
): PersonRow {
  const last = parts + flags + strangers.length;
  return {
    // Columns of a key are not null.
    key: row.slice(0, parts) as RowKey,
    reached,
    others: strangers.length === 0 ? NOBODY : othersIn(row.slice(parts + flags, last), { strangers, person }),
    kept: hasKeep && row[last] === 'true' ? { until: row[last + 1] ?? null } : null,
    text: withText ? (row.at(-1) ?? null) : null,
  };
}

function othersIn(
  texts: readonly (string | null)[],
  { strangers, person }: { readonly strangers: readonly ResolvedPath[]; readonly person: Person },
): readonly Person[] {
  const others = new Map<string, Person>();
  for (const [place, { subject }] of strangers.entries()) {
    // The statement selects an array of arrays of text.
    for (const key of JSON.parse(texts[place] ?? '[]') as string[][]) {
      if (subject === person.type && key.every((part, at) => part === person.key[at])) continue;
      others.set(JSON.stringify([subject, key]), { type: subject, key });
    }
  }
  return [...others.values()];
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

/**
 * Every path by which rows of this table are about people, where one row can be about several. A row with one path forward is
 * about one person, and nothing needs to be asked.
 */
function otherEdges(map: DataMap, schema: SchemaIndex, table: string): readonly ResolvedPath[] {
  const edges = (map.tables.get(table)?.of ?? []).filter(({ meaning }) => meaning !== 'stop');
  const own = [...map.subjects.values()].filter((subject) => subject.table === table);
  const resolved = edges.flatMap((edge) => {
    const path = resolveEdge(map, schema, table, edge);
    return 'kind' in path ? [] : [path];
  });
  const isSingle =
    resolved.length <= 1 &&
    own.length === 0 &&
    resolved.every(({ hops }) => hops.every(({ direction }) => direction === 'forward'));
  return isSingle ? [] : [...resolved, ...own.map((subject): ResolvedPath => selfPath(subject.name, table))];
}

/** The row is a person itself: a child whose guardian is asked about, a member of staff who is a patient. */
function selfPath(subject: string, table: string): ResolvedPath {
  return { subject, table, hops: [], meaning: 'owns', meaningFrom: 'map', path: { steps: [] } };
}

/** At most so many others are asked for: one is enough to leave the row alone, and holds are asked about each. */
const OTHERS_AT_MOST = 100;

/** The keys of the persons that a path leads to, as a JSON array of arrays. */
function personsBy(map: DataMap, { subject, hops }: ResolvedPath): string {
  const key = map.subjects.get(subject)?.key ?? [];
  const last = hops.length === 0 ? 't' : `h${hops.length}`;
  const parts = `json_build_array(${key.map((column) => `${last}.${quote(column)}::text`).join(', ')})`;
  if (hops.length === 0) return `json_build_array(${parts})::text`;
  const joins = hops.map((hop, place) => {
    const [from, to] = [place === 0 ? 't' : `h${place}`, `h${place + 1}`];
    const on = hop.columns.map((column, at) => `${to}.${quote(hop.references[at] ?? '')} = ${from}.${quote(column)}`).join(' and ');
    return { table: `${quoteTable(hop.to)} as ${to}`, on };
  });
  const [first, ...rest] = joins;
  if (first === undefined) throw new Error('A path has a step');
  const from = [first.table, ...rest.map(({ table, on }) => `join ${table} on ${on}`)].join(' ');
  return `(select coalesce(json_agg(o.p), '[]')::text from (select ${parts} as p from ${from} where ${first.on} limit ${OTHERS_AT_MOST}) as o)`;
}

/** Whether the duty to keep still goes on, and until when. A row without the date is kept: nobody can say that it may go. */
function keepColumns(map: DataMap, table: string, now: Date, parameters: Parameters): readonly string[] {
  const rule = map.tables.get(table)?.onErasure;
  if (rule === undefined || rule === null) return [];
  if (rule.until === null) return [`'true'`, 'null::text'];
  const end = `(t.${quote(rule.until.column)} + ${parameters.add(intervalOf(rule.until.plus))}::interval)`;
  return [`coalesce(${end} > ${parameters.add(now)}::timestamptz, true)::text`, `(${end})::date::text`];
}

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

/** For each path by which somebody else may stand in a row of this table: how to ask who. Empty where nobody can. */
export function personsOf(
  map: DataMap,
  schema: SchemaIndex,
  table: string,
): readonly { readonly type: string; readonly path: string; readonly expression: string }[] {
  return otherEdges(map, schema, table).map((edge) => ({
    type: edge.subject,
    path: edge.path.steps.length === 0 ? '' : formatPath(edge.path),
    expression: personsBy(map, edge),
  }));
}
