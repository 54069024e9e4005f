import {
  candidatePaths,
  isMappable,
  parsePath,
  pathOfHops,
  formatPath,
  resolveEdge,
  subjectsOfTable,
  type CandidatePath,
  type DataMap,
  type Hop,
  type Meaning,
  type SchemaIndex,
} from '@safekeep/core';
import type { SchemaKnowledge } from './decide.ts';
import type { TableLink } from './links.ts';

export type ProposedPath = { readonly subject: string; readonly path: string; readonly meaning: Meaning | null };

/** A row about more people than this says nothing of any one of them. */
const PATHS_AT_MOST = 8;

/**
 * Whose the rows of a table are. References of the table itself come first; where it has none, or they lead to authors only, the
 * shortest way over others, and of several equally short ones the one that leads over what is owned rather than over who made it.
 */
export function pathsOf(table: string, map: DataMap, schema: SchemaIndex, known: SchemaKnowledge): readonly ProposedPath[] {
  const isAbout = known.roles.get(table)?.role === 'about';
  const paths = waysOf(table, map, schema, known);
  return isAbout ? paths.map((path) => ofWhomItIsAbout(path, table, map, schema)) : paths;
}

/**
 * Where a row outlives the person (ON DELETE SET NULL), the schema alone makes them its author, and what the row says of them would be nobody's:
 * no export gave it, no erasure masked it.
 */
function ofWhomItIsAbout(proposed: ProposedPath, table: string, map: DataMap, schema: SchemaIndex): ProposedPath {
  const parsed = parsePath(proposed.path);
  if (proposed.meaning !== null || 'fault' in parsed) return proposed;
  const resolved = resolveEdge(map, schema, table, { subject: proposed.subject, path: parsed.path, meaning: null });
  return 'kind' in resolved || resolved.meaning !== 'created_by' ? proposed : { ...proposed, meaning: 'about' };
}

function waysOf(table: string, map: DataMap, schema: SchemaIndex, known: SchemaKnowledge): readonly ProposedPath[] {
  const isAbout = known.roles.get(table)?.role === 'about';
  const direct = meant(directPaths(table, map, schema, known), isAbout);
  const areAuthors = direct.every(({ meaning }) => meaning === 'created_by');
  if (direct.length > 0 && !(areAuthors && isAbout)) return direct.slice(0, PATHS_AT_MOST);
  const over = pathsOver(table, map, schema, known);
  if (direct.length === 0) return over.slice(0, PATHS_AT_MOST);
  const owners = over.filter(({ meaning, subject }) => meaning === null && direct.every((path) => path.subject !== subject));
  // Against a reference many may refer to the row, which so is nobody's alone.
  const isOwned = (path: ProposedPath): boolean => owners.length === 1 && !path.path.includes('<-');
  const owned = owners.map((path): ProposedPath => (isOwned(path) ? { ...path, meaning: 'owns' } : path));
  return [...owned, ...direct].slice(0, PATHS_AT_MOST);
}

/** The ways over other tables, to each kind of person the best. */
function pathsOver(table: string, map: DataMap, schema: SchemaIndex, known: SchemaKnowledge): readonly ProposedPath[] {
  const candidates = candidatePaths(map, schema, table);
  const bySubject = Map.groupBy(candidates, ({ subject }) => subject);
  const best = [...bySubject.values()].flatMap(
    (ways) => ways.toSorted((a, b) => cost(a, schema, known) - cost(b, schema, known))[0] ?? [],
  );
  const theirs = best.filter(({ hops }) => !hops.some((hop) => byAuthor([hop], known)));
  const kept = theirs.length > 0 ? theirs : best;
  const shortest = Math.min(...kept.map(({ hops }) => hops.length));
  return kept
    .filter(({ hops }) => hops.length === shortest || hops.some(({ direction }) => direction === 'reverse'))
    .map(({ subject, hops }): ProposedPath => ({
      subject,
      path: formatPath(pathOfHops(hops)),
      meaning: byAuthor(hops, known) ? 'created_by' : null,
    }));
}

type Direct = ProposedPath & { readonly link: TableLink };

function directPaths(table: string, map: DataMap, schema: SchemaIndex, known: SchemaKnowledge): readonly Direct[] {
  return known.links
    .filter((link) => link.from === table && isUsable(schema, link.to))
    .flatMap((link) =>
      subjectsOfTable(map, link.to)
        .filter(({ table: home }) => home !== table || !isOwnKey(link, map))
        .flatMap((subject): readonly Direct[] => {
          const hop: Hop = {
            from: table,
            columns: link.columns,
            to: link.to,
            references: link.references,
            direction: 'forward',
            foreignKey: null,
          };
          // The columns alone: the gate finds the foreign key by them, or compares them with the key of these people.
          const path = formatPath({ steps: [{ arrow: '->', table: null, columns: hop.columns }] });
          const sameKey = link.declared || sameColumns(link.references, subject.key);
          return sameKey ? [{ subject: subject.name, path, meaning: null, link }] : [];
        }),
    )
    .filter((one, place, all) => all.findIndex((other) => other.subject === one.subject && other.path === one.path) === place);
}

function isOwnKey(link: TableLink, map: DataMap): boolean {
  return [...map.subjects.values()].some(({ table, key }) => table === link.from && sameColumns(key, link.columns));
}

function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((column) => b.includes(column));
}

function isUsable(schema: SchemaIndex, name: string): boolean {
  const table = schema.byName.get(name);
  return table !== undefined && isMappable(table);
}

/** Of several people in a row, those who work on it are only its authors; the others own it, or share it. */
function meant(paths: readonly Direct[], isAbout: boolean): readonly ProposedPath[] {
  const owners = paths.filter(({ link }) => !link.author && !link.staff);
  return paths.map(({ link, subject, path }) => {
    const byStaff = link.author || (link.staff && (owners.length > 0 || !isAbout));
    const meaning: Meaning | null = byStaff
      ? 'created_by'
      : !isAbout
        ? 'about'
        : paths.length > 1 && owners.length === 1
          ? 'owns'
          : null;
    return { subject, path, meaning };
  });
}

function byAuthor(hops: readonly Hop[], known: SchemaKnowledge): boolean {
  const [first] = hops;
  return known.links.some(
    (link) => link.from === first?.from && sameColumns(link.columns, first.columns) && (link.author || link.staff),
  );
}

/** How far a way is from saying "theirs": hops by who made it, hops that may be empty. */
function cost({ hops }: CandidatePath, schema: SchemaIndex, known: SchemaKnowledge): number {
  return hops.reduce((sum, hop) => {
    const table = schema.byName.get(hop.from);
    const mayBeEmpty = hop.columns.some((column) => table?.columns.find(({ name }) => name === column)?.notNull !== true);
    const link = known.links.find((each) => each.from === hop.from && sameColumns(each.columns, hop.columns));
    return sum + 1 + (mayBeEmpty ? 0.3 : 0) + (link?.author === true ? 3 : link?.staff === true ? 1 : 0);
  }, 0);
}
