import { rm } from 'node:fs/promises';
import { keptExports } from '../export/kept.ts';
import type { ErasureParticipant } from '../model.ts';

/**
 * Exports that lie in the home are copies of what is erased, and go with it: after the commit, so that an erasure that is taken back
 * takes nothing. Whoever wants one hands it out before; the plan says so.
 */
export function exportsPart(directory: string, key: () => Promise<Buffer>): ErasureParticipant {
  const keptOf: (scope: Parameters<ErasureParticipant['plan']>[1]) => Promise<readonly string[]> = (scope) =>
    keptExports(directory, key, scope);
  return {
    name: 'exports',
    plan: async (_db, scope) => {
      const { length } = await keptOf(scope);
      const will =
        length === 0 ? [] : [`deletes ${length} export(s) of the person that are kept in this home: hand them out before`];
      return { will, keeps: [], externalCopies: [], blocked: [] };
    },
    within: async (_client, moment, scope) => {
      const { length } = moment === 'after-rows' ? await keptOf(scope) : [];
      // In no backup that Safekeep makes: the horizon of the others is its own.
      return { counts: length === 0 ? {} : { 'kept exports': length }, keysDestroyed: [], horizon: null };
    },
    after: async (_db, scope) => {
      for (const path of await keptOf(scope)) await rm(path, { force: true });
    },
    recheck: async (_db, scope) => {
      const { length: count } = await keptOf(scope);
      const remedy = 'Delete them, or make a new plan and erase again.';
      return count === 0 ? [] : [{ place: directory, what: 'exports of the person that could not be deleted', count, remedy }];
    },
  };
}
