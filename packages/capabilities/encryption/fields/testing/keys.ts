import { createHash } from 'node:crypto';
import { FIRST_INDEX_VERSION, indexKeyScope } from '@safekeep/core';
import { IndexKey, indexKeyId, SealingKey, unlockBundle, type FieldPlace } from '@safekeep/crypto';
import type { KeySource } from '../actions/field-keys.ts';

export type MemoryKeys = KeySource & {
  /** What safekeep.unlock takes to seal and open values of a field and to make its indexes. */
  readonly bundle: (field: Pick<FieldPlace, 'id' | 'tenant' | 'keyScope'>, indexVersions?: readonly number[]) => Buffer;
};

/** Keys in memory: the same for the same seed, also in another process. `version` is what `rotate` counts up. */
export function memoryKeys(seed = 'test', version = 1): MemoryKeys {
  const bytes = (name: string): Buffer => createHash('sha256').update(`${seed} ${name}`).digest();
  const sealing = new Map<string, SealingKey>();
  let newest = version;
  const keyOf = (id: string): SealingKey => {
    const known = sealing.get(id) ?? new SealingKey(id, bytes(id));
    sealing.set(id, known);
    return known;
  };
  const idOf = (scope: string): string => `${bytes(scope).toString('hex').slice(0, 14)}${newest.toString(16).padStart(2, '0')}`;
  return {
    current: async (_tenant, scope) => keyOf(idOf(scope)),
    byId: async (_tenant, ids) => new Map(ids.map((id) => [id, keyOf(id)])),
    index: async (_tenant, scope) => new IndexKey(bytes(`index ${scope}`)),
    prepare: async () => undefined,
    rotate: async () => void (newest += 1),
    bundle: ({ id: field, tenant, keyScope }, indexVersions = [FIRST_INDEX_VERSION]) =>
      unlockBundle([
        { use: 'seal', id: idOf(keyScope), bytes: bytes(idOf(keyScope)), field, tenant },
        ...indexVersions.map((each) => ({
          use: 'index' as const,
          id: indexKeyId(each),
          bytes: bytes(`index ${indexKeyScope(keyScope, each)}`),
          field,
          tenant,
        })),
      ]),
  };
}
