import { forward, type Hop, type PathEnd } from './resolve.ts';
import { isMappable, type Link, type SchemaIndex } from './schema-facts.ts';

/** More steps than this are no longer a statement about a person that anybody would make. */
const HOPS_AT_MOST = 8;
/** As many as a report can show; a schema with more ways than this is told with these. */
const PATHS_AT_MOST = 32;

/**
 * The shortest ways along foreign keys from the rows of a table to a table of persons: all of them where several are equally
 * short, none where there is no way. Cycles and self-references end nothing: a shortest way visits no table twice.
 */
export function shortestPaths(schema: SchemaIndex, start: string, end: PathEnd): readonly (readonly Hop[])[] {
  if (start === end.table) return [];
  let front: ReadonlyMap<string, readonly (readonly Hop[])[]> = new Map([[start, [[]]]]);
  const seen = new Set([start]);
  for (let length = 1; length <= HOPS_AT_MOST && front.size > 0; length += 1) {
    front = extend(schema, front, seen);
    const found = front.get(end.table);
    if (found !== undefined) return found;
    for (const table of front.keys()) seen.add(table);
  }
  return [];
}

function extend(
  schema: SchemaIndex,
  front: ReadonlyMap<string, readonly (readonly Hop[])[]>,
  seen: ReadonlySet<string>,
): ReadonlyMap<string, readonly (readonly Hop[])[]> {
  const next = new Map<string, (readonly Hop[])[]>();
  for (const [table, paths] of front) {
    for (const link of distinctLinks(schema.outgoing.get(table) ?? [])) {
      if (seen.has(link.to) || !isUsable(schema, link.to)) continue;
      const reached = next.get(link.to) ?? [];
      for (const path of paths) if (reached.length < PATHS_AT_MOST) reached.push([...path, forward(link)]);
      next.set(link.to, reached);
    }
  }
  return next;
}

/** Persons whose rows refer to this table, one step away: whose address it is. */
export function referringPaths(schema: SchemaIndex, start: string, end: PathEnd): readonly (readonly Hop[])[] {
  return distinctLinks(schema.incoming.get(start) ?? [])
    .filter(({ from }) => from === end.table && from !== start)
    .map(({ from, foreignKey }) => [
      {
        from: start,
        columns: foreignKey.references.columns,
        to: from,
        references: foreignKey.columns,
        direction: 'reverse',
        foreignKey: foreignKey.name,
      },
    ]);
}

/** Two foreign keys that say the same count once. */
function distinctLinks(links: readonly Link[]): readonly Link[] {
  const seen = new Set<string>();
  return links.filter(({ from, foreignKey, to }) => {
    const said = JSON.stringify([from, foreignKey.columns, to, foreignKey.references.columns]);
    if (seen.has(said)) return false;
    seen.add(said);
    return true;
  });
}

function isUsable(schema: SchemaIndex, name: string): boolean {
  const table = schema.byName.get(name);
  return table !== undefined && isMappable(table);
}
