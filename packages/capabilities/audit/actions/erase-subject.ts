import { newId } from '@safekeep/core';
import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import type { Fate } from '../../encryption/index.ts';
import { freshBytes } from '../keys/key-file.ts';
import {
  deltaOf,
  forgottenMark,
  keyOfRow,
  partOfKey,
  ROWS_FORGOTTEN,
  ROWS_UNEXPLAINED,
  unexplainedMark,
  withoutValues,
  type Taken,
} from '../rules/baseline.ts';
import { joinKey, keyAfter } from '../rules/key.ts';
import { readDeleted, readMarksOf, replaceMarks, touchBaselines } from '../store/baselines.ts';
import {
  captureKeysOnly,
  countNamed,
  forgetSubject,
  readErasedHere,
  readKeyChanges,
  readRecords,
  readRecordsWithErased,
  removeSequenced,
  writeRemains,
  type Remaining,
} from '../store/erasure.ts';
import { openEvents } from '../store/event-values.ts';
import { beginSequencing, captureOf, commit, lockSequencer, logBusy, readCaptures, sweepKeysOnly } from '../store/sequencer.ts';
import { readBaselines } from '../verification/baseline.ts';
import { checkRecords } from '../verification/check-records.ts';
import { recordEventWithin } from './record-event.ts';
import { sequence, type SequencerGround } from './sequence.ts';

/** Who is erased, and whether what the law keeps goes too (only once no law keeps it any more). */
export type Erased = { readonly tenant: string; readonly subject: string; readonly fates?: readonly Fate[] };

/**
 * The log's part of an erasure, in this order:
 *
 * 1. {@link drainBeforeErasure}, outside of any transaction;
 * 2. {@link beginErasure} as the first thing in the erasing transaction (READ COMMITTED) after the rows of the person are locked;
 * 3. the erasure itself;
 * 4. {@link forget}, or where the person's keys must stay {@link recordRemains}; and the commit. If it is rolled back, nothing was
 *    forgotten;
 * 5. {@link emptyAfterErasure}, outside of any transaction.
 *
 * Locks are taken in one order everywhere: rows of the person, the sequencer, keys. A sequencer locks no row of a user's table, so
 * nobody waits in a circle; two erasures wait for each other's rows at most, which the server ends (40P01) and the erasure repeats.
 */
export async function drainBeforeErasure(ground: SequencerGround): Promise<void> {
  const { state } = await sequence(ground, { wait: true, baselines: 'later' });
  if (state === 'busy') throw logBusy();
}

/**
 * Moves what was committed up to here into the log, the keyless traces of the erasure among it, and takes out of the inboxes what the log
 * has: the plaintext of changes would stand there until the inbox that is written to is emptied, ten minutes and more. After it no
 * inbox shows anything that was committed before the erasure; dead rows lie in its file until then.
 *
 * @throws `lock-timeout` where another does not let the log go for a minute; it can be called again.
 */
export async function emptyAfterErasure(ground: SequencerGround): Promise<void> {
  await drainBeforeErasure(ground);
  await ground.database.withClient(async (client) => {
    if (!(await beginSequencing(client, { isolation: 'read committed', wait: true }))) throw logBusy();
    await removeSequenced(client);
    // Names the person, and was for the transaction that has ended.
    await sweepKeysOnly(client);
    await commit(client);
  });
}

/**
 * Keeps the sequencer out until the transaction ends, and lets capture write keys only: the erasure's own triggers would write down what it
 * erases. What was committed and not sequenced until here is sequenced after it, finds its key destroyed, and loses its values too.
 *
 * Before that the rows are held against the log and the baselines: an erasure says how each row stands that it leaves, and would make right
 * whatever was done to it unseen. What does not hold is an event of its own, which names rows by marks, and the erasure goes on: whoever
 * edits a row must not be able to stop a duty of the law with it. Answers how many rows these are.
 */
export async function beginErasure(
  client: pg.ClientBase,
  { keys }: Pick<SequencerGround, 'keys'>,
  { tenant, subject, rows = new Map(), isPart = false }: Erased & Touched,
): Promise<number> {
  await lockSequencer(client);
  const records = isPart ? new Map<string, readonly string[]>() : await readRecords(client, { tenant, subject });
  const asked = [...rows].map(([table, some]) => [table, some.map(joinKey)] as const);
  const unheld = await checkRecords(client, { tenant, subject, records, rows: new Map(asked) }, keys);
  for (const { table, records: found, what } of unheld) {
    const marks = found.map((record) => keys.markOf([tenant, table, record]));
    for (let from = 0; from < marks.length; from += MARKS_AT_ONCE) {
      const said = { id: newId<'audit-rows-unexplained'>(), rows: marks.slice(from, from + MARKS_AT_ONCE), what };
      const details = { ...said, mark: unexplainedMark(keys.markOf, { tenant, table }, said) };
      await recordEventWithin(client, tenant, { kind: 'security', action: ROWS_UNEXPLAINED, table, details });
    }
  }
  await captureKeysOnly(client, tenant, subject);
  return unheld.reduce((count, { records: found }) => count + found.length, 0);
}

