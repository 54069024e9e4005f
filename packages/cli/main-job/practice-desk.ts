import { randomInt } from 'node:crypto';
import { Kysely, CompiledQuery, type Transaction } from 'kysely';
import pg from 'pg';
import { fieldKeySource, openKeys } from '@safekeep/capabilities/encryption';
import type { CommandContext } from '@safekeep/capabilities/capability';
import { actAs, safekeep, sealedPool } from '@safekeep/sdk';
import { sealedDialect, sealedKysely } from '@safekeep/sdk/kysely';

// The application of the sample practice, as its makers would write it with the SDK: a front desk that corrects telephone numbers and
// looks at records. It knows nothing of what is encrypted.

type Tables = {
  readonly patients: { readonly id: number; readonly mobile: string; readonly ssn: string | null };
};

export type DeskWork = { readonly changed: number; readonly opened: number };

const CALLS = 20;

/**
 * Some calls at the desk, each in a transaction that says who acts and why. Whoever was erased calls no more: what is written about them would
 * be theirs again.
 */
export async function workAtTheDesk(context: CommandContext, erased: string | null): Promise<DeskWork> {
  const ring = await openKeys(context);
  const pool = new pg.Pool({ connectionString: (await context.databaseUrl()).reveal(), max: 2, application_name: 'practice desk' });
  const sdk = safekeep(pool, { tenant: context.tenant, keys: fieldKeySource(ring) });
  const plugin = await sealedKysely(sdk);
  const desk = new Kysely<Tables>({
    dialect: sealedDialect(sealedPool(pool, sdk), plugin),
    plugins: [plugin],
  });
  try {
    const known = await desk
      .selectFrom('patients')
      .select('id')
      .orderBy('id')
      .limit(CALLS + 1)
      .execute();
    const patients = known.filter(({ id }) => `patient:${id}` !== erased).slice(0, CALLS);
    let changed = 0;
    for (const { id } of patients)
      changed += await desk.transaction().execute(async (call) => {
        await actAs(asClient(call), { actor: 'desk:1', purpose: 'care', request: `call-${id}` });
        const mobile = `+1 555 01${String(randomInt(100)).padStart(2, '0')}`;
        const { numUpdatedRows } = await call
          .updateTable('patients')
          .set({ mobile })
          .where('id', '=', id)
          .where('mobile', 'is distinct from', mobile)
          .executeTakeFirst();
        return Number(numUpdatedRows);
      });
    const records = await desk.selectFrom('patients').select(['id', 'ssn']).orderBy('id').limit(CALLS).execute();
    return { changed, opened: records.filter(({ ssn }) => ssn !== null).length };
  } finally {
    plugin.close();
    await desk.destroy();
    await ring.close();
  }
}

function asClient(call: Transaction<Tables>) {
  return {
    query: async (text: string, values: readonly unknown[] = []) => await call.executeQuery(CompiledQuery.raw(text, [...values])),
  };
}
