import type { CommandContext } from '../../capability.ts';
import type { Database } from '@safekeep/postgres';
import type { KeySource } from '../fields/actions/field-keys.ts';
import { openKeys } from './open-context.ts';
import { rotateScope, type Keyring } from './open-keys.ts';

/** The keys of fields from a key ring: what the engine and the SDK ask for. */
export function fieldKeySource(ring: Keyring): KeySource {
  return {
    current: (tenant, scope) => ring.dataKey(tenant, scope),
    byId: async (tenant, ids) =>
      new Map(await Promise.all(ids.map(async (id) => [id, await ring.openingKey(tenant, id)] as const))),
    index: (tenant, scope) => ring.indexKey(tenant, scope),
    prepare: async (tenant, scope) => {
      await ring.dataKey(tenant, scope);
      await ring.indexKey(tenant, scope);
    },
    rotate: async (tenant, scope) => {
      await rotateScope(ring, { tenant, scope, purpose: 'data', expiresAt: null });
      // Its lease would hand out the old one for a minute.
      ring.forget();
    },
  };
}

/** For the commands of fields. */
export async function openKeySource(
  context: CommandContext,
  database: Database,
): Promise<{ readonly source: KeySource; readonly close: () => Promise<void> }> {
  const ring = await openKeys(context, { database });
  return { source: fieldKeySource(ring), close: () => ring.close() };
}
