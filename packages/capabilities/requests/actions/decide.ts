import type pg from 'pg';
import { encryptedName, isCompanion, isMappable, type Link } from '@safekeep/core';
import { formatPerson, type Person, type StandingHold } from '../../holds/index.ts';
import type { Ledger } from '../../ledger/index.ts';
import type { Blocked, ErasureMode, RowKey } from '../model.ts';
import { OWN_ROW } from '../rules/graph.ts';
import type { Write } from '../rules/masks.ts';
import { factsKey, treatmentKey, waysText, treatmentOf, type RowFacts, type Treatment } from '../rules/treat.ts';
import { chooseWrites, countReferring, referredTo, type Referring, type Rows } from '../store/act.ts';
import { erasedMarks } from '../store/records.ts';
import type { PersonRow, TableRows } from '../store/rows.ts';
import { unseenTables } from '../store/session.ts';
import { OTHERS_AT_MOST } from '../store/standing.ts';
import { identityOf } from '../store/traverse.ts';
import { askHolds, heldReferring } from './ask-holds.ts';
import type { Ground } from './ground.ts';
import { waysOfKept, type KeptWays, type Unseen } from './kept-ways.ts';
import { maskedAmong } from './masked-people.ts';
import { sealedChoices } from './sealed-choices.ts';
import type { Survey, SurveyedTable } from './survey.ts';

/** Rows of one table with which the same is done. */
export type Group = {
  readonly rows: Rows;
  readonly treatment: Treatment;
  readonly writes: readonly Write[];
  /** The last day up to which a duty keeps one of them. */
  readonly until: string | null;
  /** From when on the first of the rows that a duty keeps need not be kept; null where there is none, or nobody knows. */
  readonly due: string | null;
  /** A duty keeps one whose date nobody has filled in yet. */
  readonly isUndated: boolean;
};

export type Decision = {
  readonly groups: readonly Group[];
  readonly holds: readonly StandingHold[];
  readonly blocked: readonly Blocked[];
  /** Rows that a foreign key sets to null when what they refer to goes: `rows` of others, `all` with those of the person that stay. */
  readonly setNull: readonly { readonly table: string; readonly rows: number; readonly all: number; readonly foreignKey: string }[];
  /** A row of theirs stays by a duty or a hold: by their own row they are found again when it ends. */
  readonly isKept: boolean;
};

export type DecideOptions = {
  readonly mode: ErasureMode;
  readonly ledger: Pick<Ledger, 'mark'>;
  /** Their own row stays, be it empty: rows are kept that are not among these. */
  readonly isKept?: boolean;
  /** Tables of which not all rows of the person are among these. */
  readonly unseen?: Unseen;
  /** Nothing is carried out of it in this transaction: holds can be placed meanwhile. */
  readonly looksOnly?: boolean;
  /** Tables whose rows will be gone by then: a plan sees them still. */
  readonly beside?: ReadonlyMap<string, DealtWith>;
};

/** A table whose rows of the person are dealt with in other transactions, before: they will be gone, but for those that stay. */
export type DealtWith = { readonly asked: TableRows; readonly staying: readonly Pick<Group, 'rows' | 'writes'>[] };

/** The same person at any time in this home's database; never what a restored row is known by. */
export function personMark(ledger: Pick<Ledger, 'mark'>, tenant: string, { type, key }: Person): string {
  return ledger.mark({ tenant, table: 'safekeep.subject', subjectKeyId: type, primaryKey: key });
}

/** From when on the first row that a duty keeps can be erased, as ISO 8601; null where there is none. */
export function dueOf(groups: readonly Pick<Group, 'due'>[]): string | null {
  return groups.flatMap(({ due }) => due ?? []).toSorted()[0] ?? null;
}

