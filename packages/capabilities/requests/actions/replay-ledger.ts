import type pg from 'pg';
import { isSafekeepError, type Subject } from '@safekeep/core';
import { formatPerson, type Person } from '../../holds/index.ts';
import type { NewEntry } from '../../ledger/index.ts';
import type { ErasureMode, ReplayText } from '../model.ts';
import { tenantColumnOf } from '../rules/graph.ts';
import { readErasures } from '../store/records.ts';
import { advanceSequence } from '../store/residue.ts';
import { inTransaction } from '../store/session.ts';
import { everyPerson } from '../store/people.ts';
import { personMark } from './decide.ts';
import { executeErasure } from './execute-erasure.ts';
import type { ErasureGround } from './ground.ts';
import { marksOf, readSequenceIds, tellingColumns } from './marks.ts';
import { planErasure } from './plan-erasure.ts';

/** An erasure that was done, as the ledger knows it. */
type Past = {
  readonly operation: string;
  readonly at: string;
  readonly type: string;
  readonly mode: ErasureMode;
  readonly entry: NewEntry;
};

type Match = { readonly person: Person; readonly subject: Subject; readonly past: Past };

/**
 * After a restore: finds those who were erased and are there again, and erases them again. A person is known by their key
 * together with a value of their own (or the id of their encryption key): whoever was given the same number since, matches
 * nothing. Sequences are moved past every number that was given out before.
 */
export async function replayLedger(
  ground: ErasureGround,
  options: { readonly plan: boolean; readonly by: string },
): Promise<ReplayText> {
  const { past, sequences } = await readPast(ground);
  const matches = await findReturned(ground, past);
  const persons: ReplayText['persons'] = [];
  for (const match of matches) persons.push(await replayOne(ground, match, options));
  const advanced: string[] = [];
  if (!options.plan) {
    for (const [name, last] of sequences) {
      const isThere = ground.catalog.sequences.some((sequence) => `${sequence.schema}.${sequence.name}` === name);
      if (
        isThere &&
        (await inTransaction(ground.database, { tenant: ground.tenant }, (client) => advanceSequence(client, { name, last })))
      )
        advanced.push(name);
    }
  }
  return { erasures: past.size, persons, sequences: advanced };
}

/** By mark: which erasure made it. Everything of the ledger that was done, whether or not this database knows it. */
async function readPast({
  ledger,
  tenant,
}: ErasureGround): Promise<{ readonly past: ReadonlyMap<string, Past>; readonly sequences: ReadonlyMap<string, string> }> {
  const intents = new Map<
    string,
    { readonly marks: readonly string[]; readonly past: Past; readonly ids: Readonly<Record<string, string>> }
  >();
  const past = new Map<string, Past>();
  const sequences = new Map<string, string>();
  for await (const { entry } of ledger.read()) {
    if (entry.tenant !== tenant || entry.operation !== 'erasure') continue;
    if (entry.kind === 'intent') {
      const { id, counts, ids, operation } = entry;
      const mode: ErasureMode = ids['mode'] === 'delete' ? 'delete' : 'anonymise';
      const replayed: NewEntry = { kind: 'replayed', id, tenant, operation, counts, ids };
      intents.set(id, {
        marks: entry.marks,
        ids,
        past: { operation: id, at: entry.at, type: ids['type'] ?? '', mode, entry: replayed },
      });
    }
    const begun = intents.get(entry.id);
    if (entry.kind !== 'done' || begun === undefined) continue;
    for (const mark of begun.marks) past.set(mark, begun.past);
    for (const { name, last } of readSequenceIds(begun.ids)) {
      const known = sequences.get(name);
      if (known === undefined || BigInt(known) < BigInt(last)) sequences.set(name, last);
    }
  }
  return { past, sequences };
}

async function findReturned(ground: ErasureGround, past: ReadonlyMap<string, Past>): Promise<readonly Match[]> {
  if (past.size === 0) return [];
  const { database, tenant, map, schema } = ground;
  return await inTransaction(
    database,
    { tenant, mode: 'isolation level repeatable read, read only' },
    async (client) => {
      const found: Match[] = [];
      for (const subject of map.subjects.values()) {
        const columns = tellingColumns(ground, subject);
        for await (const people of everyPerson(client, {
          schema,
          subject,
          columns,
          tenancy: { column: tenantColumnOf(map, subject), tenant },
        })) {
          for (const { key, values } of people) {
            const person = { type: subject.name, key };
            const keyIds = await keyIdsOf(client, ground, person);
            const mark = marksOf(ground, { person, subject }, { columns, values, keyIds }).find((each) => past.has(each));
            const erased = mark === undefined ? undefined : past.get(mark);
            if (erased === undefined || erased.type !== subject.name || (await isKnownErased(client, ground, person))) continue;
            found.push({ person, subject, past: erased });
          }
        }
      }
      return found;
    },
    'rollback',
  );
}

async function keyIdsOf(client: pg.ClientBase, { ports, tenant }: ErasureGround, person: Person): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const { subjectKeyId } of ports.participants) {
    const id = await subjectKeyId?.(client, { tenant, person });
    if (id !== null && id !== undefined) ids.push(id);
  }
  return ids;
}

/** This database has the erasure itself: what still matches is an exact time that was not masked. */
async function isKnownErased(client: pg.ClientBase, { ledger, tenant }: ErasureGround, person: Person): Promise<boolean> {
  const records = await readErasures(client, tenant, { mark: personMark(ledger, tenant, person) });
  return records.some(({ state, mode }) => mode === 'anonymise' && state !== 'running' && state !== 'due');
}

async function replayOne(
  ground: ErasureGround,
  { person, subject, past }: Match,
  { plan, by }: { readonly plan: boolean; readonly by: string },
): Promise<ReplayText['persons'][number]> {
  const made = await planErasure(ground, { person, subject, mode: past.mode }, 'ledger replay');
  const rows = made.estimate.rows;
  const text = { subject: formatPerson(person), erasedAt: past.at, operation: past.operation, rows };
  if (plan) return { ...text, state: 'planned', error: null };
  try {
    const done = await executeErasure({ ...ground, approval: 'any' }, { person, subject }, { hash: made.hash, by });
    await ground.ledger.append(past.entry);
    return { ...text, state: done.state, error: null };
  } catch (error) {
    if (!isSafekeepError(error)) throw error;
    return { ...text, state: 'failed', error: error.code };
  }
}
