import type pg from 'pg';
import type { Subject } from '@safekeep/core';
import { unknownHolds, type Person } from '../../holds/index.ts';
import type { NewEntry } from '../../ledger/index.ts';
import type { ErasureMode } from '../model.ts';
import { tenancyOf } from '../rules/graph.ts';
import { isMask } from '../rules/masks.ts';
import { countUnlike } from '../store/act.ts';
import { everyPerson, type PersonValues } from '../store/people.ts';
import { erasuresHere, type ErasuresHere } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import { personMark } from './decide.ts';
import { decisionsOn } from './foresee.ts';
import { rowsAtOnce, type ErasureGround } from './ground.ts';
import { keyIdsOf, keyMark, numberMark, telling, valueMark, type Telling } from './marks.ts';
import { areMasks } from './masked-people.ts';
import { policies, survey } from './survey.ts';

/** An erasure that was done, as the ledger knows it. */
export type Past = {
  readonly operation: string;
  readonly erasure: string;
  readonly at: string;
  readonly type: string;
  readonly mode: ErasureMode;
  readonly marks: ReadonlySet<string>;
  /** The newest of the holds that kept something. */
  readonly holds: readonly string[];
  readonly entry: NewEntry;
};

export type PastErasures = {
  /** By each mark of a person: the erasures that made it, the last one first. */
  readonly byMark: ReadonlyMap<string, readonly Past[]>;
  readonly byErasure: ReadonlyMap<string, Past>;
};

export type Match = {
  readonly person: Person;
  readonly subject: Subject;
  readonly past: Past;
  /** Why it may be somebody else, or somebody who came back by themselves; null where neither can be. */
  readonly doubt: string | null;
};

const SOMEBODY_ELSE = 'some of what is known of them is the same, and some is not: it may be somebody else under their key';
const SAME_NUMBER =
  'nothing but their key is as it was when they were erased: their values may have changed since this copy was made, or it is somebody else';
const NEW_ROWS =
  'this database knows the erasure, and rows are there that it did not leave: they gave them since, or a table alone was restored';
const CAME_BACK = 'this database knows the erasure: they came back by themselves, or their table alone was restored';

/**
 * Who was erased and is there again. A person is known by the id of their encryption key, by a value that is unique, or by all that
 * tells people apart together; a name or a time is never enough, and a key alone asks. Where this very database knows the erasure nothing
 * was restored but single tables, or the person gave something since of their own will: that is not for a program to say.
 */
export async function findReturned(ground: ErasureGround, past: PastErasures): Promise<readonly Match[]> {
  if (past.byMark.size === 0) return [];
  const { database, tenant, map, schema } = ground;
  const found: Match[] = [];
  const masked: Match[] = [];
  await inTransaction(
    database,
    { tenant, mode: 'isolation level repeatable read, read only' },
    async (client) => {
      for (const subject of map.subjects.values()) {
        const tells = telling(ground, subject);
        const tenancy = tenancyOf(ground, subject);
        for await (const people of everyPerson(client, { schema, subject, columns: tells.columns, tenancy })) {
          const persons = people.map(({ key }): Person => ({ type: subject.name, key }));
          const marks = persons.map((person) => personMark(ground.ledger, tenant, person));
          const known = await erasuresHere(client, tenant, marks);
          const keyIds = await keyIdsOf(client, ground, persons);
          for (const [place, each] of people.entries()) {
            const here = known.get(marks[place] ?? '');
            const match = matchOf(ground, { subject, tells, each, here, past, keyIds: keyIds[place] ?? [] });
            if (match === undefined) continue;
            if (match.isMasked) masked.push(match);
            else found.push({ ...match, doubt: match.doubt ?? (await heldDoubt(client, ground, { match, past })) });
          }
        }
      }
    },
    'rollback',
  );
  for (const each of masked) if (await hasUnmasked(ground, each)) found.push(each);
  return found;
}

/**
 * A hold that was placed after the copy was made is gone with the restore, and what it kept would be erased now. Asked of the last erasure of
 * the person: the hold may have ended, and what it kept been erased, since.
 */
async function heldDoubt(
  client: pg.ClientBase,
  ground: ErasureGround,
  { match, past }: { readonly match: Match; readonly past: PastErasures },
): Promise<string | null> {
  const { holds } = pastsBy(past, match.subject, [numberMark(ground, match)])[0] ?? match.past;
  const unknown = holds.length === 0 ? [] : await unknownHolds(client, ground.tenant, holds);
  return unknown.length === 0
    ? null
    : `a hold kept something of theirs, and this copy of the database does not know it (${unknown.join(', ')}): place it again first`;
}

