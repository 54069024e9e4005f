import {
  formatPath,
  formatTableName,
  isPersonalColumn,
  resolveColumnPath,
  resolveEdge,
  SafekeepError,
  type DataMap,
  type Hop,
  type Meaning,
  type SchemaIndex,
  type Subject,
  type TableFacts,
} from '@safekeep/core';

/** Rows of one table that a part of a path leads to. Paths with the same end share their nodes. */
export type Node = {
  readonly id: string;
  /** External name. */
  readonly table: string;
  /** The step from these rows towards the person; null for the person's own row. */
  readonly hop: Hop | null;
  /** Nodes whose rows the step arrives at. */
  readonly sources: ReadonlySet<string>;
  /** Where the map says that this path makes a row the person's; null where it is only passed. */
  readonly edge: { readonly meaning: Meaning; readonly path: string } | null;
};

/** What is followed for one kind of person, by node. */
export type Graph = {
  readonly subject: Subject;
  readonly nodes: ReadonlyMap<string, Node>;
  /** Nodes that make rows the person's, by table; the table of the persons is always among them. */
  readonly edgesOf: ReadonlyMap<string, readonly Node[]>;
  /** Columns whose values other nodes ask for, by node. */
  readonly wanted: ReadonlyMap<string, readonly string[]>;
  /** Paths that lead nowhere, in words. Nothing is exported or erased while there are any: it would not be everything. */
  readonly problems: readonly { readonly table: string; readonly message: string; readonly remedy: string }[];
  /** Where rows of several tenants stand in one table: what says whose they are, by table. */
  readonly tenantWays: ReadonlyMap<string, TenantWay>;
  /** Every table that is looked at on the way to the person, or to others who stand in the same rows. */
  readonly passed: ReadonlySet<string>;
};

/** The column that says whose a row is: its own, or one of the row that the hops lead to. */
export type TenantWay = { readonly hops: readonly Hop[]; readonly column: string };

/** Which tenant, and what says it; null where a table has the people of one tenant only. */
export type Tenancy = { readonly way: TenantWay | null; readonly tenant: string };

export const PERSON = 'person';
/** In the place of a path: the row is the person itself. */
export const OWN_ROW = '';

type Draft = Omit<Node, 'sources'> & { readonly sources: Set<string> };

/** The paths of the map to one kind of person, over the live schema. */
export function graphOf(map: DataMap, schema: SchemaIndex, subject: Subject): Graph {
  const nodes = new Map<string, Draft>([
    [PERSON, { id: PERSON, table: subject.table, hop: null, sources: new Set(), edge: { meaning: 'owns', path: OWN_ROW } }],
  ]);
  const problems: { table: string; message: string; remedy: string }[] = [];
  for (const table of map.tables.values()) {
    for (const edge of table.of.filter((each) => each.subject === subject.name && each.meaning !== 'stop')) {
      const resolved = resolveEdge(map, schema, table.name, edge);
      if ('kind' in resolved) {
        problems.push({ table: table.name, message: resolved.message, remedy: resolved.remedy });
        continue;
      }
      const path = formatPath(edge.path);
      addPath(nodes, resolved.hops, { meaning: resolved.meaning, path });
    }
  }
  const tenantWays = new Map(
    [...nodes.values()].flatMap(({ table }) => {
      const way = tenantWayOf(map, schema, table);
      return way === undefined ? [] : [[table, way] as const];
    }),
  );
  const reached = new Set([...nodes.values()].flatMap(({ table, edge }) => (edge === null ? [] : [table])));
  for (const table of reached) {
    // By its path alone a row of another tenant would be the person's; a column may be missing where those rows that it hangs on have it.
    const { kind } = map.tables.get(table)?.tenant ?? map.tenant;
    const fault = tenantWays.has(table) || (kind !== 'path' && table !== subject.table) ? undefined : TENANT_FAULTS[kind];
    if (fault === undefined) continue;
    problems.push({ table, message: fault, remedy: 'Correct `tenant` in the map (`safekeep map check` says where).' });
  }
  problems.push(...heirProblems({ map, schema }, reached));
  joinOwned(nodes, new Set([...map.subjects.values()].map((each) => each.table)));
  const edgesOf = Map.groupBy(
    [...nodes.values()].filter(({ edge }) => edge !== null),
    ({ table }) => table,
  );
  return {
    subject,
    nodes,
    edgesOf,
    passed: new Set([
      ...[...nodes.values()].map(({ table }) => table),
      ...[...edgesOf.keys()].flatMap((table) => towards(map, schema, table)),
      ...[...tenantWays.values()].flatMap(({ hops }) => hops.map(({ to }) => to)),
    ]),
    wanted: wantedColumns(nodes),
    problems,
    tenantWays,
  };
}

