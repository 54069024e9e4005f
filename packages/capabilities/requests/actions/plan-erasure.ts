import type pg from 'pg';
import {
  codeOf,
  isMappable,
  isSafekeepError,
  newId,
  purposesOf,
  SafekeepError,
  type OutsidePlace,
  type Subject,
} from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import { together } from '@safekeep/postgres';
import { formatKey, formatPerson, type Person } from '../../holds/index.ts';
import type {
  Blocked,
  ErasureId,
  ErasureMode,
  ErasurePlan,
  ErasureScope,
  ExternalCopy,
  ParticipantPlan,
  PlanLine,
  RowKey,
} from '../model.ts';
import { PLAN_DAYS, plannerOf, signApproval } from '../rules/approval.ts';
import { staleViews } from '../rules/stale-views.ts';
import { isOwnTrigger } from '../rules/own-trigger.ts';
import type { Allowed, Treatment } from '../rules/treat.ts';
import { countsByTable, joinBlocked, joinKept, keptColumns, keptLines, planHash } from '../rules/plan.ts';
import { readErasures, storePlan, type StoredPlan } from '../store/records.ts';
import { beginRehearsal, endRehearsal, inTransaction, isReadCommitted } from '../store/session.ts';
import { serverCopies } from '../store/residue.ts';
import { identityOf, plainKey } from '../store/traverse.ts';
import {
  Appeared,
  carryOut,
  Changed,
  erasureKeysOf,
  KeptChanged,
  KeptLost,
  keysOf,
  NotKept,
  ObjectsLeft,
  Refused,
  Uncounted,
  WritersChanged,
  WroteElsewhere,
} from './carry-out.ts';
import { decide, dueOf, personMark, type Decision } from './decide.ts';
import {
  allowedIn,
  chunkedTables,
  foresee,
  holdsIn,
  joinAllowed,
  joinHolds,
  linesOf,
  type Foreseen,
  type Tally,
} from './foresee.ts';
import { openTables, rowsAtOnce, type ErasureGround } from './ground.ts';
import { sequencesLeft, valueMarks } from './marks.ts';
import type { Unseen } from './kept-ways.ts';
import { byHandReason } from './outside.ts';
import { policies, rowsFingerprint, survey, type Survey, type SurveyOptions } from './survey.ts';
import { tiedBefore } from './ties.ts';
import { silentColumns, unmappedLines, unmarkedIn } from './unmapped.ts';
import { harmlessTriggers, unlookedLines, writersNow } from './writers.ts';

/** Persons of up to so many rows are erased once and taken back, to hear what the database refuses. */
const REHEARSED_ROWS = 20_000;
/** What one core does, as measured; for the estimate only. */
const ROWS_PER_SECOND = 50_000;

/** `onProgress`: how many rows of large tables were looked at. */
export type Looking = { readonly onProgress?: (rows: number) => void; readonly signal?: AbortSignal };

export type ErasureOrder = { readonly person: Person; readonly subject: Subject; readonly mode: ErasureMode };

/** A plan with what it was made from. */
export type MadePlan = {
  readonly plan: ErasurePlan;
  readonly found: Survey;
  readonly decision: Decision;
  readonly scope: ErasureScope;
  readonly parts: readonly { readonly name: string; readonly plan: ParticipantPlan }[];
  /** Tables that are worked off in chunks, those that refer before those referred to: of their rows none is in `found`. */
  readonly chunked: readonly string[];
  /** Whatever is done to a row must have a line in the plan. */
  readonly allowed: Allowed;
  /** From when on the first row that a duty keeps need not be kept. */
  readonly due: string | null;
  readonly unmarked: Foreseen['unmarked'];
  /** Hash of what fires at the tables of the map, where the map lets any of it write outside. */
  readonly writers: string | null;
};

/**
 * Shows what erasing a person would do, and remembers the hash. Changes nothing of the user's. Where approvers have keys only what one of them
 * signed is remembered: a look without a key would stand in the way of theirs.
 */
