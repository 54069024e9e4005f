import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { newId, SafekeepError, type Clock } from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import type { Log } from '@safekeep/log';
import type { Database } from '@safekeep/postgres';
import { append, edgeRoot, emptyEdge, leafHash, readEdge, sameHash, signCheckpoint, type Hash } from '@safekeep/tlog';
import type { BaselineHeads } from '../files/baseline-heads.ts';
import type { LastCheckpoint } from '../files/last-checkpoint.ts';
import type { AuditKeys } from '../keys/audit-keys.ts';
import { freshBytes } from '../keys/key-file.ts';
import type { EventRow, Sequenced } from '../model.ts';
import { jsonbText } from '../rules/jsonb-text.ts';
import { leafBytes, leafOf, SEED_BYTES } from '../rules/leaf.ts';
import { copyEvents } from '../store/events.ts';
import { emptyInbox, lockInbox, readIdleInbox, readPending, readUnsequenced, type InboxRow } from '../store/inbox.ts';
import {
  beginSequencing,
  commit,
  contains,
  insertCheckpoint,
  insertTree,
  makePartition,
  readCaptures,
  readCluster,
  readDatabaseId,
  readMoment,
  readState,
  readTrees,
  rollback,
  sweepKeysOnly,
  tileReader,
  updateTree,
  writeState,
  writeTiles,
  type Cluster,
  type State,
  type Tree,
} from '../store/sequencer.ts';
import { makeEvents, type PreparedEvent } from './make-events.ts';
import { takeBaselines } from './take-baselines.ts';

/** Events of one transaction: short enough that its rows lie in memory and its lock is soon free, long enough to be quick. */
export const BATCH_AT_MOST = 20_000;
/** Tries of a batch that another sequencer was quicker with. */
const TRIES = 5;

/** For tests: where a sequencer may be killed. */
export type SequencerMoment = 'copied' | 'moved' | 'signed' | 'written' | 'published' | 'emptied';

export type SequencerGround = {
  /** A login that may act as the owner of schema safekeep, and read the captured tables. */
  readonly database: Database;
  readonly keys: AuditKeys;
  readonly signer: Signer;
  readonly last: LastCheckpoint;
  readonly heads: BaselineHeads;
  readonly clock: Clock;
  readonly log: Log;
  readonly batch?: number;
  readonly observe?: (moment: SequencerMoment) => void;
};

export type SequenceOptions = {
  /** Stand in line for the lock instead of answering `busy` when another works; `busy` then means that it did not come in a minute. */
  readonly wait?: boolean;
  /** Between two batches; what was moved until then is signed. */
  readonly signal?: AbortSignal;
  /** Done once, in the transaction of a batch after which the log has all that this transaction sees. What it writes into the log is moved too. */
  readonly atEnd?: (client: pg.ClientBase) => Promise<void>;
  /** `later`: those who want them take them; see {@link takeBaselines}. */
  readonly baselines?: 'now' | 'later';
};

/**
 * Moves into the trees all that is committed when it is called, and signs them: it comes to its end whatever is written meanwhile. Any
 * number of processes may call it: one of them works, the others answer `busy`. Killed anywhere, the next call goes on: each batch is
 * one transaction, and nothing is signed before it.
 */
export async function sequence(ground: SequencerGround, options: SequenceOptions = {}): Promise<Sequenced> {
  const moved = await sequenceOnce(ground, options);
  if (moved.state === 'busy' || options.baselines === 'later' || options.signal?.aborted === true) return moved;
  if ((await takeBaselines({ ...ground, ...(options.signal && { signal: options.signal }) })) === 0) return moved;
  // What was told of them is to be in the log when this returns.
  const told = await sequenceOnce(ground, { wait: true });
  return {
    ...told,
    events: moved.events + told.events,
    quarantined: moved.quarantined + told.quarantined,
    erased: moved.erased + told.erased,
  };
}