/** Children of old-style inheritance and partitions, those of these, and so on. */
export function partsOf(schema: SchemaIndex, table: string): readonly string[] {
  const parts = partsByTable(schema).get(table) ?? [];
  return parts.flatMap((part) => [part, ...partsOf(schema, part)]);
}

const known = new WeakMap<SchemaIndex, ReadonlyMap<string, readonly string[]>>();

/** Worked out once for a structure: of thousands of partitions each would be compared with each. */
function partsByTable(schema: SchemaIndex): ReadonlyMap<string, readonly string[]> {
  const made = known.get(schema);
  if (made !== undefined) return made;
  const parts = new Map<string, string[]>();
  for (const [name, { inherits = [], partition }] of schema.byName)
    for (const parent of [...inherits, ...(partition === null ? [] : [partition.parent])].map(formatTableName)) {
      const same = parts.get(parent);
      if (same === undefined) parts.set(parent, [name]);
      else same.push(name);
    }
  known.set(schema, parts);
  return parts;
}

type Fit = { readonly map: DataMap; readonly schema: SchemaIndex };

/**
 * Rows of an heir (old-style inheritance) are asked for in the heir where that has a path to the person, else with its parent. By what the
 * parent finds and the heir does not nobody would be found, and what stands in columns that the parent does not have would stay.
 */
function heirProblems(fit: Fit, reached: ReadonlySet<string>): Graph['problems'] {
  const { schema } = fit;
  return [...reached].flatMap((table) => {
    if (!schema.parents.has(table)) return [];
    const heirs = partsOf(schema, table);
    const below = new Set(heirs.filter((heir) => reached.has(heir)).flatMap((heir) => partsOf(schema, heir)));
    return heirs.flatMap((heir) => {
      if (below.has(heir)) return [];
      const what = reached.has(heir) ? missingWay(fit, table, heir) : unsaid(fit, table, heir);
      const remedy = `Give it the paths (of) that the map has for ${table}, and classify its columns.`;
      return what === undefined ? [] : [{ table: heir, message: `its rows are rows of ${table} too, and ${what}`, remedy }];
    });
  });
}

function missingWay(fit: Fit, parent: string, heir: string): string | undefined {
  const own = new Set(waysOf(fit, heir));
  return waysOf(fit, parent).every((way) => own.has(way)) ? undefined : 'it does not have all paths of that';
}

/** To whom a table leads and how, as one text each; the same for parent and heir where they lead there by the same columns. */
function waysOf({ map, schema }: Fit, table: string): readonly string[] {
  // The row of a person leads to them as an heir does by its key.
  const own = [...map.subjects.values()]
    .filter((subject) => subject.table === table)
    .map(({ name, key }) => JSON.stringify([name, [[key, table, key]]]));
  const paths = (map.tables.get(table)?.of ?? []).flatMap((edge) => {
    const resolved = edge.meaning === 'stop' ? undefined : resolveEdge(map, schema, table, edge);
    if (resolved === undefined || 'kind' in resolved) return [];
    const hops = resolved.hops.map(({ columns, to, references }) => [columns, to, references]);
    return [JSON.stringify([edge.subject, hops])];
  });
  return [...own, ...paths];
}

function unsaid({ map, schema }: Fit, parent: string, heir: string): string | undefined {
  const names = (table: string): readonly string[] => schema.byName.get(table)?.columns.map(({ name }) => name) ?? [];
  const mapped = map.tables.get(heir)?.columns;
  const unknown = names(heir).filter((name) => {
    const column = mapped?.get(name);
    return !names(parent).includes(name) && (column === undefined || isPersonalColumn(column));
  });
  return unknown.length === 0 ? undefined : `it has no path for what stands in ${unknown.join(', ')}`;
}

/** The tables of the person's rows, and those that paths only pass on the way to them. */
export function tablesOnTheWay({ nodes }: Graph): readonly string[] {
  return [...new Set([...nodes.values()].map(({ table }) => table))];
}