export async function planErasure(
  ground: ErasureGround,
  order: ErasureOrder,
  by: string,
  { signer, ...looking }: Looking & { readonly signer?: Signer | undefined } = {},
): Promise<ErasurePlan> {
  const { plan, due } = await showErasure(ground, order, looking);
  const { tenant, clock } = ground;
  const plannedAt = clock.now();
  const stored: StoredPlan = {
    hash: plan.hash,
    type: order.person.type,
    key: formatKey(order.person.key),
    mode: order.mode,
    counts: countsByTable(plan.tables),
    plannedBy: signer?.keyName ?? by,
    plannedAt,
    due: due === null ? null : new Date(due),
    holds: plan.holds.map(({ id }) => id),
    proof: signer === undefined ? null : signApproval(signer, { act: 'plan', tenant, plan: plan.hash }, plannedAt),
  };
  const fault = faultOfPlan(ground, stored);
  if (fault !== undefined)
    return { ...plan, signature: 'missing', notes: [...plan.notes, `It can be looked at and not approved: ${fault.message}`] };
  await inTransaction(ground.database, { tenant }, (client) =>
    storePlan(client, tenant, stored, (known) => faultOfPlan(ground, known) === undefined),
  );
  return approversOf(ground) === null ? plan : { ...plan, signature: 'given' };
}

/** What a plan would be; nothing is remembered. And from when on the first of what a duty keeps can be erased, as ISO 8601. */
export async function showErasure(
  ground: ErasureGround,
  order: ErasureOrder,
  looking: Looking = {},
): Promise<{ readonly plan: ErasurePlan; readonly due: string | null }> {
  let due: string | null = null;
  const plan = await inTransaction(
    ground.database,
    { tenant: ground.tenant },
    async (client) => {
      const draft = await makePlan(client, ground, order, { lock: false, limit: rowsAtOnce(ground), ...looking });
      const { blocked, notes } = await rehearse(client, ground, draft);
      due = draft.due;
      return {
        ...draft.plan,
        blocked: [...draft.plan.blocked, ...blocked],
        notes: [...draft.plan.notes, ...notes, ...(await notesOf(client, ground, draft))],
        erasedBefore: await erasedBefore(client, ground, order.person),
      };
    },
    'rollback',
  );
  return { plan, due };
}

/** Where approvers have keys: theirs. Null where names are only claimed, or nobody has to be somebody else. */
export function approversOf({
  approval,
  approvers = null,
}: Pick<ErasureGround, 'approval' | 'approvers'>): readonly string[] | null {
  return approval === 'second-person' ? approvers : null;
}

/** Why nobody could approve this plan; undefined where somebody can. */
function faultOfPlan(
  ground: ErasureGround,
  { hash: plan, plannedAt, proof }: Pick<StoredPlan, 'hash' | 'plannedAt' | 'proof'>,
): SafekeepError | undefined {
  const { tenant, clock } = ground;
  const now = clock.now();
  if (now.getTime() - plannedAt.getTime() > PLAN_DAYS * 86_400_000)
    return new SafekeepError('erasure-plan-expired', { hash: plan, days: PLAN_DAYS });
  const approvers = approversOf(ground);
  if (approvers === null) return undefined;
  try {
    plannerOf(proof, { tenant, plan, approvers, now });
    return undefined;
  } catch (error) {
    if (isSafekeepError(error)) return error;
    throw error;
  }
}

/** What was kept in tables that are worked off in other transactions. */
export type Beside = {
  readonly holds: readonly string[];
  readonly kept: ReadonlyMap<string, readonly RowKey[]>;
  /** Rows of theirs stay there by a duty or a hold. */
  readonly isKept: boolean;
};

/**
 * The plan as this transaction sees it. With `lock` it is the one that is going to be carried out: the person's row is locked
 * first, then what other rows hang on.
 */