async function sequenceOnce(ground: SequencerGround, options: SequenceOptions): Promise<Sequenced> {
  const totals = { events: 0, quarantined: 0, erased: 0 };
  const wait = options.wait ?? false;
  if (!(await settleEras(ground, wait))) return { state: 'busy', ...totals, logs: [] };
  let { atEnd } = options;
  // A target from before this call says nothing of what was committed since; one of a batch of this call is newer than the call.
  for (let isOwnTarget = false; ;) {
    const batch = await moveBatch(ground, { wait, ...(atEnd && { atEnd }) });
    if (batch === 'busy') return { state: 'busy', ...totals, logs: [] };
    totals.events += batch.events;
    totals.quarantined += batch.quarantined;
    totals.erased += batch.erased;
    const isAll = !batch.isFull && (batch.isNewest || isOwnTarget) && (batch.isNewest || atEnd === undefined);
    if (batch.isEnd) atEnd = undefined;
    // What was told at the end is to be in the log when this returns.
    if (options.signal?.aborted === true || (isAll && !batch.hasTold)) break;
    isOwnTarget ||= batch.isNewest;
  }
  if (totals.quarantined > 0) ground.log.warn('audit-people-unknown', { count: totals.quarantined });
  const logs = await publish(ground, wait);
  if (logs === 'busy') return { state: 'busy', ...totals, logs: [] };
  await rotate(ground);
  return { state: 'done', ...totals, logs };
}

// ---- batches ---------------------------------------------------------------------------------------------------------

type Batch = {
  readonly events: number;
  readonly quarantined: number;
  readonly erased: number;
  /** There was more than fits. */
  readonly isFull: boolean;
  /** It took from all that was committed when it began, and not from what an older target shows. */
  readonly isNewest: boolean;
  /** It left nothing that it saw. */
  readonly isEnd: boolean;
  /** At its end something was written into the log. */
  readonly hasTold: boolean;
};

type BatchOptions = Pick<SequenceOptions, 'atEnd'> & { readonly wait: boolean };

async function moveBatch(ground: SequencerGround, options: BatchOptions): Promise<Batch | 'busy'> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ground.database.withClient((client) => tryBatch(client, ground, options));
    } catch (error) {
      // 40001: another sequencer wrote the state after this transaction began. Nothing of it was kept.
      const outrun = error instanceof Error && 'code' in error && error.code === '40001';
      if (!outrun || tries === TRIES) throw error;
    }
  }
}

async function tryBatch(client: pg.ClientBase, ground: SequencerGround, { wait, atEnd }: BatchOptions): Promise<Batch | 'busy'> {
  if (!(await beginSequencing(client, { isolation: 'repeatable read', wait }))) return 'busy';
  const state = await readState(client, await readCluster(client));
  const { snapshot, at, partition } = await readMoment(client);
  const limit = ground.batch ?? BATCH_AT_MOST;
  const { rows, isFull } = await readPending(client, state, limit);
  const beyond = isFull || state.target !== null ? state.done : null;
  const totals = await moveRows(client, ground, { rows, at, partition, beyond });
  // An idle call writes nothing: what nobody wrote to since is still all that is done.
  if (rows.length > 0 || state.target !== null)
    await writeState(client, nextState(state, { rows, isFull, snapshot }), rows.length > 0 ? at : null);
  // Only here the log has told of everything that this transaction sees.
  const isEnd = !isFull && state.target === null;
  if (isEnd) await atEnd?.(client);
  ground.observe?.('copied');
  await commit(client);
  ground.observe?.('moved');
  return { ...totals, isFull, isNewest: state.target === null, isEnd, hasTold: isEnd && atEnd !== undefined };
}

/**
 * A batch that was cut short stays at its target: the current snapshot after a limited batch would count as done what was not moved.
 * Only when all that the target shows is moved, the target is what is done.
 */
