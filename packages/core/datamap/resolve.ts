import { suggestionFor } from '../configuration/text.ts';
import type { DataMap, Meaning, SubjectEdge } from './model.ts';
import { formatPath, type PathStep, type SubjectPath } from './path.ts';
import { columnOf, type ColumnFacts, type Link, type SchemaIndex, type TableFacts } from './schema-facts.ts';

/** One step of a path over the live schema, from the row towards the person. `columns` pairs with `references` by place. */
export type Hop = {
  readonly from: string;
  readonly columns: readonly string[];
  readonly to: string;
  readonly references: readonly string[];
  /** forward: the row refers to the next one. reverse: the next one refers to the row. */
  readonly direction: 'forward' | 'reverse';
  /** Null: no foreign key stands behind it, so the database does not keep it true. */
  readonly foreignKey: string | null;
};

export type ResolvedPath = {
  readonly subject: string;
  /** External name of the table whose rows it starts from. */
  readonly table: string;
  /** Never empty. The last one ends at the table of the subject. */
  readonly hops: readonly Hop[];
  readonly meaning: Meaning;
  /** Whether the map says what it means, or the foreign keys do. */
  readonly meaningFrom: 'map' | 'schema';
  readonly path: SubjectPath;
};

/** Why a path does not lead where it should. */
export type PathProblem = { readonly kind: 'broken' | 'ambiguous'; readonly message: string; readonly remedy: string };

/** Where a path must end, and by which columns rows there are named. */
export type PathEnd = { readonly table: string; readonly key: readonly string[] };

/**
 * Follows a path over the live foreign keys.
 *
 * Where none stands behind a step, the columns must fit the primary key of the next table (or the columns that the path names
 * on arrival) in number and type: such a step is followed too, with `foreignKey: null`.
 */
export function resolvePath(schema: SchemaIndex, start: string, path: SubjectPath, end: PathEnd): readonly Hop[] | PathProblem {
  const walk = new Walk(schema, start);
  try {
    walk.follow(path, end);
    walk.arrive(end);
    return walk.hops;
  } catch (error) {
    if (error instanceof Stopped) return error.problem;
    throw error;
  }
}

/** A column of another table that belongs to a row, such as its tenant: the hops to that table, and the column there. */
export function resolveColumnPath(
  schema: SchemaIndex,
  start: string,
  path: SubjectPath,
): { readonly hops: readonly Hop[]; readonly column: string } | PathProblem {
  const walk = new Walk(schema, start);
  try {
    walk.follow(path, null);
    const [column, more] = walk.leaving;
    if (column === undefined || more !== undefined)
      throw new Stopped('broken', 'the path must end with exactly one column', 'Let its last step name the column that is meant.');
    return { hops: walk.hops, column };
  } catch (error) {
    if (error instanceof Stopped) return error.problem;
    throw error;
  }
}

/** A path of the map over the live schema. Undefined subjects and tables are broken paths too. */
export function resolveEdge(map: DataMap, schema: SchemaIndex, table: string, edge: SubjectEdge): ResolvedPath | PathProblem {
  const subject = map.subjects.get(edge.subject);
  if (subject === undefined)
    return {
      kind: 'broken',
      message: `there is no subject ${edge.subject}`,
      remedy: 'Define it under subjects, or correct its name.',
    };
  const hops = resolvePath(schema, table, edge.path, subject);
  if ('kind' in hops) return hops;
  const siblings = map.tables.get(table)?.of ?? [edge];
  const ofPeople = [...map.subjects.values()].some((each) => each.table === table);
  const meaning = edge.meaning ?? (ofPeople ? 'created_by' : meaningOf(schema, hops, siblings.length));
  return { subject: edge.subject, table, hops, meaning, meaningFrom: edge.meaning === null ? 'schema' : 'map', path: edge.path };
}

/**
 * What a path means for a row when the map does not say. (A row that is a person itself is nobody else's: `created_by`.)
 * - several people in the row, or a step against a reference (many may refer to the row): `shared`;
 * - a foreign key on the way with ON DELETE SET NULL or SET DEFAULT, by which the schema itself says that the row outlives what
 *   it refers to: `created_by`;
 * - everything else, ON DELETE CASCADE and NOT NULL before all: `owns`.
 */
export function meaningOf(schema: SchemaIndex, hops: readonly Hop[], pathsOfTable: number): Meaning {
  if (pathsOfTable > 1 || hops.some(({ direction }) => direction === 'reverse')) return 'shared';
  return hops.some((hop) => outlives(schema, hop)) ? 'created_by' : 'owns';
}

function outlives(schema: SchemaIndex, hop: Hop): boolean {
  const onDelete = schema.outgoing.get(hop.from)?.find(({ foreignKey }) => foreignKey.name === hop.foreignKey)?.foreignKey.onDelete;
  return onDelete === 'set-null' || onDelete === 'set-default';
}

