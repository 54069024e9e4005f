import type pg from 'pg';
import type { Subject } from '@safekeep/core';
import { formatPerson, type Person } from '../../holds/index.ts';
import { verifyRecorded, type NewEntry } from '../../ledger/index.ts';
import type { ErasureMode, ReplayText } from '../model.ts';
import { tenantColumnOf } from '../rules/graph.ts';
import { isMask } from '../rules/masks.ts';
import { countUnlike } from '../store/act.ts';
import { maskedPersons } from '../store/records.ts';
import { advanceSequence } from '../store/residue.ts';
import { inTransaction } from '../store/session.ts';
import { everyPerson } from '../store/people.ts';
import { decide, personMark } from './decide.ts';
import { executeErasure } from './execute-erasure.ts';
import { ownFault, rowsAtOnce, type ErasureGround } from './ground.ts';
import { areMasks } from './masked-people.ts';
import { marksOf, readSequenceIds, tellingColumns } from './marks.ts';
import { planErasure } from './plan-erasure.ts';
import { policies, survey } from './survey.ts';

/** An erasure that was done, as the ledger knows it. */
type Past = {
  readonly operation: string;
  readonly at: string;
  readonly type: string;
  readonly mode: ErasureMode;
  readonly entry: NewEntry;
};

type PastErasures = {
  /** By each mark of a person: the erasure that made it. */
  readonly byMark: ReadonlyMap<string, Past>;
  readonly byErasure: ReadonlyMap<string, Past>;
};

type Match = { readonly person: Person; readonly subject: Subject; readonly past: Past };

/**
 * After a restore: finds those who were erased and are there again, and erases them again. A person is known by their key
 * together with a value of their own (or the id of their encryption key): whoever was given the same number since, matches
 * nothing. One who was erased in this very database is back where their rows have something else than the masks: a table may
 * have been restored alone. Sequences are moved past every number that was given out before.
 *
 * Nobody is erased because of a ledger that does not stand up to its witnesses: throws `ledger-broken`.
 */
export async function replayLedger(
  ground: ErasureGround,
  options: { readonly plan: boolean; readonly by: string },
): Promise<ReplayText> {
  const { until, heads } = await verifyRecorded(ground);
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
  return { erasures: past.byMark.size, until, otherLedgers: heads.others, persons, sequences: advanced };
}

/** Everything of the ledger that was done, whether or not this database knows it. */
async function readPast({
  ledger,
  tenant,
}: ErasureGround): Promise<{ readonly past: PastErasures; readonly sequences: ReadonlyMap<string, string> }> {
  const intents = new Map<
    string,
    { readonly marks: readonly string[]; readonly past: Past; readonly ids: Readonly<Record<string, string>> }
  >();
  const byMark = new Map<string, Past>();
  const byErasure = new Map<string, Past>();
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
    for (const mark of begun.marks) byMark.set(mark, begun.past);
    byErasure.set(begun.ids['erasure'] ?? entry.id, begun.past);
    for (const { name, last } of readSequenceIds(begun.ids)) {
      const known = sequences.get(name);
      if (known === undefined || BigInt(known) < BigInt(last)) sequences.set(name, last);
    }
  }
  return { past: { byMark, byErasure }, sequences };
}

/** A person who was erased in this database and has their masks: whether their other rows have too is to be looked at. */
type Masked = Match & { readonly erasure: string };

async function findReturned(ground: ErasureGround, { byMark, byErasure }: PastErasures): Promise<readonly Match[]> {
  if (byMark.size === 0) return [];
  const { database, tenant, map, schema } = ground;
  const found: Match[] = [];
  const masked: Masked[] = [];
  await inTransaction(
    database,
    { tenant, mode: 'isolation level repeatable read, read only' },
    async (client) => {
      for (const subject of map.subjects.values()) {
        const columns = tellingColumns(ground, subject);
        const tenancy = { column: tenantColumnOf(map, subject), tenant };
        for await (const people of everyPerson(client, { schema, subject, columns, tenancy })) {
          const marks = people.map(({ key }) => personMark(ground.ledger, tenant, { type: subject.name, key }));
          const known = await maskedPersons(client, tenant, marks);
          for (const [place, { key, values }] of people.entries()) {
            const person = { type: subject.name, key };
            const keyIds = await keyIdsOf(client, ground, person);
            const here = known.get(marks[place] ?? '');
            const told = here === undefined ? { columns, values, keyIds } : maskedValues(ground, subject, { columns, values });
            const mark = marksOf(ground, { person, subject }, told).find((each) => byMark.get(each)?.type === subject.name);
            const past = byMark.get(mark ?? '') ?? byErasure.get(here?.erasure ?? '');
            if (past === undefined) continue;
            if (mark !== undefined) found.push({ person, subject, past });
            else if (
              here !== undefined &&
              (here.isHeld || keyIds.length === 0) &&
              areMasks(ground, subject.table, { columns, values })
            )
              masked.push({ person, subject, past, erasure: here.erasure });
          }
        }
      }
    },
    'rollback',
  );
  for (const each of masked) if (await hasUnmasked(ground, each)) found.push(each);
  return found;
}

type Telling = { readonly columns: readonly string[]; readonly values: readonly (string | null)[] };

/**
 * Of somebody whose erasure this database knows, only what it masked and is no mask says that they are back: an exact time that
 * stays is the same after it, and who was erased twice is marked by the masks of the first time.
 */
function maskedValues(
  ground: ErasureGround,
  subject: Subject,
  { columns, values }: Telling,
): Telling & { readonly keyIds: readonly [] } {
  const choices = new Map(policies(ground, subject.table).whole.choices.map((choice) => [choice.column, choice]));
  const told = values.map((value, place) => {
    const choice = choices.get(columns[place] ?? '');
    return choice === undefined || choice.candidates.some((write) => isMask(write, value)) ? null : value;
  });
  return { columns, values: told, keyIds: [] };
}

/** A table that was restored alone has the person's old rows, though their own row is masked. */
async function hasUnmasked(ground: ErasureGround, { person, subject }: Masked): Promise<boolean> {
  return await inTransaction(
    ground.database,
    { tenant: ground.tenant },
    async (client) => {
      const options = { lock: false, limit: rowsAtOnce(ground) };
      const found = await survey(client, ground, { person, subject, options });
      const { groups } = await decide(client, ground, found, { mode: 'anonymise', ledger: ground.ledger });
      for (const { rows, treatment, writes } of groups) {
        if (treatment.action === 'delete') return true;
        const mapped = ground.map.tables.get(rows.table);
        // What is drawn for each row, and what is sealed, is never the same twice.
        const same = writes.filter(({ column, to }) => (to === 'null' || to === 'value') && mapped?.columns.has(column) === true);
        if ((await countUnlike(client, { rows, writes: same, perRow: [] })) > 0) return true;
      }
      return false;
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

async function replayOne(
  ground: ErasureGround,
  { person, subject, past }: Match,
  { plan, by }: { readonly plan: boolean; readonly by: string },
): Promise<ReplayText['persons'][number]> {
  const text = { subject: formatPerson(person), erasedAt: past.at, operation: past.operation, rows: 0 };
  try {
    const made = await planErasure(ground, { person, subject, mode: past.mode }, 'ledger replay');
    text.rows = made.estimate.rows;
    if (plan) return { ...text, state: 'planned', error: null };
    const done = await executeErasure({ ...ground, approval: 'any' }, { person, subject }, { hash: made.hash, by });
    await ground.ledger.append(past.entry);
    return { ...text, state: done.state, error: null };
  } catch (error) {
    return { ...text, state: 'failed', error: ownFault(error) };
  }
}
