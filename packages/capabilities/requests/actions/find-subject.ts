import type pg from 'pg';
import { columnOf, encryptedName, isSafekeepError, SafekeepError, type Subject } from '@safekeep/core';
import { formatPerson, type Person } from '../../holds/index.ts';
import type { FoundText } from '../model.ts';
import { tenancyOf } from '../rules/graph.ts';
import { isSealedAlone, matchValue, readColumns, type Match } from '../store/find.ts';
import { countOfPerson } from '../store/rows.ts';
import { hiddenTables, inTransaction } from '../store/session.ts';
import { followPaths, tableOf } from '../store/traverse.ts';
import { findPerson, soundGraph, type Ground } from './ground.ts';
import { requireTenant } from './require-tenant.ts';
import { maskedAmong } from './masked-people.ts';

export type FindOptions = {
  /** Only people of this kind. */
  readonly type?: string;
  /** Show names in full; initials otherwise. */
  readonly reveal?: boolean;
  readonly limit: number;
};

/** So many people at most are told apart by how many rows they have. */
const TOLD_APART = 20;
/** Shorter ones match half of a table. */
const PARTIAL_FROM_CHARACTERS = 3;
/** Of these scripts one character is a syllable or a word, and two are a whole family name. */
const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const PARTIAL_FROM_DENSE = 2;

type Found = {
  readonly person: Person;
  readonly subject: Subject;
  readonly label: string | null;
  readonly matched: Set<string>;
  exact: boolean;
};

/**
 * Finds people by any value that the map finds them by: exactly first; where nobody matches exactly, by a part of it. Shows who
 * matched and by which column, and of the label no more than initials, unless more is asked for.
 *
 * @throws `rows-hidden` where row security keeps people from this login: nobody found would say that nobody is there.
 */
export async function findSubjects(ground: Ground, query: string, options: FindOptions): Promise<FoundText> {
  const { database, tenant, map } = ground;
  const subjects = [...map.subjects.values()].filter(({ name }) => options.type === undefined || name === options.type);
  if (options.type !== undefined && subjects.length === 0)
    throw new SafekeepError('subject-type-unknown', { type: options.type, known: [...map.subjects.keys()].join(', ') || 'none' });
  const asked = await namedIn(ground, query);
  return await inTransaction(
    database,
    { tenant, mode: 'isolation level repeatable read, read only' },
    async (client) => {
      const tables = subjects.map(({ table }) => table);
      const hidden = await hiddenTables(client, tables);
      if (hidden.length > 0) throw new SafekeepError('rows-hidden', { tables: hidden.join(', ') });
      await requireTenant(client, ground, tables);
      const named = asked === undefined ? undefined : await byName(client, ground, { subjects, asked });
      const unserved = new Set<string>();
      const matching = await search(client, ground, { subjects, query, how: 'exact', limit: options.limit + 1, unserved });
      const exact = named === undefined ? matching : [named, ...matching];
      const least = DENSE.test(query) ? PARTIAL_FROM_DENSE : PARTIAL_FROM_CHARACTERS;
      const isPartial = exact.length === 0 && [...query].length >= least;
      const order = { subjects, query, how: 'part', limit: options.limit + 1, unserved } as const;
      const found = isPartial ? await search(client, ground, order) : exact;
      const shown = found.slice(0, options.limit);
      const isAmbiguous = shown.filter((each) => each.exact).length > 1;
      const erased = await maskedAmong(
        client,
        ground,
        shown.map(({ person }) => person),
      );
      const matches: FoundText['matches'] = [];
      for (const each of shown) {
        const rows = isAmbiguous && matches.length < TOLD_APART ? await countAll(client, ground, each) : null;
        matches.push({
          subject: formatPerson(each.person),
          label: each.label === null ? null : options.reveal === true ? each.label : initials(each.label),
          matched: [...each.matched].toSorted(),
          exact: each.exact,
          rows,
          erased: erased.has(formatPerson(each.person)),
        });
      }
      const searched = subjects.map((subject) => whereLooked(subject, unserved));
      return { matches, ambiguous: isAmbiguous, more: found.length > options.limit, searched };
    },
    'rollback',
  );
}

/** `patient:3`, as every command names people. A key of several columns is not looked for so. */
async function byName(
  client: pg.ClientBase,
  ground: Ground,
  { subjects, asked: { person, subject } }: { readonly subjects: readonly Subject[]; readonly asked: Named },
): Promise<Found | undefined> {
  const [column, ...others] = subject.key;
  const [text] = person.key;
  if (column === undefined || text === undefined || others.length > 0 || !subjects.includes(subject)) return undefined;
  const tenancy = tenancyOf(ground, subject);
  const table = tableOf(ground.schema, subject.table);
  const found = await matchValue(client, { subject, table, column, query: text, how: 'exact', limit: 2, tenancy });
  // Of texts capitals make no difference to a look, and all of it to a key.
  const match = found.find(({ key }) => key[0] === text);
  return match === undefined ? undefined : { person, subject, label: match.label, matched: new Set(subject.key), exact: true };
}