export async function makePlan(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, mode }: ErasureOrder,
  options: SurveyOptions &
    Looking & {
      readonly erasure?: ErasureId;
      readonly beside?: Beside;
      /** Asked behind the lock of the person's row, on the same way to the server. */
      readonly behindLock?: () => Promise<void>;
    },
): Promise<MadePlan> {
  const [isFit, found] = await together(client, [
    () => isReadCommitted(client),
    // The first thing that it sends is the lock.
    () =>
      survey(client, ground, {
        person,
        subject,
        options: { ...options, tied: () => tiedBefore(client, ground, { person, subject }) },
      }),
    async () => await options.behindLock?.(),
  ]);
  // Under REPEATABLE READ the snapshot would be older than the locks: rows added in between would survive unseen.
  if (!isFit) throw new SafekeepError('isolation-unfit');
  const { tables: chunked, blocked: unordered } = chunkedTables(found, mode, ground.schema);
  const { signal, onProgress } = options;
  const seen = await foresee(client, ground, found, { mode, tables: chunked, signal, onProgress });
  const rest: Survey = { ...found, tables: found.tables.filter(({ table }) => !chunked.includes(table)) };
  const beside = joinBeside(options.beside, seen);
  const [decision, known, writers] = await together(client, [
    () =>
      decide(client, ground, rest, {
        mode,
        ledger: ground.ledger,
        isKept: beside.isKept,
        unseen: keptBeside(beside),
        looksOnly: !options.lock,
        beside: seen.beside,
      }),
    () => valueMarks(client, ground, { person, subject }),
    () => writersNow(client, ground),
  ]);
  const kept = new Map([...beside.kept, ...keysByTable(decision, ({ keptBy }) => keptBy !== undefined)]);
  const scope: ErasureScope = {
    tenant: ground.tenant,
    person,
    erasure: options.erasure ?? null,
    mode,
    holds: [...new Set([...beside.holds, ...decision.holds.filter(({ heldRows }) => heldRows.length > 0).map(({ id }) => id)])],
    rows: keysByTable(decision, ({ action }) => action !== 'keep'),
    kept,
    isKept: kept.size > 0,
  };
  const parts: { name: string; plan: ParticipantPlan }[] = [];
  for (const participant of ground.ports.participants)
    parts.push({ name: participant.name, plan: await participant.plan(client, scope) });
  const tables = [...seen.lines, ...linesOf(decision)];
  const touched = [...found.tables.map(({ table }) => table), ...(options.without ?? [])];
  const outside = outsideCopies(ground, person, touched).map((copy) => (scope.holds.length > 0 ? heldCopy(copy) : copy));
  const externalCopies = [...outside, ...parts.flatMap(({ plan }) => plan.externalCopies)];
  const blocked: readonly Blocked[] = [
    ...joinBlocked([...seen.blocked, ...decision.blocked]),
    ...parts.flatMap(({ plan }) => plan.blocked),
    ...keylessLarge(found, tables, rowsAtOnce(ground)),
    ...unordered,
  ];
  const holds = joinHolds([...seen.standing, ...holdsIn(decision)]);
  const rows = tables.reduce((sum, line) => sum + line.rows, 0);
  const material = {
    tenant: ground.tenant,
    subject: formatPerson(person),
    mode,
    map: ground.mapSha256,
    tables,
    blocked,
    holds: holds.map(({ id }) => id).toSorted(),
    externalCopies: externalCopies.map(({ place, kind, state }) => ({ place, kind, state })),
    rows: {
      ...seen.fingerprints,
      ...Object.fromEntries(
        rest.tables.map((table) => [
          table.table,
          rowsFingerprint(
            table,
            decision.groups.filter(({ rows: of }) => of.table === table.table),
          ),
        ]),
      ),
    },
    participants: parts.map(({ name, plan }) => ({ name, will: plan.will })),
    // The number may have been given to somebody else since.
    known: known.filter(({ isTime }) => !isTime).map(({ mark }) => mark),
    // What it lets write where nobody looks was looked at in this form.
    ...(writers === null ? {} : { writers: writers.hash }),
  };
  const hash = planHash(material, keysOf(ground.ledger, ground.tenant).plan);
  const plan: ErasurePlan = {
    hash,
    subject: formatPerson(person),
    mode,
    tables,
    kept: [
      ...joinKept([
        ...seen.kept,
        ...keptLines(linesOf(decision)),
        ...keptColumns(decision.groups),
        ...silentColumns(rest),
        ...unlookedLines(ground, rest),
        ...unmappedLines(ground, rest),
      ]),
      ...parts.flatMap(({ name, plan: part }) =>
        part.keeps.map(({ what, reason, until }) => ({ table: `${name}: ${what}`, rows: 0, reason, basis: null, until })),
      ),
    ],
    blocked: [...blocked],
    holds,
    externalCopies,
    notes: parts.flatMap(({ name, plan: part }) => part.will.map((will) => `${name}: ${will}`)),
    erasedBefore: null,
    estimate: {
      rows,
      seconds: Math.ceil((rows / ROWS_PER_SECOND) * 10) / 10,
      chunks: chunksOf(tables, chunked, rowsAtOnce(ground)),
    },
  };
  return {
    plan,
    found: rest,
    decision,
    scope,
    parts,
    chunked,
    allowed: joinAllowed(seen.allowed, allowedIn(decision)),
    due: dueOf([...decision.groups, { due: seen.due ?? null }]),
    unmarked: { ...seen.unmarked, ...Object.fromEntries(rest.tables.map((table) => [table.table, unmarkedIn(table)])) },
    writers: writers?.hash ?? null,
  };
}

