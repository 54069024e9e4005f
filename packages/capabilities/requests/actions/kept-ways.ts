import type pg from 'pg';
import { PERSON, type Node } from '../rules/graph.ts';
import { linkedRows } from '../store/act.ts';
import { keepsByDuty, type PersonRow } from '../store/rows.ts';
import { identityOf } from '../store/traverse.ts';
import type { RowKey } from '../model.ts';
import { keepsByHold } from './ask-holds.ts';
import type { Ground } from './ground.ts';
import type { Survey } from './survey.ts';

/**
 * Rows that were found, and of each the columns by which the ways from kept rows to the person lead over it. Neither may go or change: when
 * the duty or the hold ends the kept row is found by them, or by nobody ever.
 */
export type KeptWays = ReadonlyMap<PersonRow, ReadonlySet<string>>;

/** Tables whose rows are not all among those that were found: `kept` where it is known that rows stay there, else the database is asked. */
export type Unseen = ReadonlyMap<string, 'kept' | 'ask'>;

type Asked = { readonly isKept: (row: PersonRow) => boolean; readonly unseen: Unseen; readonly looksOnly: boolean };

export async function waysOfKept(
  client: pg.ClientBase,
  ground: Ground,
  found: Survey,
  { isKept, unseen, looksOnly }: Asked,
): Promise<KeptWays> {
  const ways = new Map<PersonRow, Set<string>>();
  const mark = (row: PersonRow, columns: readonly string[]): void => {
    ways.set(row, new Set([...(ways.get(row) ?? []), ...columns]));
  };
  await followKept(client, found, { isKept, mark });
  for (const [table, columns] of await columnsOfUnseen(client, ground, found, { unseen, looksOnly }))
    for (const row of found.tables.find((each) => each.table === table)?.rows ?? []) mark(row, [...columns]);
  return ways;
}

/** From each kept row along the paths by which it is theirs, a statement for each step that does not end at the person's own row. */
async function followKept(
  client: pg.ClientBase,
  { reach: { graph, schema }, tables }: Survey,
  { isKept, mark }: Pick<Asked, 'isKept'> & { readonly mark: (row: PersonRow, columns: readonly string[]) => void },
): Promise<void> {
  let steps: { readonly node: Node; readonly keys: readonly RowKey[] }[] = tables.flatMap(({ table, rows }) => {
    const kept = rows.filter((row) => row.reached.length > 0 && isKept(row));
    return (kept.length === 0 ? [] : (graph.edgesOf.get(table) ?? [])).map((node) => ({
      node,
      keys: kept.filter(({ reached }) => reached.some(({ path }) => path === node.edge?.path)).map(({ key }) => key),
    }));
  });
  if (steps.length === 0) return;
  const rowsByKey = new Map(
    tables.map(({ table, rows }) => [table, new Map(rows.map((row) => [JSON.stringify(row.key), row]))] as const),
  );
  const markKeys = (table: string, keys: readonly RowKey[], columns: readonly string[]): void => {
    for (const key of keys) {
      const row = rowsByKey.get(table)?.get(JSON.stringify(key));
      if (row !== undefined) mark(row, columns);
    }
  };
  const seen = new Map<string, Set<string>>();
  // Each row is gone on from once for each node: the rows of a person are many, and not without end.
  while (steps.length > 0) {
    const next: typeof steps = [];
    for (const { node, keys } of steps) {
      const { hop } = node;
      const known = seen.get(node.id) ?? new Set<string>();
      seen.set(node.id, known);
      const fresh = keys.filter((key) => !known.has(JSON.stringify(key)));
      if (hop === null || fresh.length === 0) continue;
      for (const key of fresh) known.add(JSON.stringify(key));
      markKeys(hop.from, fresh, hop.columns);
      const ends = await endsOf(client, { node, keys: fresh, schema, own: ownKeys(tables) });
      markKeys(hop.to, ends, hop.references);
      for (const source of node.sources) {
        const before = graph.nodes.get(source);
        if (before !== undefined && source !== PERSON) next.push({ node: before, keys: ends });
      }
    }
    steps = next;
  }
}

function ownKeys(tables: Survey['tables']): readonly RowKey[] {
  return tables.flatMap(({ rows }) => rows).flatMap(({ reached, key }) => (reached.some(({ path }) => path === '') ? [key] : []));
}

/** The rows at which a step from these arrives. */
async function endsOf(
  client: pg.ClientBase,
  {
    node: { hop, sources },
    keys,
    schema,
    own,
  }: { readonly node: Node; readonly keys: readonly RowKey[]; readonly schema: Ground['schema']; readonly own: readonly RowKey[] },
): Promise<readonly RowKey[]> {
  if (hop === null) return [];
  if (own.length > 0 && [...sources].every((source) => source === PERSON)) return own;
  const from = { table: hop.from, identity: identityOf(schema, hop.from), keys };
  return await linkedRows(client, from, { ...hop, identity: identityOf(schema, hop.to) });
}

/**
 * Columns, by table, over which ways without a foreign key lead from kept rows that are not among those found. Which of the rows they lead over
 * nobody has looked at, so it is all; what a foreign key ties is looked at row by row where something is deleted.
 */
async function columnsOfUnseen(
  client: pg.ClientBase,
  ground: Ground,
  survey: Survey,
  { unseen, looksOnly }: Pick<Asked, 'unseen' | 'looksOnly'>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { reach, tables } = survey;
  const surveyed = new Set(tables.map(({ table }) => table));
  const found = new Map<string, Set<string>>();
  for (const [table, state] of unseen) {
    const columns = looseColumns(reach.graph, table).filter(([at]) => surveyed.has(at));
    if (columns.length === 0) continue;
    if (state === 'ask' && !(await keepsRows(client, ground, survey, { table, looksOnly }))) continue;
    for (const [at, names] of columns) found.set(at, new Set([...(found.get(at) ?? []), ...names]));
  }
  return found;
}

/** Whether a duty or a hold keeps a row of the person there. */
async function keepsRows(
  client: pg.ClientBase,
  ground: Ground,
  survey: Omit<Survey, 'tables'>,
  { table, looksOnly }: { readonly table: string; readonly looksOnly: boolean },
): Promise<boolean> {
  const { map, clock } = ground;
  const { person, reach } = survey;
  const isByDuty = await keepsByDuty(client, { map, reach, person, now: clock.now() }, table);
  return isByDuty || (await keepsByHold(client, ground, survey, { table, looksOnly }));
}

function looseColumns(
  { nodes, edgesOf }: Survey['reach']['graph'],
  table: string,
): readonly (readonly [string, readonly string[]])[] {
  const passed = new Set((edgesOf.get(table) ?? []).map(({ id }) => id));
  // A set goes on to what is added while it is gone through.
  for (const id of passed) for (const source of nodes.get(id)?.sources ?? []) passed.add(source);
  return [...passed].flatMap((id) => {
    const hop = nodes.get(id)?.hop ?? null;
    return hop === null || hop.foreignKey !== null ? [] : [[hop.from, hop.columns] as const, [hop.to, hop.references] as const];
  });
}
