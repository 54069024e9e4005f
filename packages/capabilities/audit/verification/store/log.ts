import type pg from 'pg';
import type { Checkpoint } from '@safekeep/tlog';
import type { MarkOf } from '../../keys/key-file.ts';
import { MONTHS_DROPPED } from '../../model.ts';
import { dropMark, type Drop } from '../../rules/marks.ts';
import type { Lost } from '../lost-checkpoints.ts';

/** A tree of the tenant's log: the newest era, or one before it. */
export type TreeRow = {
  readonly era: number;
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  readonly minimumIndex: number;
  /** The newest checkpoint: the signed note. Null before the first. */
  readonly note: string | null;
};

/** Oldest first. */
export async function readTrees(client: pg.ClientBase, tenant: string): Promise<readonly TreeRow[]> {
  const { rows } = await client.query<TreeRow>(
    `select t.era, t.origin, t.size::float8 as size, t.root, t.minimum_index::float8 as "minimumIndex",
            (select c.note from safekeep.audit_checkpoints as c where c.tenant_id = t.tenant_id and c.era = t.era order by c.size desc limit 1) as note
       from safekeep.audit_trees as t where t.tenant_id = $1 order by t.era`,
    [tenant],
  );
  return rows;
}

export type CheckpointRow = { readonly size: number; readonly root: Buffer; readonly note: string };

/** Largest first. */
export async function readCheckpoints(
  client: pg.ClientBase,
  tenant: string,
  { era, limit }: { readonly era: number; readonly limit: number },
): Promise<readonly CheckpointRow[]> {
  const { rows } = await client.query<CheckpointRow>(
    `select size::float8 as size, root, note from safekeep.audit_checkpoints where tenant_id = $1 and era = $2 order by audit_checkpoints.size desc limit $3`,
    [tenant, era, limit],
  );
  return rows;
}

export type TileRow = { readonly tile: number; readonly hashes: Buffer };

/** Tiles of one level from `first` on, in their order. A row may be wider than a smaller tree has it. */
export async function readTiles(
  client: pg.ClientBase,
  tenant: string,
  { era, level, first, limit }: { readonly era: number; readonly level: number; readonly first: number; readonly limit: number },
): Promise<readonly TileRow[]> {
  const { rows } = await client.query<TileRow>(
    `select tile::float8 as tile, hashes from safekeep.audit_tiles
      where tenant_id = $1 and era = $2 and level = $3 and audit_tiles.tile >= $4 order by audit_tiles.tile limit $5`,
    [tenant, era, level, first, limit],
  );
  return rows;
}

/** These tiles, in one answer. Those that are not there are left out. */
export async function readTheseTiles(
  client: pg.ClientBase,
  tenant: string,
  { era, tiles }: { readonly era: number; readonly tiles: readonly { readonly level: number; readonly index: number }[] },
): Promise<readonly (TileRow & { readonly level: number })[]> {
  const { rows } = await client.query<TileRow & { level: number }>(
    `select t.level, t.tile::float8 as tile, t.hashes from rows from (pg_catalog.unnest($3::smallint[]), pg_catalog.unnest($4::bigint[])) as asked (level, tile)
       join safekeep.audit_tiles as t on t.tenant_id = $1 and t.era = $2 and t.level = asked.level and t.tile = asked.tile`,
    [tenant, era, tiles.map(({ level }) => level), tiles.map(({ index }) => index)],
  );
  return rows;
}

/** What each era says of the one before it: it was signed so when this one began. */
export async function readPrevious(client: pg.ClientBase, tenant: string): Promise<readonly Checkpoint[]> {
  const { rows } = await client.query<{ origin: string; size: number; root: string }>(
    `select p.origin, p.size, p.root
       from safekeep.audit_events as e
      cross join lateral jsonb_to_record(e.details -> 'previous') as p (origin text, size float8, root text)
      where e.tenant_id = $1 and e.leaf_index = 0 and e.kind = 'compliance' and e.action = 'era-opened'
        and p.origin is not null and p.size is not null and p.root is not null`,
    [tenant],
  );
  return rows.map(({ origin, size, root }) => ({ origin, size, root: Buffer.from(root, 'base64') }));
}

/** What was said of logs that have lost something, as it stands in the log: the mark tells whether it may be believed. */
export async function readAcknowledged(
  client: pg.ClientBase,
  tenant: string,
): Promise<readonly { readonly reason: string; readonly mark: string; readonly lost: readonly Lost[] }[]> {
  const { rows } = await client.query<{ reason: string; mark: string; lost: readonly Lost[] }>(
    `select details ->> 'reason' as reason, details ->> 'mark' as mark, details -> 'lost' as lost from safekeep.audit_events
      where tenant_id = $1 and kind = 'compliance' and action = 'log-acknowledged' and jsonb_typeof(details -> 'lost') = 'array'`,
    [tenant],
  );
  return rows;
}

/** What the home itself has said that was dropped by policy. */
export async function readDrops(client: pg.ClientBase, tenant: string, markOf: MarkOf): Promise<readonly Drop[]> {
  const { rows } = await client.query<Drop & { mark: string }>(
    `select details -> 'eras' as eras, details ->> 'through' as through, details ->> 'mark' as mark from safekeep.audit_events
      where tenant_id = $1 and kind = 'retention' and action = $2 and jsonb_typeof(details -> 'eras') = 'array' and details ? 'through'`,
    [tenant, MONTHS_DROPPED],
  );
  return rows.filter((drop) => drop.mark === dropMark(markOf, { tenant, ...drop }));
}

/** Before and after the time in an id, as intervals. An id is made with its event, which is sequenced within seconds, or when somebody does. */
const AROUND = [
  ['10 seconds', '30 seconds'],
  ['1 hour', '1 day'],
] as const;

/** The index of an event of this id. With the time of a UUIDv7 only what was sequenced around it is looked through first. */
export async function findIndex(
  client: pg.ClientBase,
  tenant: string,
  id: string,
): Promise<{ readonly era: number; readonly index: number } | undefined> {
  type Found = { readonly era: number; readonly index: number };
  const select = `select era, leaf_index::float8 as index from safekeep.audit_events where tenant_id = $1 and id = $2::uuid`;
  for (const [before, after] of AROUND) {
    const around = await client.query<Found>(
      `${select} and sequenced_at between $3::timestamptz - $4::interval and $3::timestamptz + $5::interval limit 1`,
      [tenant, id, timeOf(id), before, after],
    );
    if (around.rows[0] !== undefined) return around.rows[0];
  }
  const { rows } = await client.query<Found>(`${select} limit 1`, [tenant, id]);
  return rows[0];
}

/** RFC 9562: the first 48 bits of a UUIDv7 are milliseconds since 1970. */
function timeOf(id: string): Date {
  return new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16));
}