/** The tables that paths from this one lead over, whoever they lead to. */
function towards(map: DataMap, schema: SchemaIndex, table: string): readonly string[] {
  return (map.tables.get(table)?.of ?? []).flatMap((edge) => {
    const resolved = edge.meaning === 'stop' ? undefined : resolveEdge(map, schema, table, edge);
    return resolved === undefined || 'kind' in resolved ? [] : resolved.hops.map(({ to }) => to);
  });
}

/**
 * Tables with a path on which a foreign key is missing, or among those that do not guard (`isLoose`): new rows can appear there
 * although the person's row is locked.
 */
export function unguardedTables({ nodes, edgesOf }: Graph, isLoose: (hop: Hop) => boolean): ReadonlySet<string> {
  const all = [...nodes.values()];
  const open = new Set(all.filter(({ hop }) => hop !== null && (hop.foreignKey === null || isLoose(hop))).map(({ id }) => id));
  // What hangs on an open step is open: at most once for each node.
  for (let before = -1; before < open.size;) {
    before = open.size;
    for (const { id, sources } of all) if ([...sources].some((source) => open.has(source))) open.add(id);
  }
  return new Set([...edgesOf].filter(([, ends]) => ends.some(({ id }) => open.has(id))).map(([table]) => table));
}

/** Whether a row leads to one person at most this way: each step arrives at columns of which no two rows have the same. */
export function leadsToOne(schema: SchemaIndex, hops: readonly Hop[]): boolean {
  return hops.every(({ to, references }) => {
    const facts = schema.byName.get(to);
    return facts !== undefined && uniqueKeys(facts).some((key) => key.every((column) => references.includes(column)));
  });
}

/** Sets of columns that tell the rows of a table apart, where none of them is null. */
function uniqueKeys({ primaryKey, uniques, indexes }: TableFacts): readonly (readonly string[])[] {
  const byIndex = indexes.flatMap(({ unique, predicate, keys }) => {
    const columns = keys.flatMap(({ column }) => column ?? []);
    return unique && predicate === null && columns.length === keys.length ? [columns] : [];
  });
  return [...(primaryKey === null ? [] : [primaryKey.columns]), ...uniques.map(({ columns }) => columns), ...byIndex];
}

/** Undefined where the table has no such column, or path: its rows have the tenant of those that they hang on. */
function tenantWayOf(map: DataMap, schema: SchemaIndex, table: string): TenantWay | undefined {
  const rule = map.tables.get(table)?.tenant ?? map.tenant;
  if (rule.kind === 'column') {
    const isThere = schema.byName.get(table)?.columns.some(({ name }) => name === rule.column) === true;
    return isThere ? { hops: [], column: rule.column } : undefined;
  }
  const resolved = rule.kind === 'path' ? resolveColumnPath(schema, table, rule.path) : undefined;
  return resolved === undefined || 'kind' in resolved ? undefined : resolved;
}

/** Throws `map-does-not-fit` where nothing says of which tenant these people are: they would be everybody's. */
export function tenancyOf(
  { map, schema, tenant }: { readonly map: DataMap; readonly schema: SchemaIndex; readonly tenant: string },
  { table }: Subject,
): Tenancy {
  const { kind } = map.tables.get(table)?.tenant ?? map.tenant;
  const way = tenantWayOf(map, schema, table);
  const fault = way === undefined ? TENANT_FAULTS[kind] : undefined;
  if (fault !== undefined) throw new SafekeepError('map-does-not-fit', { problems: `${table}: ${fault}` });
  return { way: way ?? null, tenant };
}

const NO_TENANT = 'the column or path of its tenant leads nowhere';
/** What is wrong with a table of people where nothing says of which tenant they are; of a fixed one they all are. */
const TENANT_FAULTS: Readonly<Partial<Record<DataMap['tenant']['kind'], string>>> = {
  column: NO_TENANT,
  path: NO_TENANT,
  shared: 'people are of one tenant, and never shared by all',
};

/** A node for each end of the path, from the person outwards. */
function addPath(nodes: Map<string, Draft>, hops: readonly Hop[], edge: NonNullable<Node['edge']>): void {
  let source = PERSON;
  for (let start = hops.length - 1; start >= 0; start -= 1) {
    const hop = hops[start];
    if (hop === undefined) throw new Error('A place within a list is empty');
    const id = JSON.stringify(hops.slice(start).map(({ from, columns, to, references }) => [from, columns, to, references]));
    const isWhole = start === 0;
    const known = nodes.get(id);
    const kept = known?.edge ?? null;
    nodes.set(id, {
      id,
      table: hop.from,
      hop,
      sources: known?.sources ?? new Set([source]),
      edge: isWhole ? (kept === null ? edge : { ...kept, meaning: stronger(kept.meaning, edge.meaning) }) : kept,
    });
    source = id;
  }
}

