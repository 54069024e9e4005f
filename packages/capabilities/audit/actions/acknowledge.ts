import { SafekeepError } from '@safekeep/core';
import { setTenant } from '@safekeep/postgres';
import { openCheckpoint, TlogError, type Checkpoint } from '@safekeep/tlog';
import type { Acknowledged } from '../model.ts';
import { beginSequencing, commit, contains, insertCheckpoint, logBusy, readDatabaseId } from '../store/sequencer.ts';
import { acknowledgementMark, lostCheckpoints, type Lost, type Witnesses } from '../verification/lost-checkpoints.ts';
import { readTrees, type TreeRow } from '../verification/store/log.ts';
import { recordEvent } from './record-event.ts';
import { sequence, type SequencerGround } from './sequence.ts';
import { endBaselines } from './take-baselines.ts';

type Order = Omit<Witnesses, 'database'> & {
  /** Why the log is not what it was: a restore, a home that was lost. */
  readonly reason: string;
  /** The digest of the differences between rows and log that a verification has told: of no others. */
  readonly rows?: string;
  /** A signed note of a tree that the home has none of any more, from somebody else. */
  readonly checkpoint?: string;
};

/**
 * Goes on with the log as the database has it, on somebody's word: what was signed and is not there any more is named in an event under the
 * home's key, and a tree that the home has no checkpoint of is taken at the one that is given, else at the newest that the database has. Of
 * tables whose rows are not as the log has them a new baseline is taken.
 *
 * @throws `signature-invalid`, `checkpoint-foreign` where the given note is not one of this log; `audit-rows-changed`; `lock-timeout`.
 */
export async function acknowledge(ground: SequencerGround, order: Order): Promise<Acknowledged> {
  const { tenant } = order;
  const { lost, adopted } = await ground.database.withClient(async (client) => {
    if (!(await beginSequencing(client, { isolation: 'read committed', wait: true }))) throw logBusy();
    await setTenant(client, tenant);
    const trees = await readTrees(client, tenant);
    const database = await readDatabaseId(client);
    const found = await lostCheckpoints(client, trees, { ...order, database });
    const taken: string[] = [];
    for (const tree of trees) {
      if ((await ground.last.read({ tenant, origin: tree.origin })) !== undefined) continue;
      const note = noteFor(tree, ground, order.checkpoint);
      if (note === undefined) throw new SafekeepError('audit-checkpoint-missing', { origin: tree.origin });
      if (!(await contains(client, { ...tree, tenant }, note.checkpoint)))
        throw new SafekeepError('checkpoint-foreign', { origin: tree.origin, size: note.checkpoint.size });
      const owner = (await ground.last.owner({ tenant, origin: tree.origin })) ?? database;
      await ground.last.write({ tenant, origin: tree.origin }, note.text, owner);
      await insertCheckpoint(
        client,
        { ...tree, tenant, ...note.checkpoint, root: Buffer.from(note.checkpoint.root) },
        { note: note.text, at: ground.clock.now() },
      );
      taken.push(tree.origin);
    }
    await commit(client);
    return { lost: found, adopted: taken };
  });
  if (lost.length > 0 || adopted.length > 0) await recordAcknowledged(ground, order, { lost, adopted });
  let baselines: readonly string[] = [];
  await sequence(ground, {
    wait: true,
    atEnd: async (client) => {
      baselines = await endBaselines(client, ground, order);
    },
  });
  return {
    lost: lost.map(({ origin, size, stands }) => ({ origin, size, stands: stands?.size ?? 0 })),
    adopted,
    baselines: [...baselines],
  };
}

type Found = { readonly lost: readonly Lost[]; readonly adopted: readonly string[] };

async function recordAcknowledged(
  ground: SequencerGround,
  { tenant, reason }: Pick<Order, 'tenant' | 'reason'>,
  { lost, adopted }: Found,
): Promise<void> {
  const mark = acknowledgementMark(ground.keys.markOf, { tenant, reason, lost });
  await recordEvent(ground.database, tenant, {
    kind: 'compliance',
    action: 'log-acknowledged',
    details: { reason, lost, adopted, mark },
  });
}

type Note = { readonly text: string; readonly checkpoint: Checkpoint };

/** The given one where it is about this tree, else the newest that the database has of it: each signed by this home. */
function noteFor(tree: TreeRow, { signer }: SequencerGround, given: string | undefined): Note | undefined {
  for (const text of [given, tree.note]) {
    if (text === undefined || text === null) continue;
    const checkpoint = opened(text, signer.verifierKey);
    if (checkpoint.origin === tree.origin) return { text, checkpoint };
  }
  return undefined;
}

function opened(note: string, verifierKey: string): Checkpoint {
  try {
    return openCheckpoint(note, { trusted: [verifierKey] });
  } catch (error) {
    if (error instanceof TlogError)
      throw new SafekeepError('signature-invalid', { reason: error.message.replace(/\.$/, '') }, { cause: error });
    throw error;
  }
}
