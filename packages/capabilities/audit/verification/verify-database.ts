import type pg from 'pg';
import type { Database } from '@safekeep/postgres';
import { peekCheckpoint, rootFromTiles, sameHash, TlogError, type Checkpoint, type TileReader } from '@safekeep/tlog';
import type { BaselineHeads } from '../files/baseline-heads.ts';
import { remembered, type MarkOf, type PseudonymOf } from '../keys/key-file.ts';
import type { EventRow } from '../model.ts';
import { readOnly } from '../store/read-only.ts';
import { checkContents } from './check-contents.ts';
import { checkCosignatures } from './check-cosignatures.ts';
import { checkEnded } from './check-ended.ts';
import { checkHeads } from './check-heads.ts';
import { checkRows } from './check-rows.ts';
import { checkStanding } from './check-standing.ts';
import { checkTree, type StoredEntry } from './check-tree.ts';
import { entryOf } from './entry.ts';
import { faultList, type FaultList } from './faults.ts';
import { lostCheckpoints, unacknowledged, type Lost } from './lost-checkpoints.ts';
import type { Cosigned } from './log-files.ts';
import type { LogVerification, RowValues } from './model.ts';
import { readEntries, type EntryPlace } from './store/entries.ts';
import { readCheckpoints, readDrops, readTrees, type CheckpointRow, type TreeRow } from './store/log.ts';
import { databaseReader } from './tiles-of-database.ts';
import { readDatabaseId } from '../store/sequencer.ts';
import { openSigned, verdict } from './verify-files.ts';

/** Rows fetched at once: some megabytes. */
const BATCH = 5000;
/** A log that signs each second has very many; the newest ones are held against the tree. */
const CHECKPOINTS_AT_MOST = 1000;
/** A log that is whole proves nothing of changes that nobody writes into it. */
const NOTHING_CAPTURED =
  'No table is captured: what is changed now is in no log. `safekeep plan` and `safekeep apply` begin with the tables of the map.';

export type VerifyOptions = {
  readonly tenant: string;
  /** Of the home: checkpoints signed by anything else are refused. */
  readonly verifierKey: string;
  /** The last checkpoints of the tenant's logs that are kept outside of the database; of this log and of other databases'. */
  readonly outside: readonly string[];
  /** What witnesses countersigned of the tenant's logs, kept outside of the database. */
  readonly cosigned: readonly Cosigned[];
  /** In which database each of them was signed, by the 8 hex digits of its origin; see `ownersOfLogs`. */
  readonly owners: ReadonlyMap<string, string>;
  /** Which baselines the home took last. */
  readonly heads: Pick<BaselineHeads, 'read'>;
  /** Tables that the map wants in the log. */
  readonly wanted: readonly string[];
  /** Also every row of every captured table. */
  readonly full: boolean;
  /** What was sealed in an event, opened; needed for `full`. */
  readonly valuesOf: RowValues;
  /** As actors stand in entries. */
  readonly pseudonymOf: PseudonymOf;
  /** As rows of erased people stand in events. */
  readonly markOf: MarkOf;
  /**
   * The log is another home's, whose marks cannot be told from forged ones here: below which index events were dropped by policy, as whoever
   * keeps it has said.
   */
  readonly ofOthers?: { readonly toldMinimum: number };
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
  /** Called for each row that is held against the log. */
  readonly onRow?: () => void;
};

/**
 * Verifies the tenant's log as the database had it at one moment, era by era; what is told of size and root is the newest's.
 * Of a log that was never opened nothing can be said: it is not whole.
 */