/** What is kept in tables that are worked off in other transactions, by what is known of those before and those that will be. */
function joinBeside(before: Beside | undefined, { holds, keptRows, isKept }: Foreseen): Beside {
  return {
    holds: [...(before?.holds ?? []), ...holds],
    kept: new Map([...(before?.kept ?? []), ...besideOf({ holds, keptRows }).kept]),
    isKept: before?.isKept === true || isKept === true,
  };
}

export function besideOf({ holds, keptRows, isKept = false }: Pick<Tally, 'holds' | 'keptRows' | 'isKept'>): Beside {
  return { holds, kept: new Map(Object.entries(keptRows).map(([table, key]) => [table, [key]])), isKept };
}

/** Tables that were worked off before, and of which rows stay. */
export function keptBeside({ kept }: Beside): Unseen {
  return new Map([...kept.keys()].map((table) => [table, 'kept']));
}

/** Without what tells a row from one with the same key in another table. */
export function keysByTable(decision: Decision, wanted: (treatment: Treatment) => boolean): ReadonlyMap<string, readonly RowKey[]> {
  const keys = new Map<string, RowKey[]>();
  for (const { rows, treatment } of decision.groups) {
    if (!wanted(treatment)) continue;
    keys.set(rows.table, [...(keys.get(rows.table) ?? []), ...rows.keys.map((key) => plainKey(rows.identity, key))]);
  }
  return keys;
}

function chunksOf(tables: readonly PlanLine[], chunked: readonly string[], atOnce: number): number {
  const counts = countsByTable(tables);
  return 1 + chunked.reduce((sum, table) => sum + Math.ceil((counts[table] ?? 0) / atOnce), 0);
}

function keylessLarge(found: Survey, lines: readonly PlanLine[], atOnce: number): readonly Blocked[] {
  const counts = countsByTable(lines);
  return found.tables
    .filter(({ identity, isCut }) => identity.kind === 'place' && isCut)
    .map(({ table }) => ({
      table,
      what: `it has no key, and the person has more than ${atOnce} rows in it: they cannot be worked off in chunks`,
      rows: counts[table] ?? 0,
      remedy: 'Give the table a primary key.',
    }));
}

function outsideCopies({ map }: ErasureGround, person: Person, touched: readonly string[]): readonly ExternalCopy[] {
  const places = [...map.outside.values()]
    .filter(({ subject }) => subject === person.type)
    .map((place): ExternalCopy => ({
      place: place.name,
      kind: place.kind,
      ...plannedState(place, person),
    }));
  const recipients = new Set(
    touched.flatMap((table) => {
      const mapped = map.tables.get(table);
      return mapped === undefined ? [] : purposesOf(map, mapped).flatMap((name) => map.purposes.get(name)?.recipients ?? []);
    }),
  );
  const told = [...recipients].toSorted().map((recipient): ExternalCopy => ({
    place: recipient,
    kind: 'recipient',
    state: 'by-hand',
    note: 'was given data of the person and must be told of the erasure (Art. 19 GDPR)',
  }));
  return [...places, ...told];
}

