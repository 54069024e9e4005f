import type pg from 'pg';
import { together } from '@safekeep/postgres';
import { runRecorded, type OperationId } from '../../ledger/index.ts';
import type { CertificateBody, Residue, RowKey } from '../model.ts';
import { draftOf } from '../rules/certificate.ts';
import { PERSON, tablesOnTheWay } from '../rules/graph.ts';
import { joinOwn, type OwnWrites } from '../rules/own-writes.ts';
import { isKeptByRight, joinKept, keptColumns, keptLines, planLine } from '../rules/plan.ts';
import { waitForWriters } from '../store/guards.ts';
import { areOfHere, hasOthers } from '../store/own-writes.ts';
import { readErasures, updateErasure, type ErasureRecord } from '../store/records.ts';
import { inTransaction, prepareSession, setLockTimeout } from '../store/session.ts';
import { followFrom, identityOf, personRow, plainKey, tellsWriters, type Reach } from '../store/traverse.ts';
import { carryOut, erasureKeysOf, type CarriedOut } from './carry-out.ts';
import { decide, dueOf, type Decision } from './decide.ts';
import { effectsAt, joinEffects, problemsOf, retried, stopped } from './erasing.ts';
import { unapproved } from './foresee.ts';
import { soundGraph, type ErasureGround } from './ground.ts';
import type { Unseen } from './kept-ways.ts';
import { lateRows, type Kept } from './late-rows.ts';
import type { ErasureOrder } from './plan-erasure.ts';
import { refuseForeign, tagOf } from './record-tag.ts';
import { policies, type Survey, type SurveyedTable } from './survey.ts';
import { tiedAgain } from './ties.ts';

/** Of an erasure that this very call has committed: the values by which it found the person's rows. */
export type JustErased = { readonly before: Reach | undefined };

/** The record with what was done since, and what of the person came beside the erasure and is there still. */
export type Settled = { readonly record: ErasureRecord; readonly found: readonly Residue[] };

/** Whoever had to wait for the rows has written once; who writes again and again has to be stopped by somebody. */
const PASSES_AT_MOST = 3;
/** More than none is too many already. */
const LATE_AT_MOST = 1000;

/**
 * Waits for whoever wrote to the tables of the person while they were erased, and looks for what they left: a statement that waited for a lock
 * of the erasure goes on behind its commit, and rows can come where no foreign key guards. They are known by the transaction that wrote them.
 * What is found right after the commit is erased too. Later it is only told: it may be somebody who came back by themselves.
 *
 * @throws `erasure-unsettled` while one of them goes on
 */
export async function settle(
  ground: ErasureGround,
  order: ErasureOrder,
  { record, justErased }: { readonly record: ErasureRecord; readonly justErased: JustErased | undefined },
): Promise<Settled> {
  let settled = record;
  for (let pass = 0; ; pass += 1) {
    const before = settled;
    const { tables, kept } = await inTransaction(ground.database, { tenant: ground.tenant }, async (client) => {
      await waitForWriters(client, tablesOnTheWay(soundGraph(ground, order.subject)));
      return await findLate(client, ground, order, { record: before, justErased, lock: false });
    });
    settled = withKept(settled, kept);
    if (tables.length === 0) return { record: withLines(settled, kept), found: [] };
    const again = justErased === undefined || pass === PASSES_AT_MOST ? undefined : { record: settled, justErased };
    const erased = again === undefined ? undefined : await eraseAgain(ground, order, again);
    if (erased === undefined) return { record: withLines(settled, kept), found: tables.map(residueOf) };
    settled = erased;
  }
}

/** Nobody approved that this becomes of such rows. */
class Unapproved extends Error {}

/** The record with what was done; undefined where no line of the approved plan says it, and nothing was. */
async function eraseAgain(ground: ErasureGround, order: ErasureOrder, again: Again): Promise<ErasureRecord | undefined> {
  const { count } = draftOf(again.record).document.rows;
  try {
    return await retried(() => eraseLate(ground, order, again), count);
  } catch (error) {
    if (error instanceof Unapproved) return undefined;
    throw error;
  }
}

function withKept(record: ErasureRecord, { holds, due, isUndated }: Kept): ErasureRecord {
  const first = dueOf([{ due }, { due: record.due?.toISOString() ?? null }]);
  return {
    ...record,
    holds: [...new Set([...record.holds, ...holds])],
    due: first === null ? null : new Date(first),
    isUndated: record.isUndated || isUndated,
  };
}

