import { isCompanion } from '@safekeep/core';
import type { CertificateBody } from '../model.ts';
import { analyze, joinedStatistics, type Stale } from '../store/residue.ts';
import { inTransaction } from '../store/session.ts';
import type { ErasureGround } from './ground.ts';
import { policies } from './survey.ts';

/** ANALYZE reads a sample of a table with one core; servers that people's data lies on have two. */
const AT_ONCE = 2;

/**
 * Makes the statistics anew in which values of the person may stand; returns those that this login may not make. Of all columns that were
 * written, and not only where a value that was erased stands in them: what the person had before a change of last year may stand there
 * too, and nobody knows it any more. An ANALYZE that goes on meanwhile, and may have seen the old rows, is waited for.
 */
export async function freshenStatistics(
  ground: ErasureGround,
  written: readonly Stale[],
  { vacuum = false }: { readonly vacuum?: boolean },
): Promise<readonly Stale[]> {
  if (written.length === 0) return [];
  const { database, tenant } = ground;
  const joined = await inTransaction(database, { tenant }, (client) =>
    joinedStatistics(
      client,
      written.map(({ table }) => table),
    ),
  );
  const waiting = written.map((stale): Stale => (joined.has(stale.table) ? { ...stale, columns: null } : stale));
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