/** What becomes of each row that was found. Asks for holds, in the transaction that destroys if any does. Changes nothing. */
export async function decide(client: pg.ClientBase, ground: Ground, found: Survey, options: DecideOptions): Promise<Decision> {
  const { unseen = new Map(), looksOnly = false } = options;
  const { holds, heldRows } = await askHolds(client, ground, found, looksOnly);
  const gone = await erasedOthers(client, ground, found, options.ledger);
  const isWholePersonHeld = holds.some(({ people }) => people.length > 0);
  const isKeptRow = (row: PersonRow): boolean => row.kept !== null || isWholePersonHeld || heldRows.has(row);
  // Of somebody who is held as a whole nothing goes anyway.
  const ways: KeptWays = isWholePersonHeld
    ? new Map()
    : await waysOfKept(client, ground, found, { isKept: isKeptRow, unseen, looksOnly });
  const factsOf = (row: PersonRow): Omit<RowFacts, 'shell'> => ({
    reached: row.reached,
    kept: row.kept,
    others: stillThere(row.others, gone),
    owners: stillThere(row.owners, gone),
    taken: new Set([...row.at].flatMap(([path, people]) => (stillThere(people, gone).length > 0 ? [path] : []))),
    held: isWholePersonHeld || heldRows.has(row),
    links: ways.get(row) ?? NO_LINKS,
  });
  const isKept = found.tables.some(({ rows }) => rows.some((row) => row.reached.length > 0 && isKeptRow(row)));
  const { shells, blocked, setNull } = await findShells(client, ground, found, {
    factsOf,
    mode: options.mode,
    isKeptRow,
    unseen,
    looksOnly,
    beside: options.beside ?? new Map(),
    // While a row of theirs is kept the person must be found again, also where no foreign key says so.
    staying: [...ways.keys(), ...(isKept || options.isKept === true ? ownRows(found) : [])],
  });
  const groups: Group[] = [];
  const problems: Blocked[] = [...blocked];
  for (const table of found.tables) {
    for (const { treatment, same } of alikeRows(table, options.mode, (row) => ({ ...factsOf(row), shell: shells.has(row) }))) {
      const rows = rowsFor(
        table,
        same.map(({ key }) => key),
      );
      const choices = await sealedChoices(client, ground, table, treatment.choices);
      const { writes, unmaskable } = await chooseWrites(client, rows, choices);
      problems.push(...unmaskable.map(({ what, columns }) => unmaskableProblem(table.table, rows.keys.length, what, columns)));
      const untils = same.flatMap(({ kept }) => kept?.until ?? []).toSorted();
      const isHeld = treatment.basis === 'hold';
      const [due = null] = isHeld ? [] : same.flatMap(({ kept }) => kept?.due ?? []).toSorted();
      const isUndated = !isHeld && same.some(({ kept }) => kept?.isUndated === true);
      groups.push({ rows, treatment, writes, until: isHeld ? null : (untils.at(-1) ?? null), due, isUndated });
    }
    const isTouched = groups.some(({ rows, treatment }) => rows.table === table.table && treatment.action !== 'keep');
    const whole = isTouched ? table.policy.whole.blocked : [];
    problems.push(...whole.map(({ what, remedy }) => ({ table: table.table, what, rows: table.rows.length, remedy })));
    problems.push(...unmappedColumns(table, isTouched));
  }
  return { groups, holds, blocked: problems, setNull, isKept };
}

/** What is decided of other rows too. */
export function joinDecisions(one: Decision, other: Decision): Decision {
  return {
    groups: [...one.groups, ...other.groups],
    holds: [...one.holds, ...other.holds],
    blocked: [...one.blocked, ...other.blocked],
    setNull: [...one.setNull, ...other.setNull],
    isKept: one.isKept || other.isKept,
  };
}

/** The rows of a table by what becomes of them. Most are alike, and it is worked out once for all that are. */
function alikeRows(
  { policy, rows }: SurveyedTable,
  mode: ErasureMode,
  factsOf: (row: PersonRow) => RowFacts,
): readonly { readonly treatment: Treatment; readonly same: readonly PersonRow[] }[] {
  const byFacts = new Map<string, { readonly treatment: Treatment; readonly same: PersonRow[] }>();
  // Rows that are reached alike share one list of paths.
  const ways = new Map<PersonRow['reached'], string>();
  for (const row of rows) {
    const facts = factsOf(row);
    const way = ways.get(row.reached) ?? waysText(row);
    ways.set(row.reached, way);
    const key = factsKey(facts, way);
    const known = byFacts.get(key);
    if (known === undefined) byFacts.set(key, { treatment: treatmentOf(policy, facts, mode), same: [row] });
    else known.same.push(row);
  }
  const byTreatment = Map.groupBy(byFacts.values(), ({ treatment }) => treatmentKey(treatment));
  return [...byTreatment.values()].flatMap(([first, ...more]) =>
    first === undefined ? [] : [{ treatment: first.treatment, same: [first, ...more].flatMap(({ same }) => same) }],
  );
}