/** Once, when all has been looked at: what came and stays stands in the certificate, too. */
function withLines(record: ErasureRecord, { lines }: Kept): ErasureRecord {
  if (lines.length === 0) return record;
  const draft = draftOf(record);
  return {
    ...record,
    certificate: { ...draft, document: { ...draft.document, kept: joinKept([...draft.document.kept, ...lines]) } },
  };
}

function residueOf({ table, rows }: SurveyedTable): Residue {
  return {
    place: table,
    what: 'rows of the person that somebody wrote while they were erased, or since',
    count: rows.length,
    remedy:
      'See who writes there and have them stop, then plan and approve once more: subject erase ID --plan. What the person gave since of their own will may stay.',
  };
}

type Looking = { readonly record: ErasureRecord; readonly justErased: JustErased | undefined; readonly lock: boolean };

type FoundLate = Survey & { readonly kept: Kept; readonly unseen: Unseen };

/** A question for each table whether somebody else has written, and where one has, which rows of all an erasure would change. */
async function findLate(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, mode }: ErasureOrder,
  { record, justErased, lock }: Looking,
): Promise<FoundLate> {
  const { own, ties = {} } = draftOf(record);
  const known = own !== undefined && (await areOfHere(client, ground.tenant, own)) ? own : undefined;
  const { schema, tenant } = ground;
  const start = { graph: soundGraph(ground, subject), schema, tenant };
  const before = justErased === undefined ? await tiedAgain(client, ground, start, { ties, own: known }) : justErased.before;
  const reach = await reachNow(client, { ...start, key: person.key }, { before, lock });
  // What a hold has kept may be anywhere, and the erasure comes again when it ends.
  const state = record.holds.length > 0 ? 'kept' : 'ask';
  const unseen: Unseen = new Map([...reach.graph.edgesOf.keys()].map((table) => [table, state]));
  const tables: SurveyedTable[] = [];
  let kept: Kept = { holds: [], due: null, isUndated: false, lines: [] };
  for (const table of await tablesOfOthers(client, { reach, person, own: known })) {
    const looked = { mode, table, lock, atMost: LATE_AT_MOST, unseen, own: known };
    const late = await lateRows(client, ground, { person, subject, reach }, looked);
    kept = joinKeeping(kept, late.kept);
    const { rows } = late;
    if (rows.length > 0)
      tables.push({ table, identity: identityOf(ground.schema, table), policy: policies(ground, table), rows, isCut: true });
  }
  return { person, subject, reach, tables, kept, unseen };
}

function joinKeeping(one: Kept, other: Kept): Kept {
  return {
    holds: [...new Set([...one.holds, ...other.holds])],
    due: dueOf([one, other]),
    isUndated: one.isUndated || other.isUndated,
    lines: [...one.lines, ...other.lines],
  };
}

/**
 * All of them as soon as somebody else has written a row of the person, or one that paths pass: by these, rows that nobody wrote can have come to be the person's. All of them too where the
 * erasure wrote under several ids: what a trigger copied in one of its transactions looks like its own to the next.
 */
async function tablesOfOthers(
  client: pg.ClientBase,
  { reach, person, own }: Pick<Survey, 'reach' | 'person'> & { readonly own: OwnWrites | undefined },
): Promise<readonly string[]> {
  const answers = await together(
    client,
    tablesOnTheWay(reach.graph).map((table) => () => {
      const known = tellsWriters(reach.schema, table) ? own : undefined;
      return hasOthers(client, reach, { table, person, own: known });
    }),
  );
  return own?.by.length === 1 && !answers.includes(true) ? [] : [...reach.graph.edgesOf.keys()];
}

/**
 * From the person's rows as they are, and by what stood in them before: what is tied to one by a column that was masked comes back with its old
 * value. Where their own row is gone, from their key alone.
 */
async function reachNow(
  client: pg.ClientBase,
  start: Parameters<typeof personRow>[1],
  { before, lock }: JustErased & { readonly lock: boolean },
): Promise<Reach> {
  const own = (await personRow(client, start, lock)) ?? rowOfKey(start);
  return await followFrom(client, { ...start, own, before }, { lock });
}

/** Null leads nowhere: what else stood there nobody knows. */
function rowOfKey({ graph, key }: Parameters<typeof personRow>[1]): RowKey {
  const wanted = graph.wanted.get(PERSON) ?? [];
  // As `personRow` gives it, with nulls.
  return wanted.map((column) => key[graph.subject.key.indexOf(column)] ?? null) as unknown as RowKey;
}

type Again = { readonly record: ErasureRecord; readonly justErased: JustErased };
type LateToErase = { readonly record: ErasureRecord; readonly found: FoundLate; readonly decision: Decision };

