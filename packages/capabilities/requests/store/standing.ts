import { formatPath, resolveEdge, type DataMap, type ResolvedPath, type SchemaIndex } from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import { leadsToOne, OWN_ROW, type Node } from '../rules/graph.ts';
import { alongHops, quote, type Parameters } from './sql.ts';
import type { Reach } from './traverse.ts';

/** Who else stands in a row. */
export type Standing = {
  /** Everybody else whom paths of the map lead to from it. */
  readonly others: readonly Person[];
  /** Those of them to whom an owning path is no longer than the shortest to the person: theirs as much, or more. */
  readonly owners: readonly Person[];
  /** Paths that lead to others from it, and not to the person: of a row that hangs on one that is only theirs in part. */
  readonly elsewhere: ReadonlySet<string>;
  /** Who of the others stands where, by path. */
  readonly at: ReadonlyMap<string, readonly Person[]>;
};

export const ALONE: Standing = { others: [], owners: [], elsewhere: new Set(), at: new Map() };

/** A path by which somebody may stand in a row of a table, with how to ask who. */
export type Way = {
  readonly subject: string;
  readonly path: string;
  readonly owns: boolean;
  readonly steps: number;
  readonly expression: string;
};

/**
 * At most so many others of one path are asked for; holds are asked about each. Whoever finds so many must take it that there are
 * more.
 */
export const OTHERS_AT_MOST = 100;

/** Every path by which somebody else may stand in a row of this table. Empty where nobody can. */
export function waysToPeople(
  { map, reach, person }: { readonly map: DataMap; readonly reach: Reach; readonly person: Person },
  { table, edges }: { readonly table: string; readonly edges: readonly Node[] },
  parameters: Parameters,
): readonly Way[] {
  const { schema } = reach;
  return peoplePaths(map, reach, { table, edges }).map((path) => ({
    subject: path.subject,
    path: path.path.steps.length === 0 ? OWN_ROW : formatPath(path.path),
    owns: path.meaning === 'owns',
    steps: path.hops.length,
    expression: personsBy({ map, schema }, path, { person, parameters }),
  }));
}

/**
 * A row with one path, by which it leads to one person at most, is about whom it was found by, and nothing needs to be asked; unless it was
 * found because it hangs on another row of theirs, or by what somebody else may have by now.
 */
function peoplePaths(
  map: DataMap,
  { schema, isOfBefore = false }: Reach,
  { table, edges }: { readonly table: string; readonly edges: readonly Node[] },
): readonly ResolvedPath[] {
  const own = [...map.subjects.values()].filter((subject) => subject.table === table);
  const resolved = (map.tables.get(table)?.of ?? [])
    .filter(({ meaning }) => meaning !== 'stop')
    .flatMap((edge) => {
      const path = resolveEdge(map, schema, table, edge);
      return 'kind' in path ? [] : [path];
    });
  const isSingle =
    !isOfBefore &&
    resolved.length <= 1 &&
    own.length === 0 &&
    resolved.every(({ hops }) => leadsToOne(schema, hops)) &&
    edges.every(({ sources }) => sources.size <= 1);
  return isSingle ? [] : [...resolved, ...own.map((subject) => selfPath(subject.name, table))];
}

/** The row is a person itself: a child whose guardian is asked about, a member of staff who is a patient. */
function selfPath(subject: string, table: string): ResolvedPath {
  return { subject, table, hops: [], meaning: 'owns', meaningFrom: 'map', path: { steps: [] } };
}

/** The keys of the persons that a path leads to, as a JSON array of arrays: each once, the person asked about first. */
function personsBy(
  { map, schema }: { readonly map: DataMap; readonly schema: SchemaIndex },
  { subject, hops }: ResolvedPath,
  { person, parameters }: { readonly person: Person; readonly parameters: Parameters },
): string {
  const key = map.subjects.get(subject)?.key ?? [];
  const parts = (last: string): string => `jsonb_build_array(${key.map((column) => `${last}.${quote(column)}::text`).join(', ')})`;
  if (hops.length === 0) return `jsonb_build_array(${parts('t')})::text`;
  const { from, where, last } = alongHops('t', hops, 'h');
  const found = `select ${parts(last)} as p from ${from} where ${where}`;
  // Of several the person may be among them any number of times.
  const list = (each: string): string => `(select coalesce(jsonb_agg(o.p), '[]')::text from (${each}) as o)`;
  if (leadsToOne(schema, hops)) return list(found);
  const mine = subject === person.type ? `order by d.p = ${parameters.add(JSON.stringify(person.key))}::jsonb desc` : '';
  return list(`select d.p from (select distinct n.p from (${found}) as n) as d ${mine} limit ${OTHERS_AT_MOST}`);
}

/** Who stands in a row, from what the expressions of the ways found in it. */
export function standingIn(ways: readonly Way[], texts: readonly (string | null)[], person: Person): Standing {
  // The statement selects an array of arrays of text.
  const found = ways.map((way, place) => ({ way, keys: JSON.parse(texts[place] ?? '[]') as string[][] }));
  const isMe = ({ subject }: Way, key: readonly string[]): boolean =>
    subject === person.type && key.every((part, at) => part === person.key[at]);
  const leadsToMe = (each: (typeof found)[number]): boolean => each.keys.some((key) => isMe(each.way, key));
  // Whose own row it is, is the same human under whatever name the map has for them.
  const isOwnRow = found.some((each) => each.way.steps === 0 && leadsToMe(each));
  const asked = found.filter(({ way }) => !isOwnRow || way.steps > 0 || way.subject === person.type);
  const nearest = Math.min(...asked.filter((each) => each.way.owns && leadsToMe(each)).map(({ way }) => way.steps));
  const others = new Map<string, Person>();
  const owners = new Map<string, Person>();
  const at = new Map<string, Person[]>();
  for (const { way, keys } of asked) {
    for (const key of keys.filter((each) => !isMe(way, each))) {
      const name = JSON.stringify([way.subject, key]);
      const other = { type: way.subject, key };
      others.set(name, other);
      at.set(way.path, [...(at.get(way.path) ?? []), other]);
      if (way.owns && way.steps <= nearest) owners.set(name, other);
    }
  }
  const elsewhere = asked.filter((each) => each.keys.length > 0 && !leadsToMe(each)).map(({ way }) => way.path);
  return { others: [...others.values()], owners: [...owners.values()], elsewhere: new Set(elsewhere), at };
}