function rowsFor({ table, policy, identity }: SurveyedTable, keys: readonly RowKey[]): Rows {
  return { table, facts: policy.facts, identity, keys };
}

function unmaskableProblem(table: string, rows: number, what: string, columns: readonly string[]): Blocked {
  return {
    table,
    what: `${what} takes none of the masks for ${columns.join(', ')}`,
    rows,
    remedy: `Say in the map what erasure writes there: erase: { replace: … } of ${columns.join(', ')}.`,
  };
}

/** What nobody has looked at cannot be called erased. */
function unmappedColumns({ table, policy, rows }: SurveyedTable, isTouched: boolean): readonly Blocked[] {
  const { mapped, facts } = policy;
  if (!isTouched || mapped === null) return [];
  const keys = new Set([...(facts.primaryKey?.columns ?? []), ...facts.foreignKeys.flatMap(({ columns }) => columns)]);
  const known = (name: string): boolean =>
    mapped.columns.has(name) ||
    keys.has(name) ||
    [...mapped.columns.values()].some((column) => encryptedName(column.name) === name);
  const missing = facts.columns
    .filter((column) => column.generated === null && !known(column.name) && !isCompanion(column, mapped))
    .map(({ name }) => name);
  if (missing.length === 0) return [];
  return [
    {
      table,
      what: `the map says nothing about ${missing.join(', ')}`,
      rows: rows.length,
      remedy: 'Classify the columns in the map (`safekeep map check` lists them).',
    },
  ];
}

/**
 * Those of the others who were erased themselves and whose own rows have their masks still: nobody stands behind them any more. Who
 * has come back since is somebody.
 */
async function erasedOthers(
  client: pg.ClientBase,
  ground: Ground,
  { tables }: Survey,
  ledger: Pick<Ledger, 'mark'>,
): Promise<ReadonlySet<string>> {
  const others = new Map(
    tables.flatMap(({ rows }) => rows.flatMap((row) => row.others)).map((other) => [formatPerson(other), other]),
  );
  if (others.size === 0) return new Set();
  const marks = new Map([...others.values()].map((other) => [personMark(ledger, ground.tenant, other), other]));
  const erased = await erasedMarks(client, ground.tenant, [...marks.keys()]);
  return await maskedAmong(
    client,
    ground,
    erased.flatMap((mark) => marks.get(mark) ?? []),
  );
}

function stillThere(people: readonly Person[], gone: ReadonlySet<string>): readonly Person[] {
  // Of so many there may be more than were asked for, and nobody knows whether those are gone too.
  if (gone.size === 0 || people.length >= OTHERS_AT_MOST) return people;
  return people.filter((person) => !gone.has(formatPerson(person)));
}

type Shells = {
  readonly shells: ReadonlySet<PersonRow>;
  readonly blocked: readonly Blocked[];
  readonly setNull: Decision['setNull'];
};

type Staying = {
  readonly factsOf: (row: PersonRow) => Omit<RowFacts, 'shell'>;
  readonly mode: ErasureMode;
  readonly isKeptRow: (row: PersonRow) => boolean;
  readonly unseen: Unseen;
  readonly looksOnly: boolean;
  readonly beside: NonNullable<DecideOptions['beside']>;
  /** Rows that stay in any case, be they empty. */
  readonly staying: readonly PersonRow[];
};

type CandidatesOfTable = { readonly table: SurveyedTable; readonly rows: readonly PersonRow[] };
type Candidates = ReadonlyMap<string, CandidatesOfTable>;

/**
 * Rows that cannot go because rows that stay refer to them. Each that stays may keep others, so this goes on until nothing
 * changes: at most once for each row that was to be deleted.
 */
