import type pg from 'pg';
import type { Head, Heads } from '../files/baseline-heads.ts';
import type { MarkOf } from '../keys/key-file.ts';
import { readBaselines, type TakenOf } from './baseline.ts';
import type { FaultList } from './faults.ts';
import { readCaptures } from './store/standing.ts';

type Ground = { readonly tenant: string; readonly markOf: MarkOf; readonly heads: Heads; readonly faults: FaultList };

/** Whether the home knows of a baseline that the log does not have. One that followed it since is no matter: nobody without the home makes one. */
export function isLost(head: Head | undefined, known: Pick<TakenOf, 'chain'> | undefined): boolean {
  return typeof head?.id === 'string' && known?.chain.includes(head.id) !== true;
}

/** Holds the newest baselines that the home knows of against the log, and what is on its way there: one that is away let another stand in its place. */
export async function checkHeads(client: pg.ClientBase, { tenant, markOf, heads, faults }: Ground): Promise<void> {
  const captured = new Set((await readCaptures(client, tenant)).map(({ table }) => table));
  const tables = [...heads.keys()].filter((table) => captured.has(table));
  if (tables.length === 0) return;
  const known = await readBaselines(client, { tenant, markOf, tables, withInbox: true });
  for (const table of tables) {
    if (!isLost(heads.get(table), known.get(table))) continue;
    const lost = `${table}: the log does not have the baseline that this home took last`;
    // What is wrong is told already, and one answer is for both.
    if (faults.has('log-rolled-back')) faults.note(`${lost}: it was put back to before that was taken.`);
    else faults.add('baseline-missing', `${lost}: it was deleted, or the database was put back to before it was taken.`);
  }
}