/** The last one first. */
function pastsBy({ byMark }: PastErasures, { name }: Subject, marks: readonly (string | undefined)[]): readonly Past[] {
  return [...new Set(marks.flatMap((mark) => byMark.get(mark ?? '') ?? []))]
    .filter(({ type }) => type === name)
    .toSorted((a, b) => (a.at < b.at ? 1 : -1));
}

type Candidate = {
  readonly subject: Subject;
  readonly tells: Telling;
  readonly each: PersonValues;
  /** What this database knows of erasures of a person under this key. */
  readonly here: ErasuresHere | undefined;
  readonly past: PastErasures;
  readonly keyIds: readonly string[];
};

function matchOf(
  ground: ErasureGround,
  { subject, tells, each, here, past, keyIds }: Candidate,
): (Match & { readonly isMasked: boolean }) | undefined {
  const person = { type: subject.name, key: each.key };
  const known = past.byErasure.get(here?.last ?? '');
  const isKept = here !== undefined && (here.isHeld || policies(ground, subject.table).mapped?.onErasure !== null);
  const isMasked = areMasks(ground, subject.table, { columns: tells.columns, values: each.values });
  if (known !== undefined && (isKept || isMasked)) return { person, subject, past: known, doubt: NEW_ROWS, isMasked: true };
  const values = here === undefined ? each.values : unmasked(ground, subject, { columns: tells.columns, values: each.values });
  const keyMarks = keyIds.map((id) => keyMark(ground, { person, subject }, id));
  const valueMarks = tells.columns.map((column, place) => valueMark(ground, { person, subject }, { column, value: values[place] }));
  const [last] = pastsBy(past, subject, [numberMark(ground, { person, subject })]);
  for (const one of pastsBy(past, subject, [...keyMarks, ...valueMarks])) {
    const isSame = keyMarks.some((mark) => one.marks.has(mark)) || isCertain(tells, valueMarks, one);
    if (!isSame && !isLikely(tells, valueMarks, one)) continue;
    const doubt = here?.all.has(one.erasure) === true ? CAME_BACK : isSame ? null : SOMEBODY_ELSE;
    return { person, subject, past: one, doubt, isMasked: false };
  }
  // A database that knows the erasure was not restored to a time before it: whoever has the number now was given it since.
  if (last === undefined || here?.all.has(last.erasure) === true || isMasked) return undefined;
  return { person, subject, past: last, doubt: SAME_NUMBER, isMasked: false };
}

/** A value that nobody else can have; or everything that is known, with more than names or a time alone among it. */
function isCertain(
  { columns, unique, names, isTelling }: Telling,
  marks: readonly (string | undefined)[],
  { marks: theirs }: Past,
): boolean {
  const here = columns.filter((_, place) => marks[place] !== undefined);
  const same = columns.filter((_, place) => theirs.has(marks[place] ?? ''));
  if (same.some((column) => unique.has(column))) return true;
  return isTelling && same.length === here.length && same.length > 1 && same.some((column) => !names.has(column));
}

/** Something tells that it is them; where nothing of theirs tells people apart, everything together. */
function isLikely({ columns, isTelling }: Telling, marks: readonly (string | undefined)[], { marks: theirs }: Past): boolean {
  const here = columns.filter((_, place) => marks[place] !== undefined);
  const same = columns.filter((_, place) => theirs.has(marks[place] ?? ''));
  return same.length > 0 && (isTelling || same.length === here.length);
}

/**
 * Of somebody whose erasure this database knows, only what it masked and is no mask says that they are back: an exact time that
 * stays is the same after it, and who was erased twice is marked by the masks of the first time.
 */
function unmasked(
  ground: ErasureGround,
  subject: Subject,
  { columns, values }: { readonly columns: readonly string[]; readonly values: readonly (string | null)[] },
): readonly (string | null)[] {
  const choices = new Map(policies(ground, subject.table).whole.choices.map((choice) => [choice.column, choice]));
  return values.map((value, place) => {
    const choice = choices.get(columns[place] ?? '');
    return choice === undefined || choice.candidates.some((write) => isMask(write, value)) ? null : value;
  });
}

/** A table that was restored alone has the person's old rows, though their own row is masked. */
async function hasUnmasked(ground: ErasureGround, { person, subject }: Match): Promise<boolean> {
  return await inTransaction(
    ground.database,
    { tenant: ground.tenant },
    async (client) => {
      const options = { lock: false, limit: rowsAtOnce(ground) };
      const found = await survey(client, ground, { person, subject, options });
      for await (const { groups } of decisionsOn(client, ground, found, 'anonymise'))
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