async function findShells(
  client: pg.ClientBase,
  ground: Ground,
  found: Survey,
  { factsOf, mode, isKeptRow, unseen, looksOnly, beside, staying }: Staying,
): Promise<Shells> {
  const shells = new Set(staying);
  const blocked: Blocked[] = [];
  const setNull = new Map<string, Decision['setNull'][number]>();
  const goes = (table: SurveyedTable): readonly PersonRow[] =>
    mode !== 'delete' && !table.policy.whole.deletes
      ? []
      : table.rows.filter(
          (row) => treatmentOf(table.policy, { ...factsOf(row), shell: shells.has(row) }, mode).action === 'delete',
        );
  const going = (): Candidates => new Map(found.tables.map((table) => [table.table, { table, rows: goes(table) }]));
  let candidates = going();
  const { hidden, problems } = await hiddenReferring(client, ground, candidates);
  blocked.push(...problems);
  for (let isNew = [...candidates.values()].some(({ rows }) => rows.length > 0); isNew;) {
    isNew = false;
    setNull.clear();
    const stay = (row: PersonRow | undefined): void => {
      if (row === undefined || shells.has(row)) return;
      shells.add(row);
      isNew = true;
    };
    for (const { table, rows } of candidates.values()) {
      if (rows.length === 0) continue;
      const byKey = new Map(rows.map((row) => [JSON.stringify(row.key), row]));
      const target = rowsFor(
        table,
        rows.map(({ key }) => key),
      );
      for (const { from, foreignKey } of referringKeys(ground, table.table)) {
        if (hidden.has(from)) continue;
        const by = {
          ...referringBy(ground, { from, foreignKey, candidates }),
          beside: stayingBeside(beside.get(from), { foreignKey, going: candidates.get(from) }),
        };
        const referred = await referredTo(client, target, by);
        if (referred.length === 0 || detachesAll(found, from, foreignKey.columns, { factsOf, mode, shells })) continue;
        if (foreignKey.onDelete === 'set-null' || foreignKey.onDelete === 'set-default') {
          const known = rowsIn(found, from);
          const kept = known === undefined ? undefined : { ...known, keys: keysOf(found, from, isKeptRow) };
          // What a duty keeps of theirs, or a hold of anybody's, is not changed, be it by a foreign key.
          const mayKeep = unseen.has(from) && (ground.map.tables.get(from)?.onErasure ?? null) !== null;
          const isNone = kept === undefined || kept.keys.length === 0;
          const byKept = mayKeep ? referred : isNone ? [] : await referredTo(client, target, by, kept);
          const held = await heldReferring(client, ground, found, { rows: target, by, looksOnly });
          const byHeld = held.keys.length === 0 ? [] : await referredTo(client, target, by, held);
          for (const key of [...byKept, ...byHeld]) stay(byKey.get(JSON.stringify(key)));
          const { all, others } = await countReferring(client, target, by, known);
          setNull.set(`${from} ${foreignKey.name}`, { table: from, rows: others, all, foreignKey: foreignKey.name });
          continue;
        }
        if (!ground.map.tables.has(from)) {
          blocked.push(
            unmappedReference(from, table.table, {
              rows: referred.length,
              name: foreignKey.name,
              cascades: foreignKey.onDelete === 'cascade',
            }),
          );
          continue;
        }
        for (const key of referred) stay(byKey.get(JSON.stringify(key)));
      }
    }
    if (isNew) candidates = going();
  }
  const distinct = new Map(blocked.map((each) => [JSON.stringify(each), each]));
  return { shells, blocked: [...distinct.values()], setNull: [...setNull.values()] };
}

/** Foreign keys of tables of the user's that refer to a table. */
function referringKeys({ schema }: Ground, table: string): readonly Link[] {
  return (schema.incoming.get(table) ?? []).filter(({ from }) => {
    const facts = schema.byName.get(from);
    return facts !== undefined && isMappable(facts);
  });
}

function referringBy(
  { schema }: Ground,
  { from, foreignKey, candidates }: Pick<Link, 'from' | 'foreignKey'> & { readonly candidates: Candidates },
): Omit<Referring, 'beside'> {
  const deletedToo = candidates.get(from);
  const deleted =
    deletedToo === undefined
      ? undefined
      : {
          table: from,
          facts: deletedToo.table.policy.facts,
          identity: identityOf(schema, from),
          keys: deletedToo.rows.map(({ key }) => key),
        };
  return { table: from, columns: foreignKey.columns, references: foreignKey.references.columns, deleted };
}

