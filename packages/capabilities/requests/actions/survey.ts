import { createHash } from 'node:crypto';
import type pg from 'pg';
import { SafekeepError, type Subject } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import type { Person } from '../../holds/index.ts';
import { policyOf, treatmentKey, type TablePolicy, type Treatment } from '../rules/treat.ts';
import { followFrom, identityOf, personRow, tableOf, type Reach } from '../store/traverse.ts';
import { loadRows, rowsOf, type PersonRow } from '../store/rows.ts';
import { hiddenTables } from '../store/session.ts';
import { soundGraph, type Ground } from './ground.ts';
import { requireTenant } from './require-tenant.ts';
import type { Identity, RowKey } from '../model.ts';

/** A table with rows of one person. */
export type SurveyedTable = {
  readonly table: string;
  readonly identity: Identity;
  readonly policy: TablePolicy;
  readonly rows: readonly PersonRow[];
  /** There are more rows than are looked at at once, and none of them is among these: `decidePages` goes through them. */
  readonly isCut: boolean;
};

/** Everything of one person, found in one transaction. */
export type Survey = {
  readonly person: Person;
  readonly subject: Subject;
  readonly reach: Reach;
  readonly tables: readonly SurveyedTable[];
};

export type SurveyOptions = {
  readonly lock: boolean;
  /** Rows of one table at once. */
  readonly limit: number;
  readonly signal?: AbortSignal;
  /** What else leads to the person, by values that stand there no more; asked behind the lock. */
  readonly tied?: () => Promise<Reach | undefined>;
  /** Tables that were worked off before. */
  readonly without?: ReadonlySet<string>;
};

/**
 * Finds every row of a person: the one traversal that export and erasure share.
 *
 * @throws `subject-unknown`, `map-does-not-fit`, `rows-hidden` where row security keeps rows from this login, `subject-too-large`,
 *   `tenant-unknown`, `tenant-of-others`
 */
export async function survey(
  client: pg.ClientBase,
  ground: Ground,
  { person, subject, options }: { readonly person: Person; readonly subject: Subject; readonly options: SurveyOptions },
): Promise<Survey> {
  const { map, schema, clock } = ground;
  const graph = soundGraph(ground, subject);
  const start = { graph, schema, key: person.key, tenant: ground.tenant };
  const names = [...graph.edgesOf.keys()].filter((table) => options.without?.has(table) !== true).toSorted();
  const [own, hidden] = await together(client, [
    () => personRow(client, start, options.lock),
    () => hiddenTables(client, [...graph.passed]),
  ]);
  if (own === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  if (hidden.length > 0) throw new SafekeepError('rows-hidden', { tables: hidden.join(', ') });
  await requireTenant(client, ground, graph.edgesOf.keys());
  const before = await options.tied?.();
  const reach = await followFrom(client, { ...start, own, before }, options);
  options.signal?.throwIfAborted();
  const load = { map, reach, person, now: clock.now() };
  const limit = Number.isFinite(options.limit) ? options.limit + 1 : options.limit;
  const asking = { limit, lock: options.lock, withText: options.lock };
  const loaded = await together(
    client,
    names.map((table) => () => loadRows(client, load, rowsOf(reach, table, person.key), asking)),
  );
  const tables: SurveyedTable[] = [];
  for (const [place, table] of names.entries()) {
    const found = loaded[place] ?? [];
    if (found.length === 0) continue;
    const isCut = found.length > options.limit;
    tables.push({ table, identity: identityOf(schema, table), policy: policies(ground, table), rows: isCut ? [] : found, isCut });
  }
  return { person, subject, reach, tables };
}

const known = new WeakMap<Ground['catalog'], Map<string, TablePolicy>>();

/** Worked out once for a map and a structure. */
export function policies({ catalog, map, schema, mapSha256 }: Ground, table: string): TablePolicy {
  const ofCatalog = known.get(catalog) ?? new Map<string, TablePolicy>();
  known.set(catalog, ofCatalog);
  const key = `${mapSha256} ${table}`;
  const made = ofCatalog.get(key) ?? policyOf(map, schema, table, tableOf(schema, table));
  ofCatalog.set(key, made);
  return made;
}

/** Which rows, and what is done with each, in one text. A row without a key has no name that lasts, so only their number counts. */
export function rowsFingerprint(
  { identity, rows }: SurveyedTable,
  groups: readonly { readonly treatment: Treatment; readonly rows: { readonly keys: readonly RowKey[] } }[],
): string {
  if (identity.kind === 'place') return `${rows.length}`;
  const hash = createHash('sha256');
  const texts = groups.map((group): [string, readonly RowKey[]] => [treatmentKey(group.treatment), group.rows.keys]);
  for (const [treatment, keys] of texts.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${treatment}\n`);
    for (const key of keys.map((each) => JSON.stringify(each)).toSorted()) hash.update(`${key}\n`);
  }
  return hash.digest('hex');
}
