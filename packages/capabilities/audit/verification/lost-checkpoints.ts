import type pg from 'pg';
import { peekCheckpoint, TlogError, type Checkpoint } from '@safekeep/tlog';
import type { MarkOf } from '../keys/key-file.ts';
import { contains } from '../store/sequencer.ts';
import { readAcknowledged, readPrevious, type TreeRow } from './store/log.ts';

/** How much of a tree there is: hash in base64. */
type Extent = { readonly size: number; readonly root: string };

/** What was signed of a log and is not in the database any more, and what of that tree stands there; null where there is none. */
export type Lost = Extent & { readonly origin: string; readonly stands: Extent | null };

export type Witnesses = {
  readonly tenant: string;
  /** Signed notes of the tenant's logs that are kept outside of the database; of this log and of other databases'. */
  readonly outside: readonly string[];
  /** In which database each of them was begun, by the 8 hex digits of its origin; see `ownersOfLogs`. */
  readonly owners: ReadonlyMap<string, string>;
  /** This one. */
  readonly database: string;
};

/**
 * Holds everything that was ever signed of the tenant's log against its trees: what the home keeps of each era, and what each era says of the one
 * before it. A log that was thrown away whole, with another begun in its place, is missed too. Logs of other databases of this home have
 * other origins, and where it is not known whose they are, are taken for such.
 */
export async function lostCheckpoints(
  client: pg.ClientBase,
  trees: readonly TreeRow[],
  witnesses: Witnesses,
): Promise<readonly Lost[]> {
  const { tenant } = witnesses;
  const own = new Set(trees.map(({ origin }) => withoutEra(origin)));
  const kept = witnesses.outside.map(peekCheckpoint).filter(({ origin }) => isOwn(origin, own, witnesses));
  const lost = new Map<string, Lost>();
  for (const known of [...kept, ...(await readPrevious(client, tenant))]) {
    const tree = trees.find(({ origin }) => origin === known.origin);
    // One of no size was never more than begun.
    if (known.size === 0 || (tree !== undefined && (await isBeginning(client, { ...tree, tenant }, known)))) continue;
    const { origin, size } = known;
    lost.set(`${origin} ${size}`, { origin, ...extent(known), stands: tree === undefined ? null : extent(tree) });
  }
  return [...lost.values()];
}

function isOwn(origin: string, own: ReadonlySet<string>, { owners, database }: Witnesses): boolean {
  if (own.has(withoutEra(origin))) return true;
  const owner = owners.get(withoutEra(origin).slice(-8));
  return owner === undefined ? own.size === 0 : owner === database;
}

function withoutEra(origin: string): string {
  return origin.replace(/-\d{1,7}$/, '');
}

function extent({ size, root }: Pick<Checkpoint, 'size' | 'root'>): Extent {
  return { size, root: Buffer.from(root).toString('base64') };
}

async function isBeginning(
  client: pg.ClientBase,
  tree: TreeRow & { readonly tenant: string },
  known: Pick<Checkpoint, 'size' | 'root'>,
): Promise<boolean> {
  try {
    return await contains(client, tree, known);
  } catch (error) {
    if (error instanceof TlogError) return false;
    throw error;
  }
}

/** Those of which nobody with the key of the home has said that they know, and why; and those that have lost more since. */
export async function unacknowledged(
  client: pg.ClientBase,
  lost: readonly Lost[],
  { tenant, trees, markOf }: { readonly tenant: string; readonly trees: readonly TreeRow[]; readonly markOf: MarkOf },
): Promise<readonly Lost[]> {
  if (lost.length === 0) return [];
  const said = (await readAcknowledged(client, tenant))
    .filter((each) => each.mark === acknowledgementMark(markOf, { tenant, ...each }))
    .flatMap((each) => each.lost);
  const open: Lost[] = [];
  for (const each of lost) {
    const told = said.find(({ origin, size, root }) => origin === each.origin && size === each.size && root === each.root);
    if (
      told === undefined ||
      !(await stillStands(client, { tenant, tree: trees.find(({ origin }) => origin === each.origin) }, told))
    )
      open.push(each);
  }
  return open;
}

async function stillStands(
  client: pg.ClientBase,
  { tenant, tree }: { readonly tenant: string; readonly tree: TreeRow | undefined },
  { stands }: Lost,
): Promise<boolean> {
  if (stands === null) return true;
  const known = { size: stands.size, root: Buffer.from(stands.root, 'base64') };
  return tree !== undefined && (await isBeginning(client, { ...tree, tenant }, known));
}

/** What nobody can write down who has the database alone. */
export function acknowledgementMark(
  markOf: MarkOf,
  { tenant, reason, lost }: { readonly tenant: string; readonly reason: string; readonly lost: readonly Lost[] },
): string {
  const told = lost.map(({ origin, size, root, stands }) => [origin, size, root, stands && [stands.size, stands.root]]);
  return markOf(['log-acknowledged', tenant, reason, told]);
}
