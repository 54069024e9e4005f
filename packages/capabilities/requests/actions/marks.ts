import type pg from 'pg';
import { formatName, isWithin, SafekeepError, type MappedColumn, type TableFacts } from '@safekeep/core';
import type { ErasureOrder } from './plan-erasure.ts';
import type { ErasureGround } from './ground.ts';
import { sequencePositions } from '../store/residue.ts';
import { tenancyOf } from '../rules/graph.ts';
import { onePerson } from '../store/people.ts';
import { tableOf } from '../store/traverse.ts';

type Known = Pick<ErasureOrder, 'person' | 'subject'>;
type Marking = Pick<ErasureGround, 'ledger' | 'tenant'>;

/**
 * What the person's row is known again by after a restore: their key together with the random id of their encryption key,
 * where there is one, and together with each value that tells people apart. HMACs under the ledger's key: nobody without it can try
 * values. How many of them must be the same is for `returned.ts` to say.
 */
export async function identityMarks(client: pg.ClientBase, ground: ErasureGround, order: Known): Promise<string[]> {
  const byValue = await valueMarks(client, ground, order);
  const [ids = []] = await keyIdsOf(client, ground, [order.person]);
  return [...ids.map((id) => keyMark(ground, order, id)), ...byValue.map(({ mark }) => mark), numberMark(ground, order)];
}

/** The ids of the keys of each of these people, as the parts know them. */
export async function keyIdsOf(
  client: pg.ClientBase,
  { ports, tenant }: Pick<ErasureGround, 'ports' | 'tenant'>,
  people: readonly Known['person'][],
): Promise<readonly (readonly string[])[]> {
  const ids = people.map((): string[] => []);
  for (const { subjectKeyIds } of ports.participants) {
    const found = people.length === 0 ? [] : ((await subjectKeyIds?.(client, { tenant, people })) ?? []);
    for (const [place, id] of found.entries()) if (id !== null) ids[place]?.push(id);
  }
  return ids;
}

