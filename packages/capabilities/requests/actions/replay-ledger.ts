import { formatName } from '@safekeep/core';
import { formatPerson } from '../../holds/index.ts';
import { verifyRecorded, type NewEntry } from '../../ledger/index.ts';
import type { ErasureMode, ReplayText } from '../model.ts';
import { advanceSequence } from '../store/residue.ts';
import { inTransaction } from '../store/session.ts';
import { executeErasure } from './execute-erasure.ts';
import { findPerson, ownFault, type ErasureGround } from './ground.ts';
import { readHoldIds, readSequenceIds, readSequencesLeft } from './marks.ts';
import { planErasure, showErasure } from './plan-erasure.ts';
import { findReturned, type Match, type Past, type PastErasures } from './returned.ts';

export type ReplayOptions = {
  readonly plan: boolean;
  readonly by: string;
  /** People of whom it is not certain, and who are to be erased all the same. */
  readonly also?: readonly string[];
};

/**
 * After a restore: finds those who were erased and are there again, and erases them again. A person is known by their key together
 * with values of their own (or the id of their encryption key). Who may be somebody else, or may have come back by themselves, is
 * `ambiguous` and erased only where `also` names them. Sequences are moved past every number that was given out before.
 *
 * Nobody is erased because of a ledger that does not stand up to its witnesses: throws `ledger-broken`.
 */
export async function replayLedger(ground: ErasureGround, options: ReplayOptions): Promise<ReplayText> {
  const { until, heads } = await verifyRecorded(ground);
  const { past, sequences, sequencesLeft } = await readPast(ground);
  const matches = await findReturned(ground, past);
  const also: string[] = [];
  for (const name of options.also ?? []) also.push(formatPerson((await findPerson(ground, name)).person));
  const persons: ReplayText['persons'] = [];
  for (const match of matches) persons.push(await replayOne(ground, match, { ...options, also }));
  const advanced: string[] = [];
  if (!options.plan) {
    for (const [name, last] of sequences) {
      const isThere = ground.catalog.sequences.some((sequence) => formatName(sequence.schema, sequence.name) === name);
      if (
        isThere &&
        (await inTransaction(ground.database, { tenant: ground.tenant }, (client) => advanceSequence(client, { name, last })))
      )
        advanced.push(name);
    }
  }
  return { erasures: past.byMark.size, until, otherLedgers: heads.others, persons, sequences: advanced, sequencesLeft };
}

/** Everything of the ledger that was done, whether or not this database knows it. */
async function readPast({ ledger, tenant }: ErasureGround): Promise<{
  readonly past: PastErasures;
  readonly sequences: ReadonlyMap<string, string>;
  /** Of one erasure at most. */
  readonly sequencesLeft: number;
}> {
  const intents = new Map<string, { readonly past: Past; readonly ids: Readonly<Record<string, string>> }>();
  const byMark = new Map<string, Past[]>();
  const byErasure = new Map<string, Past>();
  const sequences = new Map<string, string>();
  let sequencesLeft = 0;
  for await (const { entry } of ledger.read()) {
    if (entry.tenant !== tenant || entry.operation !== 'erasure') continue;
    if (entry.kind === 'intent') {
      const { id, counts, ids, operation } = entry;
      const mode: ErasureMode = ids['mode'] === 'delete' ? 'delete' : 'anonymise';
      const replayed: NewEntry = { kind: 'replayed', id, tenant, operation, counts, ids };
      intents.set(id, {
        ids,
        past: {
          operation: id,
          erasure: ids['erasure'] ?? id,
          at: entry.at,
          type: ids['type'] ?? '',
          mode,
          marks: new Set(entry.marks),
          holds: readHoldIds(ids),
          entry: replayed,
        },
      });
    }
    const begun = intents.get(entry.id);
    if (entry.kind !== 'done' || begun === undefined) continue;
    for (const mark of begun.past.marks) byMark.set(mark, [begun.past, ...(byMark.get(mark) ?? [])]);
    byErasure.set(begun.past.erasure, begun.past);
    sequencesLeft = Math.max(sequencesLeft, readSequencesLeft(begun.ids));
    for (const { name, last } of readSequenceIds(begun.ids)) {
      const known = sequences.get(name);
      if (known === undefined || BigInt(known) < BigInt(last)) sequences.set(name, last);
    }
  }
  return { past: { byMark, byErasure }, sequences, sequencesLeft };
}

async function replayOne(
  ground: ErasureGround,
  { person, subject, past, doubt }: Match,
  { plan, by, also = [] }: ReplayOptions,
): Promise<ReplayText['persons'][number]> {
  const text = { subject: formatPerson(person), erasedAt: past.at, operation: past.operation, rows: 0, doubt };
  if (doubt !== null && !also.includes(text.subject)) return { ...text, state: 'ambiguous', error: null };
  try {
    const alone: ErasureGround = { ...ground, approval: 'any' };
    const order = { person, subject, mode: past.mode };
    // A plan that is only shown is none that somebody could approve.
    const made = plan ? (await showErasure(alone, order)).plan : await planErasure(alone, order, 'ledger replay');
    text.rows = made.estimate.rows;
    if (plan) return { ...text, state: 'planned', error: null };
    const done = await executeErasure(alone, { person, subject }, { hash: made.hash, by });
    await ground.ledger.append(past.entry);
    return { ...text, state: done.state, error: null };
  } catch (error) {
    return { ...text, state: 'failed', error: ownFault(error) };
  }
}