function nextState(
  state: State,
  { rows, isFull, snapshot }: { readonly rows: readonly InboxRow[]; readonly isFull: boolean; readonly snapshot: string },
): State {
  const last = rows.at(-1)?.orderNo ?? state.cursorNo;
  if (isFull) return { ...state, target: state.target ?? snapshot, cursorNo: last };
  return { ...state, done: state.target ?? snapshot, target: null, cursorNo: '0' };
}

type Move = {
  readonly rows: readonly InboxRow[];
  readonly at: string;
  readonly partition: boolean;
  readonly beyond: string | null;
};

async function moveRows(
  client: pg.ClientBase,
  ground: SequencerGround,
  { rows, at, partition, beyond }: Move,
): Promise<Pick<Batch, 'events' | 'quarantined' | 'erased'>> {
  if (rows.length === 0) return { events: 0, quarantined: 0, erased: 0 };
  // A partition that is missing must not stop anybody; that it was is seen in the health of the log.
  if (!partition) await makePartition(client, at);
  const captures = await readCaptures(client);
  const { tenants, eventsOf, quarantined, erased } = await makeEvents(client, rows, {
    keys: ground.keys,
    captures,
    clock: ground.clock,
    beyond,
  });
  for (const tree of await treesFor(client, ground, tenants))
    await appendEvents(client, tree, { events: eventsOf(tree.tenant), at });
  return { events: rows.length, quarantined, erased };
}

async function treesFor(client: pg.ClientBase, ground: SequencerGround, tenants: readonly string[]): Promise<readonly Tree[]> {
  const known = await readTrees(client, tenants);
  const missing = tenants.filter((tenant) => !known.some((tree) => tree.tenant === tenant));
  const made = missing.map((tenant) => emptyTree({ tenant, era: 1, origin: freshOrigin(ground, tenant) }));
  for (const tree of made) await openTree(client, ground, tree);
  return [...known, ...made];
}

function freshOrigin({ signer }: SequencerGround, tenant: string): string {
  return `${signer.keyName}/${tenant.replaceAll(/[^a-z0-9_-]/g, '_')}/${randomBytes(4).toString('hex')}`;
}

function emptyTree(named: Pick<Tree, 'tenant' | 'era' | 'origin'>): Tree {
  return { ...named, size: 0, root: Buffer.from(edgeRoot(emptyEdge)), minimumIndex: 0 };
}

/** The home knows a tree from the beginning: one that it has no checkpoint of is never taken for one that was not signed yet. */
async function openTree(client: pg.ClientBase, ground: SequencerGround, tree: Tree): Promise<void> {
  await insertTree(client, tree);
  await ground.last.write(tree, signed(ground, tree), await readDatabaseId(client));
}

function signed({ signer }: SequencerGround, { origin, size, root }: Tree): string {
  return signCheckpoint({ origin, size, root }, [signer]);
}

/** Places the events at the end of the tree, in order, and writes events, tiles and root together. */
async function appendEvents(
  client: pg.ClientBase,
  tree: Tree,
  { events, at }: { readonly events: Iterable<PreparedEvent>; readonly at: string },
): Promise<void> {
  const edge = await readEdge(tileReader(client, tree), tree.size);
  // Appending to hashes that are not those of the root would sign whatever somebody put there.
  if (!sameHash(edgeRoot(edge), tree.root))
    throw new Error(`The tiles of the log of ${tree.tenant} do not make its root: run audit verify`);
  const leaves: Hash[] = [];
  await copyEvents(client, placed(events, { tree, at, leaves }));
  const grown = append(edge, leaves);
  await writeTiles(client, tree, grown.tiles);
  await updateTree(client, { ...tree, size: grown.edge.size, root: Buffer.from(grown.root) }, tree.size);
}

type Place = { readonly tree: Tree; readonly at: string; readonly leaves: Hash[] };

