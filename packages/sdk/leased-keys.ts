import type { DataKeys, IndexKey, SealingKey } from '@safekeep/crypto';
import { LEASE_MS } from '@safekeep/core/values';
import { monotonic, type Clock } from './model.ts';

/** Keys at most: a field has one or two, a rotation adds one. */
const KEYS_AT_MOST = 10_000;

type Leased<Value> = { readonly value: Value; readonly untilMs: number };

/**
 * Asks for each key at most once in a lease, and never uses one beyond it: what was destroyed opens nothing then. Failures are not
 * kept. A source that does so by itself, as the key ring of a home, is asked each time.
 */
export function leasedKeys(
  source: DataKeys,
  { leaseMs = LEASE_MS, clock = monotonic }: { leaseMs?: number; clock?: Clock } = {},
): DataKeys {
  // A lease on top of a lease would be two minutes.
  if (source.isLeased === true) return source;
  const lease = Math.min(leaseMs, LEASE_MS);
  const current = new Map<string, Leased<Promise<SealingKey>>>();
  const opening = new Map<string, Leased<SealingKey>>();
  const indexes = new Map<string, Leased<Promise<IndexKey>>>();

  const once = <Value>(known: Map<string, Leased<Promise<Value>>>, name: string, ask: () => Promise<Value>): Promise<Value> => {
    const nowMs = clock.elapsedMs();
    const found = known.get(name);
    if (found !== undefined && found.untilMs > nowMs) return found.value;
    const value = ask();
    if (known.size >= KEYS_AT_MOST) known.clear();
    known.set(name, { value, untilMs: nowMs + lease });
    value.catch(() => known.delete(name));
    return value;
  };

  return {
    current: (tenant, scope) => once(current, `${tenant} ${scope}`, () => source.current(tenant, scope)),
    index: (tenant, scope) => once(indexes, `${tenant} ${scope}`, () => source.index(tenant, scope)),
    byId: async (tenant, ids) => {
      const nowMs = clock.elapsedMs();
      const found = new Map<string, SealingKey>();
      const missing: string[] = [];
      for (const id of ids) {
        const leased = opening.get(`${tenant} ${id}`);
        if (leased !== undefined && leased.untilMs > nowMs) found.set(id, leased.value);
        else missing.push(id);
      }
      if (missing.length === 0) return found;
      if (opening.size >= KEYS_AT_MOST) opening.clear();
      for (const [id, value] of await source.byId(tenant, missing)) {
        opening.set(`${tenant} ${id}`, { value, untilMs: nowMs + lease });
        found.set(id, value);
      }
      return found;
    },
  };
}
