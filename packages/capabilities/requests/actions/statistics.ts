import { isCompanion, isPersonalColumn } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import type { CertificateBody } from '../model.ts';
import { columnsOfRow } from '../rules/row-text.ts';
import { analyze, joinedStatistics, type Stale } from '../store/residue.ts';
import { inTransaction } from '../store/session.ts';
import { analyzedNow, areOthersToo, sampledValues, type SampledValues } from '../store/statistics.ts';
import type { Decision } from './decide.ts';
import type { ErasureGround } from './ground.ts';
import { policies, type Survey } from './survey.ts';

/** ANALYZE reads a sample of a table with one core; servers that people's data lies on have two. */
const AT_ONCE = 2;

/** Of each table the rows that an erasure changed, as one text each and as they were before. */
export type OldRows = ReadonlyMap<string, readonly string[]>;

export function oldRowsOf({ tables }: Survey, { groups }: Decision): OldRows {
  return new Map(
    tables.map(({ table, rows }): [string, readonly string[]] => {
      const changed = groups.filter(
        ({ rows: of, treatment, writes }) => of.table === table && (treatment.action === 'delete' || writes.length > 0),
      );
      const keys = new Set(changed.flatMap(({ rows: of }) => of.keys));
      return [table, rows.flatMap(({ key, text }) => (keys.has(key) && text !== null ? [text] : []))];
    }),
  );
}

/**
 * Makes the statistics anew in which values of the person stand; returns those that this login may not make. Where the rows are known
 * as they were, statistics that hold none of their values are left alone, and so are values that others have too.
 */
export async function freshenStatistics(
  ground: ErasureGround,
  written: readonly Stale[],
  { vacuum = false, old }: { readonly vacuum?: boolean; readonly old?: OldRows | undefined },
): Promise<readonly Stale[]> {
  if (written.length === 0) return [];
  const names = written.map(({ table }) => table);
  const joined = await inTransaction(ground.database, { tenant: ground.tenant }, (client) => joinedStatistics(client, names));
  const whole = written.map((stale): Stale => (joined.has(stale.table) ? { ...stale, columns: null } : stale));
  if (vacuum || old === undefined) return await analyzeAll(ground, whole, { vacuum });
  const known = whole.filter(({ table }) => old.has(table) && !joined.has(table));
  const holding = new Map((await stillHolding(ground, known, old)).map((stale) => [stale.table, stale]));
  const needed = whole.flatMap((stale) => (known.includes(stale) ? (holding.get(stale.table) ?? []) : stale));
  return await analyzeAll(ground, needed, { vacuum });
}

async function analyzeAll(
  { database }: ErasureGround,
  stale: readonly Stale[],
  { vacuum }: { readonly vacuum: boolean },
): Promise<readonly Stale[]> {
  const waiting = [...stale];
  const refused: Stale[] = [];
  const work = async (): Promise<void> => {
    await database.withClient(async (client) => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        if (!(await analyze(client, next, { vacuum }))) refused.push(next);
    });
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, work));
  return refused;
}

/**
 * Of these tables the columns whose statistics hold a value that stood in an erased row and in none that is left. An ANALYZE that may
 * have seen the old rows is over, and its statistics are those that are looked at; or it goes on, and the table is analyzed behind it.
 */
async function stillHolding(ground: ErasureGround, known: readonly Stale[], old: OldRows): Promise<readonly Stale[]> {
  if (known.length === 0) return [];
  const { database, tenant } = ground;
  const asked = known.map(({ table, columns }) => ({ table, columns: columns ?? telling(ground, table) }));
  // A statement of its own, and the snapshot of the next transaction is taken after it.
  const busy = await inTransaction(database, { tenant }, (client) =>
    analyzedNow(
      client,
      known.map(({ table }) => table),
    ),
  );
  const columns = await inTransaction(database, { tenant, mode: 'isolation level repeatable read, read only' }, async (client) => {
    const sampledNow = await sampledValues(client, asked);
    const stood = new Map(known.map(({ table }) => [table, stoodIn(ground, table, old.get(table) ?? [])]));
    const held = sampledNow.flatMap((sampled) => {
      const places = placesOf(sampled, stood.get(sampled.table));
      return places?.length === 0 ? [] : [{ ...sampled, places }];
    });
    const areTheirs = await together(
      client,
      held.map(
        ({ table, column, places }) =>
          async () =>
            places === null || !(await areOthersToo(client, { table, column, places })),
      ),
    );
    return held.filter((_, place) => areTheirs[place] === true);
  });
  const byTable = Map.groupBy(columns, ({ table }) => table);
  return known.flatMap((stale): Stale[] => {
    if (busy.has(stale.table)) return [stale];
    const theirs = byTable.get(stale.table);
    return theirs === undefined ? [] : [{ ...stale, columns: theirs.map(({ column }) => column) }];
  });
}

/** By column the values that stood in these rows; undefined where nobody can say. */
function stoodIn(
  ground: ErasureGround,
  table: string,
  rows: readonly string[],
): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const { columns } = policies(ground, table).facts;
  const stood = columns.map(() => new Set<string>());
  for (const text of rows) {
    const parts = columnsOfRow(text);
    if (parts?.length !== columns.length) return undefined;
    for (const [place, value] of parts.entries()) if (value !== null) stood[place]?.add(value);
  }
  return new Map(columns.map(({ name }, place) => [name, stood[place] ?? new Set()]));
}

/** Which of the values of the statistics stood in the rows; null where nobody can say. */
function placesOf({ column, values }: SampledValues, stood: ReturnType<typeof stoodIn>): readonly number[] | null {
  const theirs = stood?.get(column);
  if (values === null || theirs === undefined) return null;
  return values.flatMap((value, place) => (theirs.has(value) ? [place] : []));
}

/** Of a table of which rows were deleted, the columns that say something of a person, or of which the map says nothing. */
function telling(ground: ErasureGround, table: string): readonly string[] {
  const { facts, mapped } = policies(ground, table);
  return facts.columns
    .map(({ name }) => name)
    .filter((name) => {
      const column = mapped?.columns.get(name);
      return column === undefined || isPersonalColumn(column);
    });
}

/** The tables that the erasure wrote, with the columns; those of participants, which say no more than their names, as a whole. */
export function writtenBy(
  ground: ErasureGround,
  { counts, others }: { readonly counts: CertificateBody['tables']; readonly others: readonly string[] },
): readonly Stale[] {
  const own = [...Map.groupBy(counts, ({ table }) => table)].flatMap(([table, each]) => staleOf(ground, table, each) ?? []);
  return [...own, ...[...new Set(others)].map((table) => ({ table, columns: null }))];
}

/** Of a table of the map the columns that the erasure wrote, null for all; undefined where it wrote none. */
function staleOf(ground: ErasureGround, table: string, counts: CertificateBody['tables']): Stale | undefined {
  if (counts.some(({ deleted }) => deleted > 0)) return { table, columns: null };
  const { facts, mapped, whole, own, detach } = policies(ground, table);
  const replaced = mapped?.onErasure?.replace ?? new Map<string, unknown>();
  const isWritten = counts.some(({ masked, detached, kept }) => masked + detached > 0 || (kept > 0 && replaced.size > 0));
  if (!isWritten) return undefined;
  const chosen = [...whole.choices, ...[...own.values(), ...detach.values()].flat()].map(({ column }) => column);
  const written = new Set([...chosen, ...replaced.keys()]);
  const columns = facts.columns.filter((column) => written.has(column.name) || isCompanion(column, mapped ?? undefined));
  return { table, columns: columns.length === 0 ? null : columns.map(({ name }) => name) };
}
