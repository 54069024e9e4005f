import { SafekeepError } from '@safekeep/core';
import { dateErasure, readUndated, type ErasureRecord } from '../store/records.ts';
import { duesOfPerson } from '../store/rows.ts';
import { inTransaction } from '../store/session.ts';
import { followPaths } from '../store/traverse.ts';
import { ownFault, soundGraph, type Ground } from './ground.ts';
import { orderOf } from './open-erasures.ts';

/** So many records are held at once. */
const AT_ONCE = 500;

export type NotDated = { readonly record: ErasureRecord; readonly error: string };

/**
 * Looks again at rows that a duty keeps and whose date was not filled in when the rest was erased: from the day on that it is, somebody is
 * asked. Goes once over all of them. Returns those of whom it cannot be told, as where their row is gone.
 *
 * `isUnerased` finds also what is to go at once because the date that was filled in is one of long ago; whoever has no ledger cannot ask it.
 */
export async function dateUndated(ground: Ground, isUnerased?: IsUnerased): Promise<readonly NotDated[]> {
  const { database, tenant } = ground;
  const failed: NotDated[] = [];
  for (let after: string | null = null; ;) {
    const page: readonly ErasureRecord[] = await inTransaction(database, { tenant }, (client) =>
      readUndated(client, tenant, { after, atMost: AT_ONCE }),
    );
    for (const record of page) {
      try {
        await dateOne(ground, record, isUnerased);
      } catch (error) {
        failed.push({ record, error: ownFault(error) });
      }
    }
    after = page.at(-1)?.id ?? null;
    if (page.length < AT_ONCE) return failed;
  }
}

type IsUnerased = (record: ErasureRecord) => Promise<boolean>;

async function dateOne(ground: Ground, record: ErasureRecord, isUnerased?: IsUnerased): Promise<void> {
  const { database, tenant, clock } = ground;
  const isOverdue = (await isUnerased?.(record)) === true;
  // What has ended since the erasure is due too.
  const { due, isUndated } = await duesNow(ground, orderOf(ground, record), record.startedAt);
  const first = [due, record.due].flatMap((day) => day ?? []).toSorted((a, b) => a.getTime() - b.getTime())[0];
  // Every date is known, and none is after the erasure: what it had to leave is to go now.
  const day = isOverdue || (first === undefined && !isUndated) ? clock.now() : (first ?? null);
  await inTransaction(database, { tenant }, (client) => dateErasure(client, tenant, { id: record.id, due: day, isUndated }));
}

/** From when on the first row of a person that a duty keeps beyond that moment need not be kept, and whether one has no date. */
export async function duesNow(
  ground: Ground,
  { person, subject }: ReturnType<typeof orderOf>,
  now: Date,
): Promise<{ readonly due: Date | null; readonly isUndated: boolean }> {
  const { database, tenant, map, schema } = ground;
  return await inTransaction(database, { tenant }, async (client) => {
    const graph = soundGraph(ground, subject);
    const reach = await followPaths(client, { graph, schema, key: person.key, tenant }, { lock: false });
    if (reach === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
    const dues: string[] = [];
    let isUndated = false;
    for (const table of graph.edgesOf.keys()) {
      const found = await duesOfPerson(client, { map, reach, person, now }, table);
      if (found.due !== null) dues.push(found.due);
      isUndated ||= found.isUndated;
    }
    const [first] = dues.toSorted();
    return { due: first === undefined ? null : new Date(first), isUndated };
  });
}
