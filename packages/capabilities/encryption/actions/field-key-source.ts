import type { KeySource } from '../fields/actions/field-keys.ts';
import type { OpenKeySource } from '../fields/commands.ts';
import type { Contributor } from '../../plan/index.ts';
import { openKeys, type RecordFor } from './open-context.ts';
import type { Keyring } from './open-keys.ts';
import { rotateScope } from './scope-keys.ts';

/** The keys of fields from a key ring: what the engine and the SDK ask for. */
export function fieldKeySource(ring: Keyring): KeySource {
  return {
    isLeased: true,
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

/** For the commands of fields. `follows`: whose work on a table is made anew with its columns. */
export function keySourceOpener(recordFor: RecordFor | undefined, follows: readonly Contributor[] = []): OpenKeySource {
  return async (context, database) => {
    const record = recordFor?.(context);
    const ring = await openKeys(context, { database, ...(record === undefined ? {} : { record }) });
    return { source: fieldKeySource(ring), follows, close: () => ring.close() };
  };
}