/** Which rows are about to be changed, beside those that the log has as the person's: their keys by table, where they have one. */
export type Touched = {
  readonly rows?: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** One of several transactions of an erasure, and not the last: only of these rows it is asked. */
  readonly isPart?: boolean;
};

/** For a transaction that only tries an erasure and is rolled back: capture writes keys only, and no lock is taken. */
export async function rehearseErasure(client: Queryable, { tenant, subject }: Erased): Promise<void> {
  await captureKeysOnly(client, tenant, subject);
}

/**
 * Says of each row of the person that is still there how it stands now. Their history ends here: without this a later edit of such a row,
 * with triggers off, would be seen by nobody. What is left of it holds nothing personal, is kept under the key that the law keeps, or is
 * another person's.
 */
export async function recordRemains(
  client: pg.ClientBase,
  { keys }: Pick<SequencerGround, 'keys'>,
  { tenant, subject }: Erased,
): Promise<void> {
  await writeRemainsOf(client, keys, { tenant, subject });
}

type Remains = {
  /** By table, the keys that rows of the person had and have no more. */
  readonly moved: ReadonlyMap<string, readonly string[]>;
  /** By table, all keys that the log knows. */
  readonly known: ReadonlyMap<string, readonly string[]>;
};

async function writeRemainsOf(client: pg.ClientBase, keys: SequencerGround['keys'], { tenant, subject }: Erased): Promise<Remains> {
  const captures = await readCaptures(client);
  const tables = keyed(await readRecordsWithErased(client, { tenant, subject }), { tenant, captures });
  const changes = await readKeyChanges(
    client,
    { tenant, subject },
    tables.map(({ capture }) => capture),
  );
  const opened = await openEvents(client, keys.subjectKeys, changes);
  const [left, all] = [new Map<string, readonly string[]>(), new Map<string, readonly string[]>()];
  for (const { capture, records } of tables) {
    const own = changes.flatMap(({ id, table, record }) => (table === capture.table && record !== null ? [{ id, record }] : []));
    const moved = own.map(({ id, record }) => keyAfter(record, capture.key, opened.get(id)?.change.new ?? {}));
    left.set(
      capture.table,
      own.flatMap(({ record }, place) => (record === moved[place] ? [] : [record])),
    );
    all.set(capture.table, [...new Set([...records, ...moved])]);
  }
  await writeRemains(
    client,
    subject,
    tables.map(({ capture }) => ({ capture, records: all.get(capture.table) ?? [] })),
  );
  return { moved: left, known: all };
}

/** Tables whose rows have keys, with those of these rows. */
function keyed(
  records: ReadonlyMap<string, readonly string[]>,
  { tenant, captures }: { readonly tenant: string; readonly captures: Awaited<ReturnType<typeof readCaptures>> },
): readonly Remaining[] {
  return [...records].flatMap(([table, some]) => {
    const capture = captureOf(captures, { tenant, table });
    return capture === undefined || capture.key.length === 0 ? [] : [{ capture, records: some }];
  });
}

/**
 * The same of the rows alone that this transaction has changed: a large erasure goes in several, and between two of them nobody shall have to
 * take on trust why values of theirs are gone. The last one says it again of all of them.
 */
export async function recordRemainsOfChunk(client: pg.ClientBase, { tenant, subject }: Erased): Promise<void> {
  const captures = await readCaptures(client);
  await writeRemains(client, subject, keyed(await readErasedHere(client, tenant), { tenant, captures }));
}

/** Marks in one event: it may have 100 kB. */
const MARKS_AT_ONCE = 2000;

type OfTable = { readonly tenant: string; readonly table: string };

type Forgetting = OfTable & {
  /** Keys of rows that are gone, or had others before. */
  readonly gone: readonly string[];
  readonly left: readonly string[];
};