/** What lies outside may be what the hold is about: it goes when the hold ends and the erasure comes again. */
function heldCopy(copy: ExternalCopy): ExternalCopy {
  const isErased = copy.kind !== 'recipient' && (copy.state === 'will-be-told' || copy.state === 'by-hand');
  return isErased ? { ...copy, state: 'held', note: 'left as long as a hold stands; erased when it ends' } : copy;
}

function plannedState(place: OutsidePlace, person: Person): Pick<ExternalCopy, 'state' | 'note'> {
  const { erase, note } = place;
  if (!erase) return { state: 'not-erased', note: note ?? 'the map does not have it erased' };
  const fault = byHandReason(place, person);
  if (fault !== null) return { state: 'by-hand', note: fault };
  return { state: 'will-be-told', note: note ?? 'erased after the commit, tried again until it answers' };
}

type Rehearsed = { readonly blocked: readonly Blocked[]; readonly notes: readonly string[] };

const UNREHEARSED: Rehearsed = { blocked: [], notes: [] };

/** Erases within the transaction that is rolled back, and so hears what constraints and triggers have to say. */
async function rehearse(client: pg.ClientBase, ground: ErasureGround, made: MadePlan): Promise<Rehearsed> {
  const { found, decision, plan, writers, chunked } = made;
  if (plan.blocked.length > 0) return UNREHEARSED;
  if (chunked.length > 0 || plan.estimate.rows > REHEARSED_ROWS)
    return {
      blocked: [],
      notes: ['Not rehearsed, for its size. What constraints and triggers say is heard when it is carried out.'],
    };
  await beginRehearsal(client);
  try {
    await carryOut(client, ground, {
      found,
      decision,
      keys: erasureKeysOf(ground.ledger, ground.tenant, newId<'erasure'>()),
      writers,
    });
    await endRehearsal(client);
    return UNREHEARSED;
  } catch (error) {
    await endRehearsal(client);
    const code = codeOf(error);
    if (code === '55P03' || code === '40P01')
      return {
        blocked: [],
        notes: [
          'Not rehearsed: somebody is changing rows of the person. What constraints and triggers say is heard when it is carried out.',
        ],
      };
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return { blocked: [refusal], notes: [] };
  }
}

