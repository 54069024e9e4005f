import { codeOf, isCompanion } from '@safekeep/core';
import type { CertificateBody } from '../model.ts';
import { analyze, joinedStatistics, type Stale } from '../store/residue.ts';
import { inTransaction } from '../store/session.ts';
import type { ErasureGround } from './ground.ts';
import { policies } from './survey.ts';

/** ANALYZE reads a sample of a table with one core; servers that people's data lies on have two. */
const AT_ONCE = 2;

/** Makes the statistics anew in which values of the person may stand. */
export async function freshenStatistics(
  ground: ErasureGround,
  { counts, others }: { readonly counts: CertificateBody['tables']; readonly others: readonly string[] },
  { vacuum = false }: { readonly vacuum?: boolean },
): Promise<void> {
  const { database, tenant } = ground;
  const byTable = Map.groupBy(counts, ({ table }) => table);
  const wanted = [...new Set(others)].flatMap((table) => staleOf(ground, table, byTable.get(table)) ?? []);
  if (wanted.length === 0) return;
  const joined = await inTransaction(database, { tenant }, (client) =>
    joinedStatistics(
      client,
      wanted.map(({ table }) => table),
    ),
  );
  const waiting = wanted.map((stale): Stale => (joined.has(stale.table) ? { ...stale, columns: null } : stale));
  const work = async (): Promise<void> => {
    await database.withClient(async (client) => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        try {
          await analyze(client, next, { vacuum });
        } catch (error) {
          // Only the owner may: where the login is not, the residue report says what is still there.
          if (codeOf(error) !== '42501') throw error;
        }
      }
    });
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, work));
}

/** Of a table of the map the columns that the erasure wrote; undefined where it wrote none. Of tables of participants all. */
function staleOf(ground: ErasureGround, table: string, counts: CertificateBody['tables'] | undefined): Stale | undefined {
  if (counts === undefined) return { table, columns: null };
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