/**
 * A row that was deleted, or got another key, before the erasure is explained by an event that is about to lose its name. What stood in the table
 * when its baseline was taken would be missed for ever: so the home says which rows these are, in marks that nobody else can read. What all of the
 * person's rows held then goes from the baseline: with the home's key it could be guessed.
 */
async function forgetRows(
  client: pg.ClientBase,
  { markOf }: SequencerGround['keys'],
  { tenant, tables }: { readonly tenant: string; readonly tables: readonly Forgetting[] },
): Promise<void> {
  const held = await touchBaselines(
    client,
    tables.map(({ table }) => table),
  );
  const forgotten = tables.filter(({ table }) => held.has(table));
  const baselines = await readBaselines(client, { tenant, markOf, tables: [...held], withInbox: true });
  const deltas = await takeValues(
    client,
    markOf,
    forgotten.flatMap((each) => {
      const taken = baselines.get(each.table)?.taken;
      return taken === undefined ? [] : [{ ...each, taken }];
    }),
  );
  for (const { table, gone } of forgotten) {
    const [baseline, delta] = [baselines.get(table)?.taken.id ?? null, deltas.get(table) ?? '0'];
    if (gone.length === 0 && delta === '0') continue;
    for (let from = 0; from === 0 || from < gone.length; from += MARKS_AT_ONCE) {
      const rows = gone.slice(from, from + MARKS_AT_ONCE).map((record) => markOf([tenant, table, record]));
      const said = { id: newId<'audit-rows-forgotten'>(), rows, baseline, delta: from === 0 ? delta : '0' };
      const details = { ...said, mark: forgottenMark(markOf, { tenant, table }, said) };
      await recordEventWithin(client, tenant, { kind: 'compliance', action: ROWS_FORGOTTEN, table, details });
    }
  }
}

/** Answers by how much the digest of each baseline is another. */
async function takeValues(
  client: pg.ClientBase,
  markOf: SequencerGround['keys']['markOf'],
  tables: readonly (Forgetting & { readonly taken: Taken })[],
): Promise<ReadonlyMap<string, string>> {
  const [first] = tables;
  if (first === undefined) return new Map();
  const wanted = tables.map(({ tenant, table, taken, gone, left }) => {
    const keys = [...new Set([...gone, ...left])].map((record) => keyOfRow(markOf, { tenant, table }, record));
    const places = new Set(keys.map((key) => partOfKey(key, taken.parts)));
    return { tenant, table, baseline: taken.id, keys: new Set(keys.map((key) => key.toString('hex'))), places };
  });
  const parts = await readMarksOf(
    client,
    first.tenant,
    wanted.flatMap(({ table, places }) => [...places].map((part) => ({ table, part }))),
  );
  const changed = wanted.map((each) => ({
    ...each,
    changes: parts.flatMap(({ table, part, marks }) => {
      const after = table === each.table ? withoutValues(marks, each.keys, freshBytes) : undefined;
      return after === undefined ? [] : [{ part, before: marks, after }];
    }),
  }));
  await replaceMarks(
    client,
    first.tenant,
    changed.flatMap(({ table, changes }) => changes.map(({ part, after }) => ({ table, part, marks: after }))),
  );
  return new Map(changed.map(({ changes, ...of }) => [of.table, deltaOf(markOf, of, changes)]));
}

/** Destroys keys and salts, and empties what points to the person. Every checkpoint, proof and consistency proof stays valid. */
export async function forget(
  client: pg.ClientBase,
  { keys }: Pick<SequencerGround, 'keys'>,
  { tenant, subject, fates = ['erasable'] }: Erased,
): Promise<{ readonly keyIds: readonly string[]; readonly events: number }> {
  const { moved, known } = await writeRemainsOf(client, keys, { tenant, subject });
  const deleted = await readDeleted(client, { tenant, subject });
  const tables = [...new Set([...known.keys(), ...deleted.keys()])].map((table) => ({
    tenant,
    table,
    gone: [...new Set([...(moved.get(table) ?? []), ...(deleted.get(table) ?? [])])].toSorted(),
    left: known.get(table) ?? [],
  }));
  await forgetRows(client, keys, { tenant, tables });
  const keyIds = await keys.subjectKeys.destroy(client, { tenant, subject }, fates);
  return { keyIds, events: await forgetSubject(client, { tenant, subject, fates, keyIds }, keys.markOf) };
}

/** How many events still name the person whom an erasure should have emptied: none, or it is not done. */
export async function stillNamed(db: Queryable, { tenant, subject, fates = ['erasable'] }: Erased): Promise<number> {
  return await countNamed(db, { tenant, subject, fates });
}