/** A mark for each value that tells the person apart; times go on while the person is there. */
export async function valueMarks(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: Known,
): Promise<readonly { readonly mark: string; readonly isTime: boolean }[]> {
  const { subject, person } = order;
  const { columns, times } = telling(ground, subject);
  const row = await onePerson(client, {
    schema: ground.schema,
    subject,
    key: person.key,
    columns,
    tenancy: tenancyOf(ground, subject),
  });
  if (row === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  return columns.flatMap((column, place) => {
    const mark = valueMark(ground, order, { column, value: row[place] });
    return mark === undefined ? [] : [{ mark, isTime: times.has(column) }];
  });
}

/** The marks of what tells the person apart at any time. */
export async function tellingMarks(client: pg.ClientBase, ground: ErasureGround, order: Known): Promise<readonly string[]> {
  return (await valueMarks(client, ground, order)).filter(({ isTime }) => !isTime).map(({ mark }) => mark);
}

function markOf({ ledger, tenant }: Marking, { person, subject }: Known, what: string): string {
  return ledger.mark({ tenant, table: subject.table, subjectKeyId: what, primaryKey: [person.type, ...person.key] });
}

export function keyMark(ground: Marking, known: Known, id: string): string {
  return markOf(ground, known, `key ${id}`);
}

/** Of their key alone, which somebody else may be given: it tells whom to ask about, and never who somebody is. */
export function numberMark(ground: Marking, known: Known): string {
  return markOf(ground, known, 'number');
}

/** Undefined for no value, which everybody could have. */
export function valueMark(
  ground: Marking,
  known: Known,
  { column, value }: { readonly column: string; readonly value: string | null | undefined },
): string | undefined {
  return value === null || value === undefined || value === '' ? undefined : markOf(ground, known, `value ${column} ${value}`);
}

/** What tells the people of a table apart. */
export type Telling = {
  readonly columns: readonly string[];
  /** Those of which the database lets nobody have the same. */
  readonly unique: ReadonlySet<string>;
  readonly times: ReadonlySet<string>;
  /** Names, which many people share. */
  readonly names: ReadonlySet<string>;
  /** False: nothing does by itself, and the columns are all that the map calls personal. */
  readonly isTelling: boolean;
};

/** Names, addresses, numbers, exact times: two people rarely share several. A sex or a town tells nobody apart. */
export function telling({ schema, map }: Pick<ErasureGround, 'schema' | 'map'>, subject: Known['subject']): Telling {
  const facts = tableOf(schema, subject.table);
  const mapped = map.tables.get(subject.table)?.columns ?? new Map<string, MappedColumn>();
  const unique = new Set(uniqueAlone(facts));
  const times = facts.columns.filter(({ baseType }) => baseType.startsWith('timestamp')).map(({ name }) => name);
  const wanted = new Set([...subject.findBy, ...(subject.label === null ? [] : [subject.label]), ...unique, ...times]);
  const others = facts.columns.map(({ name }) => name).filter((name) => !subject.key.includes(name));
  const present = others.filter((name) => wanted.has(name));
  const isTelling = present.length > 0;
  // Nothing tells them apart by itself: the values that the map calls personal may do so together.
  const columns = isTelling ? present : others.filter((name) => mapped.has(name));
  const isName = (name: string): boolean => mapped.get(name)?.categories.some((key) => isWithin(key, 'user.name')) === true;
  return { columns, unique, times: new Set(times), names: new Set(columns.filter(isName)), isTelling };
}

function uniqueAlone({ uniques, indexes }: TableFacts): readonly string[] {
  const keys = indexes
    .filter(({ unique, predicate }) => unique && predicate === null)
    .map((index) => index.keys.map(({ column }) => column));
  return [...uniques.map(({ columns }) => columns), ...keys].flatMap(([column, ...more]) =>
    column === undefined || column === null || more.length > 0 ? [] : [column],
  );
}

/** Entries of the ledger hold at most so many ids, and other things stand there too. */
const SEQUENCES_AT_MOST = 60;

/** How far the sequences of these tables have come: after a restore they are moved past every number that was given out. */
export async function sequenceIds(
  client: pg.ClientBase,
  { catalog }: Pick<ErasureGround, 'catalog'>,
  tables: readonly string[],
): Promise<Record<string, string>> {
  const owned = ownedSequences(catalog, tables);
  const positions = await sequencePositions(client, owned.slice(0, SEQUENCES_AT_MOST));
  const left = owned.length - SEQUENCES_AT_MOST;
  return {
    ...Object.fromEntries(
      positions.map(({ name, last }, place) => [`sequence-${place + 1}`, `s.${Buffer.from(name).toString('base64url')}:${last}`]),
    ),
    ...(left > 0 ? { [SEQUENCES_LEFT]: String(left) } : {}),
  };
}

/** Those that do not fit into the entry. */
export function sequencesLeft({ catalog }: Pick<ErasureGround, 'catalog'>, tables: readonly string[]): readonly string[] {
  return ownedSequences(catalog, tables).slice(SEQUENCES_AT_MOST);
}

function ownedSequences({ sequences }: ErasureGround['catalog'], tables: readonly string[]): readonly string[] {
  const touched = new Set(tables);
  return sequences
    .filter(({ ownedBy }) => ownedBy !== null && touched.has(formatName(ownedBy.schema, ownedBy.table)))
    .map(({ schema, name }) => formatName(schema, name));
}

const SEQUENCES_LEFT = 'sequences-left';

/** Of how many sequences an entry does not tell how far they had come. */
export function readSequencesLeft(ids: Readonly<Record<string, string>>): number {
  return Number(ids[SEQUENCES_LEFT] ?? 0);
}

/** An id of an entry has 200 signs; a copy of the database that knows the newest hold knows all that were placed before it. */
const HOLDS_AT_MOST = 5;

/** Which holds kept something, the newest of them. */
export function holdIds(holds: readonly string[]): Record<string, string> {
  const newest = [...new Set(holds)].toSorted().slice(-HOLDS_AT_MOST);
  return newest.length === 0 ? {} : { holds: newest.join('+') };
}

/** What {@link holdIds} wrote. */
export function readHoldIds({ holds }: Readonly<Record<string, string>>): readonly string[] {
  return holds === undefined ? [] : holds.split('+');
}

/** What {@link sequenceIds} wrote. */
export function readSequenceIds(
  ids: Readonly<Record<string, string>>,
): readonly { readonly name: string; readonly last: string }[] {
  return Object.entries(ids).flatMap(([key, value]) => {
    const [, name, last] = /^s\.([A-Za-z0-9_-]+):(\d+)$/.exec(value) ?? [];
    if (!key.startsWith('sequence-') || name === undefined || last === undefined) return [];
    return [{ name: Buffer.from(name, 'base64url').toString('utf8'), last }];
  });
}
