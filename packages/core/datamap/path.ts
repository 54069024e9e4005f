import { formatName, formatTableName } from '../names.ts';

/**
 * A way from the rows of a table to the rows of another, as the map writes it:
 *
 *     patient_id                                   a column of the row itself
 *     booking_id -> bookings.patient_id            to the booking, and from there by its patient_id
 *     [tenant_id, booking_id] -> bookings.[tenant_id, id] -> [tenant_id, patient_id]
 *     id <- customers.address_id                   against the reference: who has this address
 *
 * After a table stand the columns by which the way goes on or, where it goes on by others, first those that it arrives at.
 * Which of the two they are follows from the foreign keys (`resolvePath`).
 */
export type SubjectPath = { readonly steps: readonly PathStep[] };

export type PathStep = {
  /** `->` along a reference, `<-` against it. The first step, which stands before any arrow, has `->`. */
  readonly arrow: '->' | '<-';
  /** External name; null for the table where the way stands already. */
  readonly table: string | null;
  readonly columns: readonly string[];
};

/** Where in the text, from 0, and what is wrong there. */
export type PathFault = { readonly offset: number; readonly message: string };

const DEFAULT_SCHEMA = 'public';
/** Longer ones than this nobody can review; it also bounds the work for a hostile file. */
const STEPS_AT_MOST = 16;
const SPACE = /\s*/y;
const ARROW = /->|<-/y;
const QUOTED = /"((?:[^"]|"")+)"/y;
const BARE = /[\p{L}_][\p{L}\p{M}\p{N}_$]*/uy;

/** Reads a path. Never throws: a text that is none gives the place and the reason. */
export function parsePath(text: string): { readonly path: SubjectPath } | { readonly fault: PathFault } {
  const scanner = new Scanner(text);
  try {
    const steps: PathStep[] = [{ arrow: '->', ...firstStep(scanner) }];
    for (let arrow = scanner.take(ARROW); arrow !== undefined; arrow = scanner.take(ARROW)) {
      if (steps.length === STEPS_AT_MOST) scanner.refuse(`a path has at most ${STEPS_AT_MOST} steps`);
      steps.push({ arrow: arrow === '<-' ? '<-' : '->', ...step(scanner) });
    }
    if (!scanner.atEnd()) scanner.refuse('an arrow (-> or <-) or the end is expected here');
    return { path: { steps } };
  } catch (error) {
    if (error instanceof Refusal) return { fault: { offset: error.offset, message: error.message } };
    throw error;
  }
}

/** The text of a path, every table with its schema. `parsePath` gives the same path back. */
export function formatPath(path: SubjectPath): string {
  return path.steps
    .map(({ arrow, table, columns }, index) => {
      const [only, ...more] = columns.map((column) => formatName(column));
      const list = more.length === 0 ? only : `[${[only, ...more].join(', ')}]`;
      return `${index === 0 ? '' : ` ${arrow} `}${table === null ? '' : `${table}.`}${list}`;
    })
    .join('');
}

/** A path of one step: columns of the row itself. */
export function directPath(columns: readonly string[]): SubjectPath {
  return { steps: [{ arrow: '->', table: null, columns }] };
}

function firstStep(scanner: Scanner): Omit<PathStep, 'arrow'> {
  const start = scanner.offset;
  const { table, columns } = step(scanner);
  if (table !== null) scanner.refuse('a path starts with a column of its own table, without the name of that table', start);
  return { table, columns };
}

function step(scanner: Scanner): Omit<PathStep, 'arrow'> {
  const parts: { readonly name: string; readonly quoted: boolean; readonly start: number }[] = [];
  for (;;) {
    scanner.skipSpace();
    if (scanner.takeMark('[')) return { table: tableOf(scanner, parts), columns: columnList(scanner) };
    const start = scanner.offset;
    parts.push({ ...name(scanner), start });
    if (scanner.takeMark('.')) continue;
    const column = parts.pop();
    // The loop has just pushed one.
    return { table: tableOf(scanner, parts), columns: column === undefined ? [] : [column.name] };
  }
}

function tableOf(
  scanner: Scanner,
  parts: readonly { readonly name: string; readonly quoted: boolean; readonly start: number }[],
): string | null {
  const [first, second, third] = parts;
  if (first === undefined) return null;
  if (third !== undefined) scanner.refuse('a name has at most three parts: schema.table.column', third.start);
  const folded = parts.find(({ name, quoted }) => !quoted && name !== name.toLowerCase());
  if (folded !== undefined)
    scanner.refuse(`a table whose name has capitals stands in double quotes: "${folded.name}"`, folded.start);
  return formatTableName(
    second === undefined ? { schema: DEFAULT_SCHEMA, table: first.name } : { schema: first.name, table: second.name },
  );
}

function columnList(scanner: Scanner): readonly string[] {
  const columns: string[] = [];
  do {
    scanner.skipSpace();
    columns.push(name(scanner).name);
    scanner.skipSpace();
  } while (scanner.takeMark(','));
  if (!scanner.takeMark(']')) scanner.refuse('a list of columns ends with ]');
  return columns;
}

function name(scanner: Scanner): { readonly name: string; readonly quoted: boolean } {
  const quoted = scanner.takeQuoted();
  if (quoted !== undefined) return { name: quoted, quoted: true };
  const bare = scanner.takeBare();
  if (bare === undefined)
    scanner.refuse(
      scanner.atEnd()
        ? 'a column is missing at the end'
        : 'the name of a column is expected here; names with blanks, dots or other signs stand in double quotes',
    );
  return { name: bare, quoted: false };
}

class Refusal extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** A place in a text that moves forward. */
class Scanner {
  readonly #text: string;
  offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  skipSpace(): void {
    this.#match(SPACE);
  }

  /** Takes what the pattern finds here, blanks before it left out. */
  take(pattern: RegExp): string | undefined {
    this.skipSpace();
    return this.#match(pattern)?.[0];
  }

  takeMark(mark: string): boolean {
    if (!this.#text.startsWith(mark, this.offset)) return false;
    this.offset += mark.length;
    return true;
  }

  takeQuoted(): string | undefined {
    return this.#match(QUOTED)?.[1]?.replaceAll('""', '"');
  }

  takeBare(): string | undefined {
    return this.#match(BARE)?.[0];
  }

  atEnd(): boolean {
    this.skipSpace();
    return this.offset === this.#text.length;
  }

  refuse(message: string, offset = this.offset): never {
    throw new Refusal(offset, message);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.offset;
    const match = pattern.exec(this.#text);
    if (match !== null) this.offset += match[0].length;
    return match;
  }
}