/** Each at its place in the tree, whose hash is added to `leaves`. */
function* placed(events: Iterable<PreparedEvent>, { tree, at, leaves }: Place): Generator<EventRow> {
  for (const event of events) {
    const row: EventRow = { ...event, sequencedAt: at, era: tree.era, index: tree.size + leaves.length };
    leaves.push(leafHash(leafBytes(leafOf(row))));
    yield row;
  }
}

// ---- eras ------------------------------------------------------------------------------------------------------------

type Reason = 'cluster-changed' | 'database-changed' | 'rolled-back';

/**
 * Looks whether this is still the database whose trees were signed. If the cluster is another (restored, promoted, moved), transaction
 * ids mean nothing any more; if a tree does not contain what was signed of it, it was put back. Then the log goes on as a new era.
 */
async function settleEras(ground: SequencerGround, wait: boolean): Promise<boolean> {
  return await ground.database.withClient(async (client) => {
    if (!(await beginSequencing(client, { isolation: 'repeatable read', wait }))) return false;
    const cluster = await readCluster(client);
    const state = await readState(client, cluster);
    const database = await readDatabaseId(client);
    const changed = state.systemIdentifier !== cluster.systemIdentifier || state.timeline !== cluster.timeline;
    for (const tree of await readTrees(client)) {
      const contained = await isContained(client, tree, ground.last);
      const moved = (await ground.last.owner(tree)) !== database;
      if (!changed && !moved && contained) continue;
      // What was moved before and not signed: nobody would sign it any more.
      if (contained) await signTree(client, ground, tree);
      await openEra(client, ground, {
        tree,
        reason: changed ? 'cluster-changed' : moved ? 'database-changed' : 'rolled-back',
        moved,
      });
    }
    if (changed) await adopt(client, ground, { state, cluster });
    await commit(client);
    return true;
  });
}

/**
 * Whether the tree begins with what was signed last. The one question before every signature.
 *
 * @throws `audit-checkpoint-missing` where the home does not know the tree: whatever stands there could be a second history.
 */
async function isContained(client: pg.ClientBase, tree: Tree, last: LastCheckpoint): Promise<boolean> {
  if ((await newestKept(tree, last)).era !== tree.era) return false;
  const kept = await last.read(tree);
  if (kept === undefined) throw new SafekeepError('audit-checkpoint-missing', { origin: tree.origin });
  return await contains(client, tree, kept);
}

/** The newest era that the home knows something of, from that of the tree on. */
async function newestKept(tree: Tree, last: LastCheckpoint): Promise<Pick<Tree, 'era' | 'origin'>> {
  let newest: Pick<Tree, 'era' | 'origin'> = tree;
  for (let era = tree.era + 1; ; era += 1) {
    const next = { tenant: tree.tenant, era, origin: originOf(tree, era) };
    // One of no size was never more than begun.
    if (((await last.read(next))?.size ?? 0) === 0) return newest;
    newest = next;
  }
}

function originOf({ origin }: Pick<Tree, 'origin'>, era: number): string {
  return `${origin.replace(/-\d{1,7}$/, '')}-${era}`;
}

type Opening = {
  readonly tree: Tree;
  readonly reason: Reason;
  /** The database is another than the one that the log was begun in, which may go on with it: the two part ways under names of their own. */
  readonly moved: boolean;
};

async function openEra(client: pg.ClientBase, ground: SequencerGround, { tree, reason, moved }: Opening): Promise<void> {
  const newest = await newestKept(tree, ground.last);
  const previous = await ground.last.read({ tenant: tree.tenant, origin: newest.origin });
  if (previous === undefined) throw new SafekeepError('audit-checkpoint-missing', { origin: newest.origin });
  const era = newest.era + 1;
  const origin = moved ? `${freshOrigin(ground, tree.tenant)}-${era}` : originOf(tree, era);
  const opened = emptyTree({ tenant: tree.tenant, era, origin });
  const { at, partition } = await readMoment(client);
  if (!partition) await makePartition(client, at);
  const details = jsonbText({
    era,
    reason,
    previous: { origin: previous.origin, size: previous.size, root: Buffer.from(previous.root).toString('base64') },
  });
  await openTree(client, ground, opened);
  await appendEvents(client, opened, { at, events: [ownEvent({ tenant: tree.tenant, action: 'era-opened', details, at })] });
  ground.log.warn('audit-era-opened', { era });
}

