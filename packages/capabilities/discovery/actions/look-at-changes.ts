import { type Database, inTenant } from '@safekeep/postgres';
import { readNotes, writeLook, type Reason } from '../store/structure.ts';
import { scanDatabase, type Scan, type ScanOrder } from './scan.ts';

export type Look = Pick<Scan, 'columns' | 'problems'> & {
  /** Why there was a look, or `unchanged`. `asked`: at some schemas only, which notes cannot speak for. */
  readonly reason: Reason | 'asked';
};

/**
 * A scan of what is new, unless the notes of the event trigger say that nothing is. Notes are believed only while the trigger stands and
 * is on, in the cluster and timeline where the last look was, for a week, and below the number at which no more are made; a look that
 * left something out is none. In every doubt everything is looked at.
 */
export async function lookAtChanges(database: Database, order: Omit<ScanOrder, 'sinceLast'>): Promise<Look> {
  const { tenant, schemas } = order;
  const notes = schemas === undefined ? await inTenant(database, tenant, (client) => readNotes(client, tenant)) : undefined;
  if (notes?.reason === 'unchanged') return { reason: 'unchanged', columns: [], problems: [] };
  const { columns, problems, unlooked } = await scanDatabase(database, { ...order, sinceLast: true });
  if (notes !== undefined && unlooked.size === 0) await inTenant(database, tenant, (client) => writeLook(client, tenant, notes));
  return { reason: notes?.reason ?? 'asked', columns, problems };
}
