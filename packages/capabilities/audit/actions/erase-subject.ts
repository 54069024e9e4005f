import { newId } from '@safekeep/core';
import type pg from 'pg';
import type { Queryable } from '@safekeep/postgres';
import type { Fate } from '../../encryption/index.ts';
import { forgottenMark, ROWS_FORGOTTEN } from '../rules/baseline.ts';
import { keyAfter } from '../rules/key.ts';
import { hasBaseline, readDeleted } from '../store/baselines.ts';
import {
  captureKeysOnly,
  countNamed,
  forgetSubject,
  readErasedHere,
  readKeyChanges,
  readRecords,
  removeSequenced,
  writeRemains,
} from '../store/erasure.ts';
import { openEvents } from '../store/event-values.ts';
import { beginSequencing, captureOf, commit, lockSequencer, logBusy, readCaptures, sweepKeysOnly } from '../store/sequencer.ts';
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
  const { state } = await sequence(ground, { wait: true });
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
 */
export async function beginErasure(client: Pick<pg.ClientBase, 'query'>, { tenant, subject }: Erased): Promise<void> {
  await lockSequencer(client);
  await captureKeysOnly(client, tenant, subject);
}

/** For a transaction that only tries an erasure and is rolled back: capture writes keys only, and no lock is taken. */
export async function rehearseErasure(client: Queryable, { tenant, subject }: Erased): Promise<void> {
  await captureKeysOnly(client, tenant, subject);
}

/** Rows that one statement writes down. */
const REMAINS_AT_ONCE = 5000;

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

/** Answers, by table, the keys that rows of the person had and have no more. */
async function writeRemainsOf(
  client: pg.ClientBase,
  keys: SequencerGround['keys'],
  { tenant, subject }: Erased,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const left = new Map<string, readonly string[]>();
  const captures = await readCaptures(client);
  for (const [table, known] of await readRecords(client, { tenant, subject })) {
    const capture = captureOf(captures, { tenant, table });
    if (capture === undefined || capture.key.length === 0) continue;
    const changes = await readKeyChanges(client, { tenant, subject }, capture);
    const opened = await openEvents(client, keys.subjectKeys, changes);
    const moved = changes.flatMap(({ id, record }) =>
      record === null ? [] : [keyAfter(record, capture.key, opened.get(id)?.change.new ?? {})],
    );
    left.set(
      table,
      changes.flatMap(({ record }, place) => (record === null || record === moved[place] ? [] : [record])),
    );
    const records = [...new Set([...known, ...moved])];
    for (let from = 0; from < records.length; from += REMAINS_AT_ONCE)
      await writeRemains(client, capture, { subject, records: records.slice(from, from + REMAINS_AT_ONCE) });
  }
  return left;
}

/**
 * The same of the rows alone that this transaction has changed: a large erasure goes in several, and between two of them nobody shall have to
 * take on trust why values of theirs are gone. The last one says it again of all of them.
 */
export async function recordRemainsOfChunk(client: pg.ClientBase, { tenant, subject }: Erased): Promise<void> {
  const captures = await readCaptures(client);
  for (const [table, records] of await readErasedHere(client, tenant)) {
    const capture = captureOf(captures, { tenant, table });
    if (capture === undefined || capture.key.length === 0) continue;
    for (let from = 0; from < records.length; from += REMAINS_AT_ONCE)
      await writeRemains(client, capture, { subject, records: records.slice(from, from + REMAINS_AT_ONCE) });
  }
}

/** Marks in one event: it may have 100 kB. */
const FORGOTTEN_AT_ONCE = 2000;

/**
 * A row that was deleted, or got another key, before the erasure is explained by an event that is about to lose its name. What stood in the table
 * when its baseline was taken would be missed for ever: so the home says which rows these are, in marks that nobody else can read.
 */
async function recordForgotten(
  client: pg.ClientBase,
  { markOf }: SequencerGround['keys'],
  { tenant, table, records }: { readonly tenant: string; readonly table: string; readonly records: readonly string[] },
): Promise<void> {
  if (records.length === 0 || !(await hasBaseline(client, table))) return;
  for (let from = 0; from < records.length; from += FORGOTTEN_AT_ONCE) {
    const rows = records.slice(from, from + FORGOTTEN_AT_ONCE).map((record) => markOf([tenant, table, record]));
    const said = { id: newId<'audit-rows-forgotten'>(), rows };
    const details = { ...said, mark: forgottenMark(markOf, { tenant, table }, said) };
    await recordEventWithin(client, tenant, { kind: 'compliance', action: ROWS_FORGOTTEN, table, details });
  }
}

/** Destroys keys and salts, and empties what points to the person. Every checkpoint, proof and consistency proof stays valid. */
export async function forget(
  client: pg.ClientBase,
  { keys }: Pick<SequencerGround, 'keys'>,
  { tenant, subject, fates = ['erasable'] }: Erased,
): Promise<{ readonly keyIds: readonly string[]; readonly events: number }> {
  const moved = await writeRemainsOf(client, keys, { tenant, subject });
  const deleted = await readDeleted(client, { tenant, subject });
  for (const table of new Set([...moved.keys(), ...deleted.keys()])) {
    const records = [...new Set([...(moved.get(table) ?? []), ...(deleted.get(table) ?? [])])].toSorted();
    await recordForgotten(client, keys, { tenant, table, records });
  }
  const keyIds = await keys.subjectKeys.destroy(client, { tenant, subject }, fates);
  return { keyIds, events: await forgetSubject(client, { tenant, subject, fates, keyIds }, keys.markOf) };
}

/** How many events still name the person whom an erasure should have emptied: none, or it is not done. */
export async function stillNamed(db: Queryable, { tenant, subject, fates = ['erasable'] }: Erased): Promise<number> {
  return await countNamed(db, { tenant, subject, fates });
}
