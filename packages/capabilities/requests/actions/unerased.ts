import type { ErasureMode } from '../model.ts';
import { findUnlike, hasForm } from '../store/act.ts';
import { inTransaction } from '../store/session.ts';
import { decisionsOn } from './foresee.ts';
import { rowsAtOnce, type ErasureGround } from './ground.ts';
import type { ErasureOrder } from './plan-erasure.ts';
import { survey } from './survey.ts';

/**
 * Whether an erasure would change anything of the person now, but for masks that it would write once more. True in doubt: of what a mask
 * leaves that has no form.
 */
export async function isUnerased(
  ground: ErasureGround,
  { person, subject, mode }: ErasureOrder & { readonly mode: ErasureMode },
): Promise<boolean> {
  return await inTransaction(
    ground.database,
    { tenant: ground.tenant },
    async (client) => {
      const found = await survey(client, ground, { person, subject, options: { lock: false, limit: rowsAtOnce(ground) } });
      for await (const { groups } of decisionsOn(client, ground, found, mode))
        for (const { rows, treatment, writes } of groups) {
          if (treatment.action === 'delete') return true;
          if (writes.length > 0 && (!hasForm(rows.facts, writes) || (await findUnlike(client, rows, writes)).length > 0))
            return true;
        }
      return false;
    },
    'rollback',
  );
}