/** One more transaction of the erasure, with an intent and an end of its own in the ledger. */
async function eraseLate(ground: ErasureGround, order: ErasureOrder, again: Again): Promise<ErasureRecord> {
  const { tenant } = ground;
  const { result } = await runRecorded(ground, {
    plan: async (client) => {
      await together(client, [() => prepareSession(client, tenant), () => setLockTimeout(client)]);
      return { operation: 'erasure-chunk', marks: [], counts: {}, ids: { erasure: again.record.id, chunk: 'late' } };
    },
    prepare: (client) => decideLate(client, ground, order, again),
    destroy: async (client, late, operation) => {
      const { record, counts } = await carryOutLate(client, ground, order, { ...late, operation });
      return { result: record, counts };
    },
  });
  return result;
}

async function decideLate(client: pg.ClientBase, ground: ErasureGround, order: ErasureOrder, again: Again): Promise<LateToErase> {
  const found = await findLate(client, ground, order, { ...again, lock: true });
  // Behind the lock of the person, if there is one: whatever became of it since.
  const [record] = await readErasures(client, ground.tenant, { id: again.record.id });
  if (record?.state !== 'committed' || record.tag !== again.record.tag)
    throw stopped(draftOf(again.record).document.rows.count, 'somebody else goes on with it');
  refuseForeign(ground, record);
  const { mode } = order;
  const decision = await decide(client, ground, found, { mode, ledger: ground.ledger, isKept: true, unseen: found.unseen });
  if (unapproved(decision, draftOf(record).allowed ?? {}).length > 0) throw new Unapproved();
  if (decision.blocked.length > 0) throw stopped(draftOf(record).document.rows.count, problemsOf(decision.blocked));
  return { record: withKept(again.record, found.kept), found, decision };
}

async function carryOutLate(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, mode }: ErasureOrder,
  { record, found, decision, operation }: LateToErase & { readonly operation: OperationId },
): Promise<{ readonly record: ErasureRecord; readonly counts: Readonly<Record<string, number>> }> {
  const { tenant } = ground;
  const draft = draftOf(record);
  const rows = found.tables.flatMap((each) =>
    each.identity.kind === 'key' ? [[each.table, each.rows.map(({ key }) => plainKey(each.identity, key))] as const] : [],
  );
  const isKept = isKeptByRight(draft.document) || found.kept.lines.length > 0;
  const { id: erasure, holds } = record;
  const scope = { tenant, person, erasure, mode, holds, rows: new Map(rows), kept: new Map(), isKept };
  const before = await effectsAt(client, ground, 'before-rows', scope);
  const done = await carryOut(client, ground, {
    found,
    decision,
    keys: erasureKeysOf(ground.ledger, tenant, erasure),
    without: new Set(found.reach.graph.edgesOf.keys()),
    writers: draft.writers ?? null,
  });
  const after = await effectsAt(client, ground, 'after-rows', scope);
  const participants = draft.document.participants.map((part) => {
    const more = joinEffects(before.get(part.name), after.get(part.name), part.counts);
    return {
      ...part,
      ...more,
      keysDestroyed: [...part.keysDestroyed, ...more.keysDestroyed],
      horizon: more.horizon ?? part.horizon,
    };
  });
  const keysDestroyed = participants.flatMap((part) => part.keysDestroyed);
  const document = { ...withLate(draft.document, { decision, done }), holds, participants, keysDestroyed };
  const own = joinOwn(draft.own ?? { since: '', by: [], operation }, { by: done.by, operation });
  const changed = { ...record, certificate: { ...draft, document, own } };
  const { state, certificate, due, isUndated } = changed;
  const tag = tagOf(ground, changed);
  await updateErasure(client, tenant, erasure, { state, certificate, holds, due, isUndated, tag });
  return {
    record: { ...changed, tag },
    counts: Object.fromEntries([...done.counts].map(([table, { before: all }]) => [table, all])),
  };
}

/** As of one more chunk. */
function withLate(
  body: CertificateBody,
  { decision, done }: { readonly decision: Decision; readonly done: CarriedOut },
): CertificateBody {
  const lines = decision.groups.map(({ rows: { table, keys }, treatment, writes, until }) =>
    planLine({ table, rows: keys.length, treatment, writes, until }),
  );
  const counts = [...done.counts].map(([table, each]) => ({ table, ...each }));
  return {
    ...body,
    tables: [...body.tables, ...counts],
    rows: { count: body.rows.count + done.tree.count, root: `${body.rows.root} ${done.tree.root}` },
    kept: joinKept([...body.kept, ...keptLines(lines), ...keptColumns(decision.groups)]),
    late: [...(body.late ?? []), ...counts.map(({ table, before }) => ({ table, rows: before }))],
  };
}