/** Those of them that still refer by this key: also of the rows at hand, where they are of that very table. */
function stayingBeside(
  dealtWith: DealtWith | undefined,
  { foreignKey, going }: { readonly foreignKey: Link['foreignKey']; readonly going: CandidatesOfTable | undefined },
): Referring['beside'] {
  if (dealtWith === undefined) return undefined;
  const { asked, staying } = dealtWith;
  const isDetached = ({ column, to }: Write): boolean => to === 'null' && foreignKey.columns.includes(column);
  const goingRows = new Set(going?.rows);
  const here = (going?.table.rows ?? []).filter((row) => !goingRows.has(row));
  const before = staying.filter(({ writes }) => !writes.some(isDetached));
  return { asked, stay: [...before.flatMap(({ rows }) => rows.keys), ...here.map(({ key }) => key)] };
}

function rowsIn(found: Survey, name: string): Rows | undefined {
  const table = found.tables.find((each) => each.table === name);
  return table === undefined
    ? undefined
    : rowsFor(
        table,
        table.rows.map(({ key }) => key),
      );
}

function keysOf({ tables }: Survey, name: string, wanted: (row: PersonRow) => boolean): readonly RowKey[] {
  return (tables.find(({ table }) => table === name)?.rows ?? []).filter(wanted).map(({ key }) => key);
}

/** A foreign key acts on rows that row security hides, too: what nobody can see must not be deleted with others. */
async function hiddenReferring(
  client: pg.ClientBase,
  ground: Ground,
  candidates: Candidates,
): Promise<{ readonly hidden: ReadonlySet<string>; readonly problems: readonly Blocked[] }> {
  const links = [...candidates.values()].flatMap(({ table, rows }) =>
    rows.length === 0 ? [] : referringKeys(ground, table.table),
  );
  const names = [...new Set(links.map(({ from }) => from))];
  const hidden = new Set(names.length === 0 ? [] : await unseenTables(client, names));
  const problems = links
    .filter(({ from }) => hidden.has(from))
    .map(({ from, to, foreignKey }) => ({
      table: from,
      what: `rows of ${from} refer to rows of ${to} that would be deleted (${foreignKey.name}), and this login does not see all of them`,
      rows: 0,
      remedy: `Give the login the right to read ${from}, with a policy that shows it every row, or anonymise instead of deleting.`,
    }));
  return { hidden, problems };
}

const NO_LINKS: ReadonlySet<string> = new Set();

function ownRows({ tables }: Survey): readonly PersonRow[] {
  return tables.flatMap(({ rows }) => rows).filter(({ reached }) => reached.some(({ path }) => path === OWN_ROW));
}

function unmappedReference(
  from: string,
  to: string,
  { rows, name, cascades }: { readonly rows: number; readonly name: string; readonly cascades: boolean },
): Blocked {
  return {
    table: from,
    what: cascades
      ? `rows of ${from} would be deleted with those of ${to} (${name}, ON DELETE CASCADE), and the map does not know that table`
      : `rows of ${from}, which the map does not know, refer to rows of ${to} and forbid that they go (${name})`,
    rows,
    remedy: `Put ${from} into the map with its path, anonymise instead of deleting, or let the foreign key set null.`,
  };
}

/** Whether every row of the person in that table that stays, be it empty, loses this very reference before anything is deleted. */
function detachesAll(
  found: Survey,
  table: string,
  columns: readonly string[],
  {
    factsOf,
    mode,
    shells,
  }: {
    readonly factsOf: (row: PersonRow) => Omit<RowFacts, 'shell'>;
    readonly mode: ErasureMode;
    readonly shells: ReadonlySet<PersonRow>;
  },
): boolean {
  const surveyed = found.tables.find((each) => each.table === table);
  if (surveyed === undefined || surveyed.isCut) return false;
  const stays = surveyed.rows
    .map((row) => treatmentOf(surveyed.policy, { ...factsOf(row), shell: shells.has(row) }, mode))
    .filter(({ action }) => action !== 'delete');
  return stays.length > 0 && stays.every(({ choices }) => choices.some(({ column, fixed }) => fixed && columns.includes(column)));
}
