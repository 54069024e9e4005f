import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { tenantStanding } from '../store/session.ts';
import type { Ground } from './ground.ts';

/** Once a tenant was the first here, or was not, that stays so. */
const settled = new WeakMap<Ground['database'], Map<string, 'own' | 'other'>>();

/**
 * That the tenant is known, and that these tables are its own: of `tenant: fixed` all rows are of the tenant that was here first, and
 * another one, whose holds are others, must neither see nor erase them. Throws `tenant-unknown`, `tenant-of-others`.
 */
export async function requireTenant(
  client: pg.ClientBase,
  { database, tenant, map }: Pick<Ground, 'database' | 'tenant' | 'map'>,
  tables: Iterable<string>,
): Promise<void> {
  const known = settled.get(database) ?? new Map<string, 'own' | 'other'>();
  settled.set(database, known);
  const standing = known.get(tenant) ?? (await tenantStanding(client, tenant));
  if (standing === 'unknown') throw new SafekeepError('tenant-unknown', { tenant });
  if (standing !== 'first') known.set(tenant, standing);
  const fixed = [...tables].filter((table) => (map.tables.get(table)?.tenant ?? map.tenant).kind === 'fixed');
  if (standing === 'other' && fixed.length > 0)
    throw new SafekeepError('tenant-of-others', { tenant, tables: fixed.toSorted().join(', ') });
}