/** What the database would not do, for a plan and for a refused erasure. Undefined for other errors. */
export function refusalOf(error: unknown): Blocked | undefined {
  if (error instanceof Refused) {
    const by = error.by === null ? '' : ` by ${error.by}`;
    return {
      table: error.table === '' ? null : error.table,
      what: `the database refuses it${by} (SQLSTATE ${error.sqlState})`,
      rows: 0,
      remedy: REMEDIES[error.sqlState] ?? 'Look at the constraint or trigger, and say in the map what erasure writes there.',
    };
  }
  if (error instanceof Uncounted)
    return {
      table: null,
      what: 'the server does not count what a transaction writes (track_counts is off): whether a trigger copies what is erased cannot be seen',
      rows: 0,
      remedy: 'Set track_counts = on, for the server, the database and the login.',
    };
  if (error instanceof KeptChanged)
    return {
      table: error.table,
      what: 'what a duty or a hold keeps there is changed by a trigger or a foreign key while the rest is erased',
      rows: 0,
      remedy: 'Change the trigger so that it leaves out what is kept.',
    };
  if (error instanceof KeptLost)
    return {
      table: error.table,
      what: 'what a duty or a hold keeps there would not be found by any path of the map any more, and so never be erased',
      rows: 0,
      remedy:
        'Let the columns by which it leads to the person stay as long: look at triggers, and at erase and replace in the map.',
    };
  if (error instanceof ObjectsLeft)
    return {
      table: error.table,
      what: 'rows of it name large objects: the bytes stand in pg_largeobject, and would stay when the row, or its number of them, is gone',
      rows: 0,
      remedy:
        'Have a trigger take the object with the row (lo_manage of the extension lo), and let it in the map write to pg_catalog.pg_largeobject (triggers of the table); or unlink the objects of the person yourself (lo_unlink), and plan again.',
    };
  if (error instanceof NotKept)
    return {
      table: error.table,
      what: 'what erasure writes does not stay: a trigger of the table puts something else there',
      rows: 0,
      remedy: 'Change the trigger, or say in the map what erasure writes so that both agree.',
    };
  if (error instanceof Appeared)
    return {
      table: error.table,
      what: 'rows of the person appear there while the others are erased: a trigger writes them, or somebody added them just now',
      rows: 0,
      remedy: 'Make a new plan. If it stays so, change the trigger so that it leaves out what is erased.',
    };
  if (error instanceof WroteElsewhere && error.undeclared.length > 0)
    return {
      table: error.table,
      what: `the map lets a trigger write to it, and of ${error.undeclared.join(', ')} it does not say where that writes: a copy of what is erased could stay there`,
      rows: 0,
      remedy:
        'Say of each of these triggers in the map where it writes and why that is harmless (triggers of its table; one that only changes its own row writes to its own table), or drop it. A rule cannot be let.',
    };
  if (error instanceof WroteElsewhere)
    return {
      table: error.table,
      what: 'a trigger or a foreign key writes to it while rows of the person are erased, and the map does not know it',
      rows: 0,
      remedy: `Put ${error.table} into the map, with the path to the person or as not personal. Where it is no table for the map, and no value of anybody comes to stand there, say so at the table with the trigger (triggers: { NAME: { writes_to: ${error.table}, note: WHY } }). Else change the trigger.`,
    };
  if (error instanceof WritersChanged)
    return {
      table: error.table,
      what: 'triggers or rules of tables of the map, or functions that they call, are not those that were approved',
      rows: 0,
      remedy: 'Look at what they write, then make a new plan.',
    };
  if (error instanceof Changed)
    return { table: error.table, what: 'rows changed while this was looked at', rows: 0, remedy: 'Make a new plan.' };
  return undefined;
}

const REMEDIES: Readonly<Record<string, string>> = {
  '42501': 'Give the login the right to change this table.',
  'P0001': 'A trigger raises an error: change it so that it lets erasure through, or keep the row with on_erasure.',
  '23503': 'A row that stays refers to what would be deleted: anonymise instead, or put that table into the map.',
  '23514': 'Say in the map what erasure writes so that the check takes it: erase: { replace: … }.',
  '23P01': 'An EXCLUDE constraint compares the masks: let the column be null, or say what erasure writes there.',
  '23505': 'The column is unique and no mask is free: widen its type, or let it be null.',
};