export async function verifyDatabase(database: Database, options: VerifyOptions): Promise<LogVerification> {
  const started = performance.now();
  const faults = faultList();
  const { tenant } = options;
  const pseudonymOf = remembered(options.pseudonymOf);
  // Before the snapshot: what the home knows of then is in it.
  const heads = await options.heads.read({ tenant, database: await database.withClient(readDatabaseId) });
  return await readOnly(database, tenant, async (client) => {
    const trees = await readTrees(client, tenant);
    let [checked, newest]: [number, Checkpoint | undefined] = [0, undefined];
    for (const tree of trees) {
      const result = await verifyEra(client, { tree, isNewest: tree === trees.at(-1) }, { ...options, pseudonymOf, faults });
      checked += result.checked;
      newest = result.checkpoint;
    }
    checkCosignatures(options.cosigned, options.verifierKey, faults);
    await checkWitnesses(client, trees, { ...options, faults });
    const captured = await checkStanding(client, tenant, faults);
    await checkEnded(client, { ...options, faults });
    if (options.ofOthers === undefined) await checkHeads(client, { ...options, heads, faults });
    const rows = options.full ? await checkRows(client, { ...options, faults }) : undefined;
    const scope = [
      'signature',
      'tree',
      'entries',
      ...(options.ofOthers === undefined ? ['contents'] : []),
      'checkpoints',
      'capture',
      ...(options.cosigned.length > 0 ? ['witnesses'] : []),
      ...(options.full ? ['rows'] : []),
      ...(rows?.haveBaselines === true ? ['baselines'] : []),
    ];
    const minimumIndex = trees.at(-1)?.minimumIndex ?? 0;
    if (trees.length === 0) faults.note(`There is nothing to verify: the log of ${tenant} has no event yet.`);
    else if (captured === 0) faults.note(NOTHING_CAPTURED);
    const told = verdict(faults, {
      started,
      ...(newest === undefined ? {} : { checkpoint: newest }),
      checked,
      minimumIndex,
      scope,
    });
    const { differences } = rows ?? {};
    return { ...told, ...(differences && { differences }), ok: told.ok && trees.length > 0 };
  });
}

type Ground = VerifyOptions & { readonly faults: FaultList };

async function verifyEra(
  client: pg.ClientBase,
  { tree, isNewest }: { readonly tree: TreeRow; readonly isNewest: boolean },
  ground: Ground,
): Promise<{ readonly checked: number; readonly checkpoint?: Checkpoint }> {
  const { tenant, faults, signal } = ground;
  const { era, minimumIndex } = tree;
  const checkpoints = await readCheckpoints(client, tenant, { era, limit: CHECKPOINTS_AT_MOST });
  const [last] = checkpoints;
  if (last === undefined) {
    if (tree.size > 0) faults.add('checkpoint-missing', `The log of era ${era} has ${tree.size} events and no checkpoint.`);
    return { checked: 0 };
  }
  const checkpoint = openSigned(last.note, ground.verifierKey, faults);
  if (checkpoint === undefined) return { checked: 0 };
  if (checkpoint.origin !== tree.origin) {
    faults.add('checkpoint-unsigned', `The checkpoint of era ${era} is one of ${checkpoint.origin}, not of ${tree.origin}.`);
  }
  const reader = databaseReader(client, tenant, era);
  const { size, root } = checkpoint;
  if (minimumIndex > 0) await checkMinimum(client, tree, ground);
  const entries = storedEntries(client, { era, minimumIndex, signed: size, written: tree.size }, ground);
  const checked = await checkTree({ size, root, minimumIndex, reader }, entries, {
    faults,
    progress: (count) => {
      signal.throwIfAborted();
      if (isNewest) ground.progress(count, size);
    },
  });
  await checkPast(reader, { era, minimumIndex, checkpoint, checkpoints }, ground);
  return { checked, checkpoint };
}

/** That the beginning is gone must be said by the log itself: else moving the minimum index would hide what was deleted. */
async function checkMinimum(
  client: pg.ClientBase,
  { origin, minimumIndex }: TreeRow,
  { tenant, markOf, faults, ofOthers }: Ground,
): Promise<void> {
  if (ofOthers !== undefined) {
    if (minimumIndex > ofOthers.toldMinimum)
      faults.add(
        'entry-missing',
        `Events below index ${minimumIndex} are not there, and only the home that keeps the log can tell why. If whoever keeps it has told you that they were dropped by policy, verify with --minimum-index ${minimumIndex}.`,
        ofOthers.toldMinimum,
      );
    return;
  }
  const eras = (await readDrops(client, tenant, markOf)).flatMap((drop) => drop.eras).filter((each) => each.origin === origin);
  const told = eras.reduce((most, each) => Math.max(most, each.minimumIndex), 0);
  if (told >= minimumIndex) return;
  faults.add(
    'entry-missing',
    `Events ${told} to ${minimumIndex - 1} are said to be dropped by policy, and no event of this home tells of it.`,
    told,
  );
}