/** The path that writes the same hops, arrivals named only where no foreign key tells them. */
export function pathOfHops(hops: readonly Hop[]): SubjectPath {
  const [first] = hops;
  if (first === undefined) throw new Error('A path has at least one step');
  const steps: PathStep[] = [{ arrow: '->', table: null, columns: first.columns }];
  for (const [index, hop] of hops.entries()) {
    const next = hops[index + 1];
    if (hop.direction === 'reverse') steps.push({ arrow: '<-', table: hop.to, columns: hop.references });
    if (next === undefined) continue;
    const isBare = hop.direction === 'forward' && hop.foreignKey === null;
    if (isBare) steps.push({ arrow: '->', table: hop.to, columns: hop.references });
    steps.push({ arrow: '->', table: isBare || hop.direction === 'reverse' ? null : hop.to, columns: next.columns });
  }
  return { steps };
}

class Stopped extends Error {
  readonly problem: PathProblem;

  constructor(kind: PathProblem['kind'], message: string, remedy: string) {
    super(message);
    this.problem = { kind, message, remedy };
  }
}

/** Where a path stands while it is followed. */
class Walk {
  readonly hops: Hop[] = [];
  readonly #schema: SchemaIndex;
  #at: string;
  /** By which columns the way goes on; null where it has arrived and they are still to be named. */
  #leaving: readonly string[] | null = null;
  /** The columns that it arrived at, where the path named them. */
  #arrived: readonly string[] = [];

  constructor(schema: SchemaIndex, start: string) {
    this.#schema = schema;
    this.#at = start;
  }

  get leaving(): readonly string[] {
    return this.#leaving ?? this.#arrived;
  }

  follow(path: SubjectPath, end: PathEnd | null): void {
    const [first, ...rest] = path.steps;
    if (first === undefined) throw new Stopped('broken', 'the path is empty', 'Name the column that leads to the person.');
    this.#leaveBy(first.columns);
    for (const [index, step] of rest.entries()) this.#step(step, { next: rest[index + 1], end });
  }

  /** The last step, which a path does not write: to the subject's table by the columns it stands at. */
  arrive(end: PathEnd): void {
    if (this.#at === end.table && this.#leaving === null) return;
    this.#hop(this.#link(end.table, this.leaving) ?? this.#match(end.table, this.leaving, end.key));
  }

  #step(step: PathStep, around: { readonly next: PathStep | undefined; readonly end: PathEnd | null }): void {
    if (this.#leaving === null && (step.table === null || (step.table === this.#at && step.arrow === '->'))) {
      this.#leaveBy(step.columns);
      return;
    }
    if (step.table === null)
      throw new Stopped('broken', `the step to ${listOf(step.columns)} names no table`, 'Write table.column after the arrow.');
    if (step.arrow === '<-') this.#against(step.table, step.columns);
    else this.#forward(step.table, step.columns, arrives(step, around));
  }

  /** `mayArrive`: the columns after the table may be those it arrives at, since the path goes on by others or ends there. */
  #forward(table: string, columns: readonly string[], mayArrive: boolean): void {
    const leaving = this.leaving;
    this.#columnsOf(table, columns);
    const link = (mayArrive ? this.#link(table, leaving, columns) : undefined) ?? this.#link(table, leaving);
    const isArrival = mayArrive && (link === undefined || sameColumns(link.references, columns));
    this.#hop(link ?? this.#match(table, leaving, isArrival ? columns : (this.#table(table).primaryKey?.columns ?? [])));
    this.#leaving = isArrival ? null : columns;
    this.#arrived = isArrival ? columns : [];
  }