function ownEvent({
  tenant,
  action,
  details,
  at,
}: {
  readonly tenant: string;
  readonly action: string;
  readonly details: string | null;
  readonly at: string;
}): PreparedEvent {
  return {
    tenant,
    id: newId<'audit-event'>(),
    at,
    orderNo: '0',
    kind: 'compliance',
    action,
    table: null,
    columns: null,
    record: null,
    subject: null,
    otherSubjects: null,
    actor: null,
    actorPseudonym: null,
    attribution: 'system',
    purpose: null,
    request: null,
    details,
    commitments: freshBytes(SEED_BYTES),
    sealed: null,
    emptied: null,
  };
}

/** What lies in the inboxes came from another cluster, or was written here since: each row that no event stands for is moved. */
async function adopt(
  client: pg.ClientBase,
  ground: SequencerGround,
  { state, cluster }: { readonly state: State; readonly cluster: Cluster },
): Promise<void> {
  const { snapshot } = await readMoment(client);
  for (;;) {
    const rows = await readUnsequenced(client, ground.batch ?? BATCH_AT_MOST);
    if (rows.length === 0) break;
    const { at, partition } = await readMoment(client);
    await moveRows(client, ground, { rows, at, partition, beyond: null });
  }
  await writeState(client, { ...state, ...cluster, done: snapshot, target: null, cursorNo: '0' }, (await readMoment(client)).at);
}

// ---- signatures ------------------------------------------------------------------------------------------------------

/** Signs each tree that grew. On disk in the home before the database knows of it: a kill in between only signs the same again. */
async function publish(ground: SequencerGround, wait: boolean): Promise<Sequenced['logs'] | 'busy'> {
  return await ground.database.withClient(async (client) => {
    if (!(await beginSequencing(client, { isolation: 'read committed', wait }))) return 'busy';
    const trees = await readTrees(client);
    for (const tree of trees) {
      // Looked at again: this transaction may see another tree than the one that was looked at when the call began.
      if (!(await isContained(client, tree, ground.last)))
        throw new Error(`The log of ${tree.tenant} does not contain what was signed of it`);
      await signTree(client, ground, tree);
    }
    await commit(client);
    ground.observe?.('published');
    return trees.map(({ tenant, era, origin, size, root }) => ({ tenant, era, origin, size, root: root.toString('base64') }));
  });
}

async function signTree(client: pg.ClientBase, ground: SequencerGround, tree: Tree): Promise<void> {
  const kept = await ground.last.read(tree);
  const isNew = kept?.size !== tree.size;
  const note = isNew ? signed(ground, tree) : kept.note;
  ground.observe?.('signed');
  if (isNew) await ground.last.write(tree, note, await readDatabaseId(client));
  ground.observe?.('written');
  await insertCheckpoint(client, tree, { note, at: ground.clock.now() });
}

// ---- rotation --------------------------------------------------------------------------------------------------------

/** Empties the inbox that nobody writes to, in a transaction of its own. Where it is in use the next call tries again. */
async function rotate(ground: SequencerGround): Promise<void> {
  await ground.database.withClient(async (client) => {
    const inbox = await readIdleInbox(client);
    if (inbox === undefined) return;
    if (!(await beginSequencing(client, { isolation: 'read committed' }))) return;
    const state = await readState(client, await readCluster(client));
    try {
      await lockInbox(client, inbox);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === '55P03')) throw error;
      await rollback(client);
      return;
    }
    if (state.target !== null || !(await emptyInbox(client, inbox, state.done))) {
      await rollback(client);
      return;
    }
    await sweepKeysOnly(client);
    await commit(client);
    ground.observe?.('emptied');
  });
}
