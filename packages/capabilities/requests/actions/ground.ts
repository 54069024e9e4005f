import type pg from 'pg';
import {
  indexSchema,
  isSafekeepError,
  SafekeepError,
  type Clock,
  type DataMap,
  type SchemaIndex,
  type Subject,
  sqlStateOf,
} from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import { readCatalog, type Catalog, type Database } from '@safekeep/postgres';
import { ownKey, parseKey, type Person } from '../../holds/index.ts';
import type { Ledger } from '../../ledger/index.ts';
import type { RequestPorts } from '../model.ts';
import { graphOf, unguardedTables, type Graph } from '../rules/graph.ts';
import { keyName, looseKeys } from '../store/guards.ts';

/** What finding, exporting and erasing stand on. */
export type Ground = {
  readonly database: Database;
  readonly tenant: string;
  readonly clock: Clock;
  readonly map: DataMap;
  /** Of the text of the map: a plan is one of this map. */
  readonly mapSha256: string;
  readonly catalog: Catalog;
  readonly schema: SchemaIndex;
  readonly ports: RequestPorts;
};

export type ErasureGround = Ground & {
  readonly ledger: Ledger;
  readonly signer: Signer;
  /** Where certificates are written. */
  readonly certificateDirectory: string;
  /** `second-person`: who approves must not be who planned. */
  readonly approval: 'any' | 'second-person';
  /** With `second-person`: verifier keys of those who must sign; null where names are only claimed. */
  readonly approvers?: readonly string[] | null;
  /** How long a place outside may take for one answer. */
  readonly outsideTimeoutMs?: number;
  /** Rows of one table that one transaction changes; ROWS_AT_ONCE unless said otherwise. */
  readonly rowsAtOnce?: number;
};

/**
 * Above it a table is worked off in chunks of so many: a transaction of seconds, some hundred megabytes of keys and texts.
 */
const ROWS_AT_ONCE = 100_000;

export function rowsAtOnce({ rowsAtOnce: given = ROWS_AT_ONCE }: Pick<ErasureGround, 'rowsAtOnce'>): number {
  return given;
}

/** Reads the live structure. */
export async function groundOf(parts: Omit<Ground, 'catalog' | 'schema'>): Promise<Ground> {
  const catalog = await parts.database.withClient((client) => readCatalog(client));
  return { ...parts, catalog, schema: indexSchema(catalog) };
}

/** Reads `patient:42`; its key is as it was typed, see {@link findPerson}. Throws `subject-invalid`, `subject-type-unknown`. */
export function parseSubject(map: DataMap, text: string): { readonly person: Person; readonly subject: Subject } {
  const colon = text.indexOf(':');
  if (colon < 1) throw new SafekeepError('subject-invalid', { reason: 'it is written type:key, as patient:42' });
  const type = text.slice(0, colon);
  const subject = map.subjects.get(type);
  if (subject === undefined)
    throw new SafekeepError('subject-type-unknown', { type, known: [...map.subjects.keys()].join(', ') || 'none' });
  const key = parseKey(text.slice(colon + 1));
  if ('fault' in key) throw new SafekeepError('subject-invalid', { reason: key.fault });
  if (key.length !== subject.key.length)
    throw new SafekeepError('subject-invalid', { reason: `the key of ${type} has ${subject.key.length} part(s)` });
  return { person: { type, key }, subject };
}

/**
 * Reads `patient:42` in whatever way its key is typed: from here on it is the database's own text, which holds, marks, keys and the log know
 * people by. Throws as `parseSubject`, and `subject-invalid` for what is no value of the key's types; `map-does-not-fit` where their table or
 * a column of its key is not there.
 */
export async function findPerson(
  { database, tenant, map, schema }: Pick<Ground, 'database' | 'tenant' | 'map' | 'schema'>,
  text: string,
): Promise<ReturnType<typeof parseSubject>> {
  const { person, subject } = parseSubject(map, text);
  const columns = schema.byName.get(subject.table)?.columns.map(({ name }) => name);
  if (columns === undefined) throw new SafekeepError('map-does-not-fit', { problems: `there is no table ${subject.table}` });
  const gone = subject.key.filter((name) => !columns.includes(name));
  if (gone.length > 0)
    throw new SafekeepError('map-does-not-fit', { problems: `${subject.table} has no column ${gone.join(', ')}` });
  const key = await ownKey(database, tenant, { subject, key: person.key });
  if (key === undefined) throw new SafekeepError('subject-invalid', { reason: 'its key is no value of that kind' });
  return { person: { ...person, key }, subject };
}

/** Throws `map-does-not-fit` where a path leads nowhere: what would be found would not be everything. */
export function soundGraph({ map, schema }: Pick<Ground, 'map' | 'schema'>, subject: Subject): Graph {
  const graph = graphOf(map, schema, subject);
  if (graph.problems.length > 0) {
    const problems = graph.problems.map(({ table, message }) => `${table}: ${message}`).join('; ');
    throw new SafekeepError('map-does-not-fit', { problems });
  }
  return graph;
}

/** Tables in which rows of a person can appear although their own row is locked. */
export async function openTables(client: pg.ClientBase, graph: Graph): Promise<ReadonlySet<string>> {
  const loose = await looseKeys(client);
  return unguardedTables(graph, ({ from, foreignKey }) => loose.has(keyName(from, foreignKey ?? '')));
}

/**
 * The code of what stops one person of many: a refusal, or what the database says of their rows. Throws it where it would stop all the others
 * too: a bug, or no database.
 */
export function ownFault(error: unknown): string {
  if (isSafekeepError(error)) return error.code;
  const code = sqlStateOf(error);
  // Classes 08 and 57P: the connection is gone.
  if (code === undefined || /^(08|57P)/.test(code)) throw error;
  return code;
}