/**
 * What hangs on an owned row is the person's whichever way the row came to be theirs: answers to answers to a note, the circle
 * of three tables. Only among paths that the map, or the schema, calls `owns`; a shared row passes on its own path alone. What hangs
 * on another person is theirs.
 */
function joinOwned(nodes: Map<string, Draft>, people: ReadonlySet<string>): void {
  const owned = [...nodes.values()].filter(({ edge }) => edge?.meaning === 'owns');
  for (const node of owned) {
    if (node.hop === null || people.has(node.hop.to) || ![...node.sources].some((id) => nodes.get(id)?.edge?.meaning === 'owns'))
      continue;
    for (const other of owned) if (other.table === node.hop.to) node.sources.add(other.id);
  }
}

function wantedColumns(nodes: ReadonlyMap<string, Draft>): ReadonlyMap<string, readonly string[]> {
  const wanted = new Map<string, Set<string>>();
  for (const { hop, sources } of nodes.values()) {
    for (const source of sources) {
      const columns = wanted.get(source) ?? new Set<string>();
      for (const column of hop?.references ?? []) columns.add(column);
      wanted.set(source, columns);
    }
  }
  return new Map([...wanted].map(([id, columns]) => [id, [...columns].toSorted()]));
}

const STRENGTH: readonly Meaning[] = ['stop', 'created_by', 'about', 'shared', 'owns'];

function stronger(a: Meaning, b: Meaning): Meaning {
  return STRENGTH.indexOf(a) >= STRENGTH.indexOf(b) ? a : b;
}

/** What the paths of a table stand on: columns of a table on the way, and whether the rows there must stay as well. */
export type Footing = { readonly at: string; readonly columns: readonly string[]; readonly needsRows: boolean };

/**
 * By what the rows of a table are found. A foreign key keeps the rows that it refers to, and their keys; what it refers by can be written over
 * like everything that none stands behind. By its own columns a row is found until it is dealt with itself, and the person's own row stays.
 */
export function footingsOf({ nodes, edgesOf }: Graph, table: string): readonly Footing[] {
  const ends = new Set((edgesOf.get(table) ?? []).map(({ id }) => id));
  const passed = new Set(ends);
  // A set goes on to what is added while it is gone through.
  for (const id of passed) for (const source of nodes.get(id)?.sources ?? []) passed.add(source);
  return [...passed].flatMap((id): Footing[] => {
    const { hop = null, sources = new Set() } = nodes.get(id) ?? {};
    if (hop === null) return [];
    const isLoose = hop.foreignKey === null;
    const isOwnRow = [...sources].every((source) => source === PERSON);
    return [
      ...(ends.has(id) ? [] : [{ at: hop.from, columns: hop.columns, needsRows: isLoose }]),
      ...(isLoose ? [{ at: hop.to, columns: hop.references, needsRows: !isOwnRow }] : []),
    ];
  });
}

/**
 * Groups of tables that refer to each other in a circle (most groups have one), those that refer before those referred to. `before`: other
 * tables that a table has to come before.
 */
export function inOrderOfReference(
  tables: readonly string[],
  schema: SchemaIndex,
  before: (table: string) => readonly string[] = () => [],
): readonly (readonly string[])[] {
  const among = new Set(tables);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const groups: string[][] = [];
  const visit = (table: string): number => {
    const place = index.size;
    index.set(table, place);
    low.set(table, place);
    stack.push(table);
    for (const to of [...(schema.outgoing.get(table) ?? []).map((link) => link.to), ...before(table)]) {
      if (!among.has(to)) continue;
      const seen = index.get(to);
      if (seen === undefined) low.set(table, Math.min(low.get(table) ?? place, visit(to)));
      else if (stack.includes(to)) low.set(table, Math.min(low.get(table) ?? place, seen));
    }
    const lowest = low.get(table) ?? place;
    if (lowest === place) groups.push(stack.splice(stack.indexOf(table)));
    return lowest;
  };
  for (const table of tables.toSorted()) if (!index.has(table)) visit(table);
  // Tarjan's algorithm gives what is referred to first.
  return groups.toReversed();
}