type Named = Awaited<ReturnType<typeof findPerson>>;

/** Undefined where it is another text. */
async function namedIn(ground: Ground, query: string): Promise<Named | undefined> {
  try {
    return await findPerson(ground, query);
  } catch (error) {
    if (!isSafekeepError(error)) throw error;
    return undefined;
  }
}

/** `Ada Lovelace` is `A. L.`: enough to tell whether it is the one who is meant, for who knows the name. */
function initials(label: string): string {
  return label
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, 4)
    .map((word) => `${[...word][0] ?? ''}.`)
    .join(' ');
}

async function search(
  client: pg.ClientBase,
  ground: Ground,
  {
    subjects,
    query,
    how,
    limit,
    unserved,
  }: {
    readonly subjects: readonly Subject[];
    readonly query: string;
    readonly how: 'exact' | 'part';
    readonly limit: number;
    /** Takes the columns, as `placeOf` writes them, in which nobody could be looked for. */
    readonly unserved: Set<string>;
  },
): Promise<readonly Found[]> {
  const found = new Map<string, Found>();
  for (const subject of subjects) {
    const table = tableOf(ground.schema, subject.table);
    for (const column of new Set([...subject.findBy, ...(how === 'exact' && subject.key.length === 1 ? subject.key : [])])) {
      const facts = columnOf(table, column);
      const sealed = await sealedMatches(client, ground, { subject, column, query, how });
      const plain =
        facts === undefined
          ? []
          : await matchValue(client, {
              subject,
              table,
              column,
              query,
              how,
              limit,
              tenancy: tenancyOf(ground, subject),
            });
      if (sealed === 'unserved') unserved.add(placeOf(subject, column));
      for (const match of [...plain, ...(sealed === 'unserved' ? [] : sealed)]) note(found, { subject, column, match, how });
    }
  }
  return [...found.values()].slice(0, limit);
}

function placeOf({ table }: Subject, column: string): string {
  return `${table}.${column}`;
}

/** `patient by id, email; not by phone …`: nobody found would say that nobody has such a phone. */
function whereLooked(subject: Subject, unserved: ReadonlySet<string>): string {
  const columns = [...new Set([...subject.key, ...subject.findBy])];
  const [not, looked] = [true, false].map((is) =>
    columns.filter((column) => unserved.has(placeOf(subject, column)) === is).join(', '),
  );
  return `${subject.name} by ${looked}${not === '' ? '' : `; not by ${not}: encrypted, and without an index of the whole value`}`;
}

function note(
  found: Map<string, Found>,
  {
    subject,
    column,
    match,
    how,
  }: { readonly subject: Subject; readonly column: string; readonly match: Match; readonly how: 'exact' | 'part' },
): void {
  const person = { type: subject.name, key: match.key };
  const text = formatPerson(person);
  const known = found.get(text) ?? { person, subject, label: match.label, matched: new Set<string>(), exact: false };
  known.matched.add(column);
  known.exact ||= how === 'exact';
  found.set(text, known);
}

/**
 * A column of ciphertext: by its blind index, and then by the plaintext of what that found. Without an index nobody is found by it;
 * that is told where the plaintext was taken away, and refused where no plain column is left beside it.
 */
async function sealedMatches(
  client: pg.ClientBase,
  { tenant, ports, schema }: Ground,
  {
    subject,
    column,
    query,
    how,
  }: { readonly subject: Subject; readonly column: string; readonly query: string; readonly how: 'exact' | 'part' },
): Promise<readonly Match[] | 'unserved'> {
  const table = tableOf(schema, subject.table);
  const isSealed = columnOf(table, encryptedName(column)) !== undefined;
  // A part of a value has no index: that is how it should be.
  if (!isSealed || how === 'part') return [];
  const keys = await ports.opener?.find(client, { tenant, table: subject.table, column, value: query, key: subject.key });
  if ((keys === undefined || keys === null) && columnOf(table, column) !== undefined)
    return (await isSealedAlone(client, { subject, column })) ? 'unserved' : [];
  if (keys === undefined || keys === null) throw new SafekeepError('search-unserved', { column: `${subject.table}.${column}` });
  const rows = await readColumns(client, { subject, table, keys, column: encryptedName(column) });
  const values = rows.map(({ value }) => ({ table: subject.table, column, stored: value ?? Buffer.alloc(0) }));
  const plain = (await ports.opener?.open(client, { tenant }, values)) ?? [];
  return rows.filter((_row, place) => plain[place] === query).map(({ key, label }) => ({ key, label }));
}

async function countAll(client: pg.ClientBase, ground: Ground, { person, subject }: Found): Promise<number> {
  const graph = soundGraph(ground, subject);
  const reach = await followPaths(
    client,
    { graph, schema: ground.schema, key: person.key, tenant: ground.tenant },
    { lock: false },
  );
  if (reach === undefined) return 0;
  let total = 0;
  for (const table of graph.edgesOf.keys()) total += await countOfPerson(client, reach, { table, person });
  return total;
}
