import type pg from 'pg';
import { append, emptyEdge, leafHash } from '@safekeep/tlog';
import type { EventRow } from '../model.ts';
import { leafBytes, leafOf } from '../rules/leaf.ts';
import { EVENT_COLUMNS } from '../store/events.ts';

/** Makes the newest tree of a tenant again from its events alone, and tells where it is another than was written. */
export async function readLog(
  pool: pg.Pool,
  tenant = 'default',
): Promise<{ readonly size: number; readonly root: string; readonly faults: readonly string[]; readonly stored: string }> {
  const { rows: trees } = await pool.query<{ era: number; size: string; root: Buffer }>(
    'select era, size, root from safekeep.audit_trees where tenant_id = $1 order by era desc limit 1',
    [tenant],
  );
  const [tree] = trees;
  if (tree === undefined) return { size: 0, root: '', faults: [], stored: '' };
  const { rows } = await pool.query<EventRow>(
    `select ${EVENT_COLUMNS} from safekeep.audit_events as e where tenant_id = $1 and era = $2 order by leaf_index`,
    [tenant, tree.era],
  );
  const faults = rows.flatMap((row, place) => (row.index === place ? [] : [`${place} is ${row.index}`]));
  const { root, edge } = append(
    emptyEdge,
    rows.map((row) => leafHash(leafBytes(leafOf(row)))),
  );
  const made = Buffer.from(root).toString('base64');
  const stored = tree.root.toString('base64');
  if (made !== stored) faults.push('the root is another');
  return { size: edge.size, root: made, faults, stored };
}