/** The older checkpoints are the beginnings of this tree: nothing was rewritten or taken back. */
async function checkPast(
  reader: TileReader,
  past: {
    readonly era: number;
    readonly minimumIndex: number;
    readonly checkpoint: Checkpoint;
    readonly checkpoints: readonly CheckpointRow[];
  },
  { verifierKey, faults }: Ground,
): Promise<void> {
  const { era, minimumIndex, checkpoint, checkpoints } = past;
  // With a tile that is wrong itself nothing older can be told, and it is named already; nor below what was dropped by policy.
  const tilesAreRight = !faults.has('tile-changed', 'tile-missing');
  const fits = async (size: number, root: Uint8Array): Promise<boolean> => {
    if (size > checkpoint.size) return false;
    if (!tilesAreRight || size < minimumIndex) return true;
    try {
      return sameHash(await rootFromTiles(reader, size), root);
    } catch (error) {
      if (error instanceof TlogError) return false;
      throw error;
    }
  };
  for (const { size, root, note } of checkpoints.slice(1)) {
    const older = openSigned(note, verifierKey, faults);
    if (older === undefined) continue;
    const isItself = older.size === size && sameHash(older.root, root);
    if (!isItself || !(await fits(older.size, older.root))) {
      faults.add(
        'root-wrong',
        `The checkpoint of ${older.size} events (era ${era}) is not the beginning of the one of ${checkpoint.size}.`,
      );
    }
  }
}

/**
 * What was signed once and is not there any more; and trees of which the home, which signs them, knows nothing. With a tile that is wrong
 * itself nothing older can be told, and it is named already.
 */
async function checkWitnesses(client: pg.ClientBase, trees: readonly TreeRow[], ground: Ground): Promise<void> {
  const { tenant, outside, faults, markOf, ofOthers } = ground;
  const kept = new Set(outside.map((note) => peekCheckpoint(note).origin));
  for (const { era, origin } of trees.filter((tree) => !kept.has(tree.origin)))
    if (ofOthers === undefined)
      faults.add(
        'checkpoint-missing',
        `The home has no checkpoint of the log ${origin} (era ${era}), and cannot tell what it has lost.`,
      );
    else
      faults.note(
        `Whether ${origin} has lost events since another day is not told here: hold this size and root against a checkpoint of then.`,
      );
  if (faults.has('tile-changed', 'tile-missing')) return;
  const lost = await lostCheckpoints(client, trees, { ...ground, database: await readDatabaseId(client) });
  for (const { origin, size, stands } of await unacknowledged(client, lost, { tenant, trees, markOf }))
    faults.add('log-rolled-back', `Of the log ${origin} ${size} events were signed; ${standing(size, stands)}.`);
}

function standing(size: number, stands: Lost['stands']): string {
  if (stands === null) return 'it is not in the database';
  if (stands.size < size) return `${size - stands.size} of them are not in the database`;
  return 'the database has others in their place';
}

/** In batches. What was written and not signed yet is left to the next time; what is beyond that too is passed on, and is a fault. */
async function* storedEntries(
  client: pg.ClientBase,
  {
    era,
    minimumIndex,
    signed,
    written,
  }: { readonly era: number; readonly minimumIndex: number; readonly signed: number; readonly written: number },
  ground: Ground,
): AsyncGenerator<readonly StoredEntry[]> {
  let after: EntryPlace = { index: minimumIndex - 1, sequencedAt: 'infinity' };
  for (let more = true; more;) {
    const rows = await readEntries(client, ground.tenant, { era, after, limit: BATCH });
    yield rows.filter(({ index }) => index < signed || index >= written).map((row) => checkedEntry(row, ground));
    after = rows.at(-1) ?? after;
    more = rows.length === BATCH;
  }
}

/** The entry of a row. One whose columns make no leaf any more is told, and hashes to something else. */
function checkedEntry(row: EventRow, { ofOthers, pseudonymOf, markOf, faults }: Ground): StoredEntry {
  const entry = entryOf(row);
  if (entry === undefined) faults.add('entry-unreadable', `What stands in event ${row.index} makes no entry.`, row.index);
  else if (ofOthers === undefined) checkContents(row, entry.commitments, { pseudonymOf, markOf, faults });
  return { index: row.index, entry: entry?.bytes ?? new Uint8Array() };
}