  #against(table: string, columns: readonly string[]): void {
    this.#columnsOf(table, columns);
    const leaving = this.leaving;
    const links = (this.#schema.outgoing.get(table) ?? []).filter(
      ({ to, foreignKey }) => to === this.#at && sameColumns(foreignKey.columns, columns),
    );
    const link = one(
      links.filter(({ foreignKey }) => sameColumns(foreignKey.references.columns, leaving)),
      `${table} refers to ${this.#at}`,
    );
    const pairs = link === undefined ? this.#match(table, leaving, columns) : reversed(link);
    this.#hop({ ...pairs, direction: 'reverse' });
    this.#leaving = null;
    this.#arrived = columns;
  }

  /** The foreign key by which these columns refer to that table, and there to those columns if they are given. */
  #link(table: string, columns: readonly string[], references?: readonly string[]): Hop | undefined {
    const links = (this.#schema.outgoing.get(this.#at) ?? []).filter(
      ({ to, foreignKey }) =>
        to === table &&
        sameColumns(foreignKey.columns, columns) &&
        (references === undefined || sameColumns(foreignKey.references.columns, references)),
    );
    const link = one(links, `${listOf(columns)} of ${this.#at} refers to ${table}`);
    return link === undefined ? undefined : forward(link);
  }

  /** A step that no foreign key stands behind. */
  #match(table: string, columns: readonly string[], references: readonly string[]): Hop {
    const from = this.#columnsOf(this.#at, columns);
    const to = this.#columnsOf(table, references);
    if (from.length !== to.length || to.length === 0 || from.some((column, place) => !isComparable(column, to[place]))) {
      throw new Stopped(
        'broken',
        `${listOf(columns)} of ${this.#at} does not lead to ${table}`,
        `${this.#waysTo(table)} Or name the columns it arrives at: -> ${table}.column -> column.`,
      );
    }
    return { from: this.#at, columns, to: table, references, direction: 'forward', foreignKey: null };
  }

  #waysTo(table: string): string {
    const ways = (this.#schema.outgoing.get(this.#at) ?? [])
      .filter(({ to }) => to === table)
      .map(({ foreignKey }) => listOf(foreignKey.columns));
    return ways.length === 0
      ? `No foreign key leads from ${this.#at} to ${table}.`
      : `Foreign keys lead there from ${ways.join(' and ')}.`;
  }

  #hop(hop: Hop): void {
    this.hops.push(hop);
    this.#at = hop.to;
    this.#leaving = null;
    this.#arrived = [];
  }

  #leaveBy(columns: readonly string[]): void {
    this.#columnsOf(this.#at, columns);
    this.#leaving = columns;
  }

  #table(name: string): TableFacts {
    const table = this.#schema.byName.get(name);
    if (table !== undefined) return table;
    const meant = suggestionFor(name, [...this.#schema.byName.keys()]);
    throw new Stopped(
      'broken',
      `there is no table ${name}`,
      meant === undefined ? 'Correct the name in the path.' : `Did you mean ${meant}?`,
    );
  }

  #columnsOf(name: string, columns: readonly string[]): readonly ColumnFacts[] {
    const table = this.#table(name);
    return columns.map((column) => {
      const found = columnOf(table, column);
      if (found !== undefined) return found;
      const meant = suggestionFor(
        column,
        table.columns.map((each) => each.name),
      );
      throw new Stopped(
        'broken',
        `there is no column ${column} in ${name}`,
        meant === undefined ? 'Correct the name in the path.' : `Did you mean ${meant}?`,
      );
    });
  }
}

function arrives(step: PathStep, { next, end }: { readonly next: PathStep | undefined; readonly end: PathEnd | null }): boolean {
  if (next === undefined) return end !== null && step.table === end.table;
  return next.arrow === '->' && (next.table === null || next.table === step.table);
}

/** From the columns of a foreign key to what they refer to. */
export function forward({ from, foreignKey, to }: Link): Hop {
  return {
    from,
    columns: foreignKey.columns,
    to,
    references: foreignKey.references.columns,
    direction: 'forward',
    foreignKey: foreignKey.name,
  };
}

function reversed({ from, foreignKey, to }: Link): Hop {
  return {
    from: to,
    columns: foreignKey.references.columns,
    to: from,
    references: foreignKey.columns,
    direction: 'reverse',
    foreignKey: foreignKey.name,
  };
}

function one(links: readonly Link[], what: string): Link | undefined {
  const [link, other] = links;
  if (link === undefined || other === undefined) return link;
  // Two foreign keys over the same columns that pair them alike say the same.
  if (links.every(({ foreignKey }) => samePairs(foreignKey, link.foreignKey))) return link;
  const names = links.map(({ foreignKey }) => foreignKey.name).join(', ');
  throw new Stopped(
    'ambiguous',
    `${what} in several ways (${names})`,
    'Name the columns that the path arrives at: -> table.column -> column.',
  );
}

function samePairs(a: Link['foreignKey'], b: Link['foreignKey']): boolean {
  return (
    a.columns.length === b.columns.length &&
    a.columns.every((column, place) => b.references.columns[b.columns.indexOf(column)] === a.references.columns[place])
  );
}

function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((column) => b.includes(column));
}

const COMPARABLE: readonly ReadonlySet<string>[] = [
  new Set(['smallint', 'integer', 'bigint', 'numeric', 'oid']),
  new Set(['text', 'character varying', 'character', 'citext', 'name']),
];

/** Whether PostgreSQL compares the two with = as they stand. */
function isComparable(a: ColumnFacts, b: ColumnFacts | undefined): boolean {
  if (b === undefined) return false;
  const [left, right] = [bareType(a), bareType(b)];
  return left === right || COMPARABLE.some((family) => family.has(left) && family.has(right));
}

/** Without length or precision: `character varying(80)` is `character varying`. */
export function bareType({ baseType }: Pick<ColumnFacts, 'baseType'>): string {
  return baseType.replace(/\(.*?\)/, '').trim();
}

function listOf(columns: readonly string[]): string {
  return columns.length === 1 ? (columns[0] ?? '') : `[${columns.join(', ')}]`;
}

/** As the map would write the hops. */
export function textOfHops(hops: readonly Hop[]): string {
  return formatPath(pathOfHops(hops));
}
