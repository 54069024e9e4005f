import type { Queryable } from '@safekeep/postgres';
import type { SealedPlace } from '../../encryption/index.ts';

/** Tells the census of keys what of the log is sealed, by the headers of the blobs. */
export const sealedEvents: SealedPlace = { name: 'events of the log', census: countBlobs };

/** The layout of `sealed`: docs/audit-format.md. */
async function countBlobs(db: Queryable, tenant: string): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query(
    `select pg_catalog.encode(b.id, 'hex') as id, count(*)::float8 as blobs
       from safekeep.audit_events as e
      cross join lateral (
        with recursive blobs as (
          select 0 as at
          union all
          select n.at
            from blobs as p
           cross join lateral (
             select p.at + 4 + (pg_catalog.get_byte(e.sealed, p.at) << 24) + (pg_catalog.get_byte(e.sealed, p.at + 1) << 16)
                    + (pg_catalog.get_byte(e.sealed, p.at + 2) << 8) + pg_catalog.get_byte(e.sealed, p.at + 3) as at
           ) as n
           where n.at < pg_catalog.octet_length(e.sealed)
        ) select pg_catalog.substr(e.sealed, at + 9, 8) as id from blobs
      ) as b
      where e.tenant_id = $1 and pg_catalog.octet_length(e.sealed) > 0
      group by b.id`,
    [tenant],
  );
  // The statement names these columns.
  return new Map((rows as readonly { readonly id: string; readonly blobs: number }[]).map(({ id, blobs }) => [id, blobs]));
}