/** What a person who approves wants to know beside: triggers that fire, missing indexes, views that keep copies, servers that do. */
async function notesOf(
  client: pg.ClientBase,
  ground: ErasureGround,
  { found, due, chunked, unmarked }: MadePlan,
): Promise<readonly string[]> {
  const notes: string[] = [];
  if (ground.approval === 'second-person' && (ground.approvers ?? null) === null)
    notes.push(
      'Somebody else than the planner must approve it. Their names (--by) are claimed, not proven: whoever can run this can give any.',
    );
  const touched = new Set([...found.tables.map(({ table }) => table), ...chunked]);
  for (const table of ground.catalog.tables) {
    const name = [...touched].find((each) => policies(ground, each).facts === table);
    if (name !== undefined) {
      const firing = table.triggers.filter(
        (trigger) =>
          trigger.enabled !== 'disabled' &&
          !isOwnTrigger(trigger) &&
          (trigger.events.includes('update') || trigger.events.includes('delete')),
      );
      for (const trigger of firing) notes.push(`${name}: the trigger ${trigger.name} fires (${trigger.function}).`);
      for (const { name: trigger, function: called, writesTo, note } of harmlessTriggers(ground, name))
        notes.push(
          `${name}: the map lets the trigger ${trigger} (${called}) write to ${writesTo.join(', ')}, where nobody looks: ${note}`,
        );
      if (identityOf(ground.schema, name).kind === 'place')
        notes.push(`${name} has no key: its rows are told apart by place, and no hold can name one.`);
    }
  }
  if (due !== null)
    notes.push(
      `What a duty keeps can be erased from ${due.slice(0, 10)} on: "safekeep subject erase --due --plan" shows it then${approversOf(ground) === null ? '' : ', with --sign-with for whoever plans it'}.`,
    );
  notes.push(...unmarkedColumns(unmarked), ...strangeTexts(ground, found));
  for (const view of staleViews(ground.catalog, [...touched]))
    notes.push(`The materialized view ${view} keeps the old values until it is refreshed.`);
  notes.push(...missingIndexes(ground, found), ...unnotedSequences(ground, [...touched]));
  for (const table of await openTables(client, found.reach.graph))
    if (touched.has(table))
      notes.push(
        `${table} is reached by a path without a foreign key that is checked at once: it is counted again after the commit, when transactions that write there have ended.`,
      );
  return [...notes, ...(await serverCopies(client))];
}

/** Whoever erases somebody again is to know it. */
async function erasedBefore(
  client: pg.ClientBase,
  { ledger, tenant }: ErasureGround,
  person: Person,
): Promise<ErasurePlan['erasedBefore']> {
  const [last] = (await readErasures(client, tenant, { mark: personMark(ledger, tenant, person) })).filter(
    ({ state }) => state === 'done' || state === 'kept',
  );
  return last === undefined ? null : { at: last.startedAt.toISOString(), certificate: `erasure-${last.id}.json` };
}

function unmarkedColumns(unmarked: Foreseen['unmarked']): readonly string[] {
  return Object.entries(unmarked).flatMap(([table, columns]) =>
    columns.length === 0
      ? []
      : [
          `${table}: the map does not say whose ${columns.join(', ')} is in rows with several people (of): it stays there, and no export gives it.`,
        ],
  );
}

/** Free text in rows that no path makes theirs: whoever wrote of them there has them stay. */
function strangeTexts({ map }: ErasureGround, { reach }: Survey): readonly string[] {
  const columns = [...map.tables.values()]
    .filter(({ name }) => !reach.graph.edgesOf.has(name))
    .flatMap(({ name, columns: mapped }) =>
      [...mapped.values()].filter(({ freeText }) => freeText).map((each) => `${name}.${each.name}`),
    );
  if (columns.length === 0) return [];
  return [`Free text in rows that are not theirs may name them, and stays as it is: ${columns.join(', ')}. Look there yourself.`];
}

/** Names of one note. */
const NAMED_AT_MOST = 10;

function unnotedSequences(ground: ErasureGround, tables: readonly string[]): readonly string[] {
  const left = sequencesLeft(ground, tables);
  if (left.length === 0) return [];
  const more = left.length > NAMED_AT_MOST ? ', …' : '';
  return [
    `The ledger has no place for how far ${left.length} sequences have come: after a restore move them past what was given out yourself (${left.slice(0, NAMED_AT_MOST).join(', ')}${more}).`,
  ];
}

/** A sequential scan of a small table is quicker than an index. */
const SMALL_TABLE_ROWS = 10_000;

function missingIndexes({ schema }: ErasureGround, { reach }: Survey): readonly string[] {
  const missing = new Set<string>();
  for (const { hop, table } of reach.graph.nodes.values()) {
    const facts = schema.byName.get(table);
    if (hop === null || facts === undefined || !isMappable(facts) || facts.rowEstimate < SMALL_TABLE_ROWS) continue;
    const leads = facts.indexes.some(({ keys, predicate }) => predicate === null && hop.columns.includes(keys[0]?.column ?? ''));
    if (!leads)
      missing.add(`${table} has no index that begins with ${hop.columns.join(' or ')}: every erasure reads the whole table.`);
  }
  return [...missing];
}
