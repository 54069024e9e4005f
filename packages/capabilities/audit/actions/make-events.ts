import { hash } from 'node:crypto';
import type pg from 'pg';
import { newId, type Clock } from '@safekeep/core';
import { actorMessage } from '@safekeep/crypto';
import { ownerName, type KeyOwner, type SubjectKey } from '../../encryption/index.ts';
import {
  ERASED_ACTOR,
  PLAINTEXT_BACK,
  QUARANTINE,
  REMAIN,
  type Attribution,
  type Capture,
  type CapturedColumn,
  type EventRow,
  type Values,
} from '../model.ts';
import type { AuditKeys } from '../keys/audit-keys.ts';
import { freshBytes, remembered } from '../keys/key-file.ts';
import { jsonbText } from '../rules/jsonb-text.ts';
import { blobContext, SEED_BYTES, writeSealed } from '../rules/leaf.ts';
import type { InboxRow } from '../store/inbox.ts';
import { readPeopleOfRows, rowName, type RowName } from '../store/events.ts';
import { readActorKeys, readOwnLogins, readTenants, type ActorBlocks } from '../store/sequencer.ts';
import { findInsertedRows, type Inserted } from './inserted-rows.ts';
import { findPeople, type People } from './people.ts';

/** Everything of an event but its place in the tree. */
export type PreparedEvent = Omit<EventRow, 'era' | 'index' | 'sequencedAt'>;

export type Prepared = {
  readonly tenants: readonly string[];
  /** In order. Each is made and sealed when it is taken: the database writes the ones before meanwhile. To be gone through once. */
  readonly eventsOf: (tenant: string) => Iterable<PreparedEvent>;
  readonly quarantined: number;
  readonly erased: number;
};

export type BatchGround = {
  readonly keys: Pick<AuditKeys, 'subjectKeys' | 'pseudonymOf' | 'markOf'>;
  readonly captures: ReadonlyMap<string, Capture>;
  readonly clock: Clock;
  /** See {@link findInsertedRows}. */
  readonly beyond: string | null;
};

/** A person's part of an event: of a row that passed from one to another, the old values are the one's and the new the other's. */
type Part = { readonly subject: string; readonly side: 'both' | 'old' | 'new'; readonly paths: Set<number> };

type Draft = {
  readonly row: InboxRow;
  readonly capture: Capture | undefined;
  readonly columns: readonly string[] | null;
  readonly old: Values | undefined;
  readonly new: Values | undefined;
  readonly parts: readonly Part[];
  /** Which columns are for the eyes of those alone whom the row is about. */
  readonly isSealed: IsSealed;
  readonly personal: boolean;
  readonly details: Record<string, unknown>;
  readonly id: string;
};

type IsSealed = (column: CapturedColumn | undefined) => boolean;

// A column that the map did not know when the capture was made may hold anything.
const isPersonal: IsSealed = (column) => column?.personal !== false;
const isPersonalOrIdentifies: IsSealed = (column) => column?.personal !== false || column.identifies;

/**
 * Makes events of what lies in the inboxes: whose they are, what is readable of them, and the rest under the keys of those people. All that
 * the database is asked for is asked before this returns.
 */
export async function makeEvents(client: pg.ClientBase, rows: readonly InboxRow[], ground: BatchGround): Promise<Prepared> {
  const byTable = new Map([...ground.captures.values()].map((capture) => [capture.table, capture]));
  const captureOf = (row: InboxRow): Capture | undefined =>
    row.kind === 'change' && row.table !== null
      ? (ground.captures.get(`${row.tenant} ${row.table}`) ?? byTable.get(row.table))
      : undefined;
  const inserted = await findInsertedRows(client, { rows, captureOf, beyond: ground.beyond });
  const people = await findPeople(client, rows, captureOf);
  const looked = rows.flatMap(lookedAt);
  const known = await readPeopleOfRows(client, looked);
  const changed = new Map<string, Set<string>>();
  const owners = (row: RowName): readonly string[] => [...(known.get(rowName(row)) ?? []), ...(changed.get(rowName(row)) ?? [])];
  const drafts = rows.map((row) => {
    const draft = draftOf(row, { capture: captureOf(row), inserted, people, owners });
    if (looked.length > 0) notePeople(changed, draft);
    return draft;
  });
  const keyed = await withKeys(client, drafts, ground.keys.subjectKeys);
  const byTenant = Map.groupBy(keyed, ({ draft }) => draft.row.tenant);
  const rest = { attributionOf: await attributions(client, rows), pseudonymOf: remembered(ground.keys.pseudonymOf) };
  return {
    tenants: [...byTenant.keys()],
    eventsOf: function* (tenant) {
      for (const each of byTenant.get(tenant) ?? []) yield eventOf(settle(each, ground.keys.markOf), rest);
    },
    quarantined: drafts.filter(({ parts, capture }) => capture?.paths.length !== 0 && parts.some(isQuarantine)).length,
    erased: keyed.filter(isErased).length,
  };
}

/** With the key of each part, in order; undefined where nothing is sealed. */
type Keyed = { readonly draft: Draft; readonly keys: readonly (SubjectKey | 'erased' | undefined)[] };

async function withKeys(
  client: pg.ClientBase,
  drafts: readonly Draft[],
  subjectKeys: AuditKeys['subjectKeys'],
): Promise<readonly Keyed[]> {
  const known = await readTenants(client, [...new Set(drafts.map(({ row }) => row.tenant))]);
  const owned = drafts.map((draft) => ({ draft, owners: draft.parts.map((part) => ownerOf(draft, part, known)) }));
  const keys = await subjectKeys.forSealing(
    client,
    owned.flatMap(({ owners }) => owners.filter((owner) => owner !== undefined)),
  );
  return owned.map(({ draft, owners }) => ({ draft, keys: owners.map((owner) => owner && keys.get(ownerName(owner))) }));
}

/** Whether all whom it is about are gone. */
function isErased({ keys }: Keyed): boolean {
  return keys.length > 0 && keys.every((key) => key === 'erased');
}

const isQuarantine = ({ subject }: Part): boolean => subject === QUARANTINE;

type Found = {
  readonly capture: Capture | undefined;
  readonly inserted: Inserted;
  readonly people: People;
  /** Of rows that were looked at: those of whom the log has it, and the changes of this batch before. */
  readonly owners: (row: RowName) => readonly string[];
};

function draftOf(row: InboxRow, { capture, inserted, people, owners }: Found): Draft {
  if (row.kind !== 'change' || row.action === 'truncate' || row.action === PLAINTEXT_BACK) {
    const [looked] = lookedAt(row);
    return ownDraft(row, looked === undefined ? [] : [...new Set(owners(looked))]);
  }
  const restored = inserted.get(row);
  const [old, made] = changedOnly(row, capture, restored?.values);
  const parts = withErased(partsOf(row, capture, people), row);
  // What names a row tells nothing of anybody where nobody is meant; where somebody is and cannot be found, it is kept for them.
  const isSomebodys = parts.length > 0 || [...(row.links ?? []), ...(row.oldLinks ?? [])].some((link) => link !== null);
  const isSealed = isSomebodys ? isPersonalOrIdentifies : isPersonal;
  const personal = [old, made].some((values) => Object.keys(values ?? {}).some((column) => isSealed(columnOf(capture, column))));
  const details: Record<string, unknown> = {};
  const plain = { old: readable(old, capture, isSealed), new: readable(made, capture, isSealed) };
  if (plain.old !== undefined) details['old'] = plain.old;
  if (plain.new !== undefined) details['new'] = plain.new;
  // A row of a table with a key has one, unless its table was changed so that it could not be read any more.
  if (restored?.incomplete === true || (row.record === null && (capture?.key.length ?? 0) > 0)) details['incomplete'] = true;
  if (row.keysOnly === true || restored?.erased === true) details['erased'] = true;
  // How the row stands afterwards must be said by an event of its own: see REMAIN.
  if (row.keysOnly === true) details['withheld'] = true;
  const nobody = personal && parts.length === 0;
  if (nobody && capture?.paths.length !== 0) details['quarantined'] = true;
  if (row.actor === null && capture?.actor !== 'off') {
    details['login'] = row.login;
    // Many give none, and it would be written with every event.
    if (row.application !== null && row.application !== '') details['application'] = row.application;
  }
  const columns = row.action === 'update' ? Object.keys((row.keysOnly === true ? row.new : made) ?? {}) : null;
  return {
    row,
    capture,
    columns: columns?.toSorted() ?? null,
    old: row.keysOnly === true ? undefined : old,
    new: row.keysOnly === true ? undefined : made,
    parts: nobody ? [{ subject: QUARANTINE, side: 'both', paths: new Set() }] : parts,
    isSealed,
    personal: personal && row.keysOnly !== true,
    details,
    id: newId<'audit-event'>(),
  };
}

type Own = { id?: string; subject?: string | null; details?: Record<string, unknown> | null };

/** Written by record_audit_event, note_truncate, note_plaintext_back, and an erasure that says what remains. */
function ownOf({ own }: InboxRow): Own {
  // Nobody else can write there.
  return (own === null ? {} : JSON.parse(own)) as Own;
}

/** What remains of an erased person's row is theirs, also where it was detached from them: what the law keeps of it goes with their key. */
function withErased(parts: readonly Part[], row: InboxRow): readonly Part[] {
  const subject = row.action === REMAIN ? ownOf(row).subject : undefined;
  if (subject === undefined || subject === null || parts.some((part) => part.subject === subject)) return parts;
  return [...parts, { subject, side: 'both', paths: new Set() }];
}

/** Whoever read about a row without saying whose it is read about those of whom the log has it: they may know, and it goes when they do. */
function lookedAt(row: InboxRow): readonly RowName[] {
  const { kind, tenant, table, record } = row;
  if (kind !== 'access' || table === null || record === null || typeof ownOf(row).subject === 'string') return [];
  return [{ tenant, table, record }];
}

function notePeople(people: Map<string, Set<string>>, { row, parts }: Draft): void {
  const { kind, tenant, table, record } = row;
  if (kind !== 'change' || table === null || record === null) return;
  const name = rowName({ tenant, table, record });
  const known = people.get(name) ?? new Set<string>();
  people.set(name, known);
  for (const part of parts) if (!isQuarantine(part)) known.add(part.subject);
}

function ownDraft(row: InboxRow, owners: readonly string[]): Draft {
  const own = ownOf(row);
  const subjects = typeof own.subject === 'string' ? [own.subject] : owners;
  return {
    row,
    capture: undefined,
    columns: null,
    old: undefined,
    new: undefined,
    parts: subjects.map((subject) => ({ subject, side: 'both', paths: new Set() })),
    isSealed: isPersonal,
    personal: false,
    details: ownDetails(row, own),
    id: own.id ?? newId<'audit-event'>(),
  };
}

/** What a change that is about no row may say: more would be taken for a mark of the home's on a row. */
const SAID_OF_TABLE: ReadonlyMap<string, string> = new Map([
  ['truncate', 'rows'],
  [PLAINTEXT_BACK, 'columns'],
]);

function ownDetails({ kind, action }: InboxRow, { details }: Own): Record<string, unknown> {
  if (kind !== 'change') return { ...details };
  const name = SAID_OF_TABLE.get(action);
  const said = name === undefined ? undefined : details?.[name];
  return name === undefined || said === undefined ? {} : { [name]: said };
}

/** Of a row that was captured whole (its table had changed since it was mapped), what did not change says nothing. */
function changedOnly(
  row: InboxRow,
  capture: Capture | undefined,
  inserted: Values | undefined,
): readonly [Values | undefined, Values | undefined] {
  const old = row.old ?? undefined;
  const made = inserted ?? row.new ?? undefined;
  if (row.action !== 'update' || old === undefined || made === undefined || row.keysOnly === true) return [old, made];
  const columns = Object.keys(made);
  // A column that is in both and the same was not changed; keyless tables have all of the old row, to know it by.
  if (Object.keys(old).length !== columns.length) return [old, made];
  // Nor one that is encrypted, beside whose ciphertext no plaintext counts: it is null before and after.
  const isSealed = (column: string): boolean => columnOf(capture, column)?.sealedIn !== undefined;
  const changed = columns.filter((column) => !(column in old) || isSealed(column) || !isSame(old[column], made[column]));
  return changed.length === columns.length ? [old, made] : [pick(old, changed), pick(made, changed)];
}

type Value = Values[string] | undefined;

function isSame(one: Value, other: Value): boolean {
  return one === other || (typeof one === 'object' && JSON.stringify(one) === JSON.stringify(other));
}

function pick(values: Values, columns: readonly string[]): Values {
  // By entries and not by assignment: a column may be called as what objects inherit.
  return Object.fromEntries(columns.flatMap((column) => (values[column] === undefined ? [] : [[column, values[column]]])));
}

function readable(values: Values | undefined, capture: Capture | undefined, isSealed: IsSealed): Values | undefined {
  if (values === undefined) return undefined;
  const columns = Object.keys(values).filter((column) => !isSealed(columnOf(capture, column)));
  return columns.length === 0 ? undefined : pick(values, columns);
}

const columnsByCapture = new WeakMap<Capture, ReadonlyMap<string, CapturedColumn>>();

/** Undefined for a column that the map did not know when the capture was made: it may hold anything. */
function columnOf(capture: Capture | undefined, name: string): CapturedColumn | undefined {
  if (capture === undefined) return undefined;
  const known = columnsByCapture.get(capture) ?? new Map(capture.columns.map((column) => [column.name, column]));
  columnsByCapture.set(capture, known);
  return known.get(name);
}

function partsOf(row: InboxRow, capture: Capture | undefined, people: People): readonly Part[] {
  const parts = new Map<string, Part>();
  const add = (path: number, link: string | null | undefined, side: Part['side']): void => {
    if (capture === undefined || link === null || link === undefined) return;
    const key = people(capture, path, link);
    if (key === undefined) return;
    const subject = `${capture.paths[path]?.subject}:${key}`;
    const known = parts.get(subject);
    const paths = known?.paths ?? new Set<number>();
    paths.add(path);
    parts.set(subject, { subject, side: known === undefined || known.side === side ? side : 'both', paths });
  };
  capture?.paths.forEach((_, path) => {
    const [link, before] = [row.links?.[path], row.oldLinks?.[path]];
    const moved = row.oldLinks !== null && before !== link;
    add(path, link, moved ? 'new' : 'both');
    if (moved) add(path, before, 'old');
  });
  return [...parts.values()];
}

/**
 * A tenant column can say anything. Of a tenant that Safekeep does not know, whoever applied the capture holds the keys: otherwise one
 * row would stop the log of all. Undefined for an event of nobody's capture: nothing of it is sealed.
 */
function ownerOf({ row, capture }: Draft, { subject }: Part, known: ReadonlySet<string>): KeyOwner | undefined {
  const tenant = known.has(row.tenant) ? row.tenant : capture?.tenant;
  return tenant === undefined ? undefined : { tenant, subject, fate: capture?.fate ?? 'erasable' };
}

type Settled = {
  readonly draft: Draft;
  readonly subjects: readonly string[];
  readonly record: string | null;
  readonly blobs: readonly Uint8Array[];
  readonly erased: boolean;
  readonly details: string | null;
};

/** Seals for those whose keys stand. Of those who are erased nothing is left but that something happened, and marks of their row. */
function settle(keyed: Keyed, markOf: AuditKeys['markOf']): Settled {
  const { draft, keys } = keyed;
  const { row, parts } = draft;
  const standing = parts.filter((_, place) => keys[place] !== 'erased');
  const gone = standing.length < parts.length;
  const erased = isErased(keyed);
  const details: Record<string, unknown> = gone ? { ...draft.details, erased: true } : draft.details;
  // Readable values of a row whose person is gone could be put together with what is known elsewhere.
  if (erased) for (const name of ['old', 'new']) delete details[name];
  if (gone) Object.assign(details, marksOf(draft, { standing, markOf }));
  const isOwnAct = erased && parts.some(({ subject }) => subject === row.actor);
  if (isOwnAct) details['actor'] = ERASED_ACTOR;
  return {
    draft,
    subjects: standing.filter((part) => !isQuarantine(part)).map(({ subject }) => subject),
    record: erased ? null : row.record,
    blobs: draft.personal ? blobsOf(keyed) : [],
    erased,
    details: Object.keys(details).length === 0 ? null : jsonbText(details),
  };
}

function blobsOf({ draft, keys }: Keyed): readonly Uint8Array[] {
  const blobs: Uint8Array[] = [];
  for (const [place, part] of draft.parts.entries()) {
    const key = keys[place];
    const blob = key === 'erased' ? undefined : blobOf(draft, part);
    if (blob === undefined || key === 'erased') continue;
    if (key === undefined) throw new Error('A key was asked for and not answered');
    const context = blobContext({ tenant: draft.row.tenant, id: draft.id }, blobs.length);
    blobs.push(key.seal(Buffer.from(blob, 'utf8'), context));
  }
  return blobs;
}

/**
 * By what a verification finds the row again and sees that it is as the log left it, and by what nobody else can tell a thing: marks under
 * the home's key. Of personal values only what the erasure itself left there has one: others could be guessed by whoever has the key.
 */
function marksOf(
  draft: Draft,
  { standing, markOf }: { readonly standing: readonly Part[]; readonly markOf: AuditKeys['markOf'] },
): Record<string, unknown> {
  const { row, capture } = draft;
  if (row.kind !== 'change' || row.record === null) return {};
  const names = [row.tenant, row.table, row.record];
  const told = new Set(standing.flatMap((part) => Object.keys(owned(draft, 'new', part) ?? {})));
  const isMarked = ([column, value]: readonly [string, unknown]): boolean => {
    const isPlain = !draft.isSealed(columnOf(capture, column));
    if (told.has(column) || (isPlain && standing.length > 0)) return false;
    return isPlain || value === null || row.action === REMAIN;
  };
  // Under the key that the row has from then on.
  const key = row.newRecord ?? row.record;
  const marks = Object.entries(draft.new ?? {})
    .filter(isMarked)
    .map(([column, value]) => [column, markOf([row.tenant, row.table, key, column, value])]);
  return {
    // Where others own the row too, its key stays readable.
    ...(standing.length > 0 ? {} : { row: markOf(names) }),
    ...(standing.length > 0 || row.newRecord === null ? {} : { movedTo: markOf([row.tenant, row.table, row.newRecord]) }),
    ...(marks.length === 0 ? {} : { marks: Object.fromEntries(marks) }),
  };
}

function blobOf(draft: Draft, part: Part): string | undefined {
  const old = owned(draft, 'old', part);
  const made = owned(draft, 'new', part);
  if (old === undefined && made === undefined) return undefined;
  return JSON.stringify([draft.row.record, old ?? null, made ?? null]);
}

/** The sealed values that are this person's, or everybody's. */
function owned(draft: Draft, side: 'old' | 'new', part: Part): Values | undefined {
  const values = draft[side];
  if (values === undefined) return undefined;
  const columns = Object.keys(values).filter((name) => {
    const column = columnOf(draft.capture, name);
    return draft.isSealed(column) && (draft.parts.length === 1 || ownersOf(draft, side, column).includes(part));
  });
  return columns.length === 0 ? undefined : pick(values, columns);
}

/**
 * Those on whose side of the change the value stands, and of them the one to whom its column leads. Where that is nobody (a row came from
 * nobody, or is nobody's from now on) those who are there: a value that none owned would be lost.
 */
function ownersOf({ parts }: Draft, side: 'old' | 'new', column: CapturedColumn | undefined): readonly Part[] {
  const there = orAll(parts, (part) => part.side === 'both' || part.side === side);
  const path = column?.path ?? null;
  return path === null ? there : orAll(there, ({ paths }) => paths.size === 0 || paths.has(path));
}

function orAll(parts: readonly Part[], isMeant: (part: Part) => boolean): readonly Part[] {
  const meant = parts.filter(isMeant);
  return meant.length === 0 ? parts : meant;
}

type Rest = { readonly attributionOf: (row: InboxRow) => Attribution; readonly pseudonymOf: AuditKeys['pseudonymOf'] };

function eventOf(
  { draft, subjects, record, blobs, erased, details }: Settled,
  { attributionOf, pseudonymOf }: Rest,
): PreparedEvent {
  const { row } = draft;
  const [subject = null, ...others] = subjects;
  const otherSubjects = others.length === 0 ? null : others;
  // The erased as the one who acted: their own name goes too.
  const actor = erased && draft.parts.some((part) => part.subject === row.actor) ? null : row.actor;
  const { purpose, request } = row;
  return {
    tenant: row.tenant,
    id: draft.id,
    at: row.at,
    orderNo: row.orderNo,
    kind: row.kind,
    action: row.action,
    table: row.table,
    columns: draft.columns,
    record,
    subject,
    otherSubjects,
    actor,
    actorPseudonym: row.actor === null ? null : pseudonymOf(row.tenant, row.actor),
    attribution: attributionOf(row),
    purpose,
    request,
    details,
    commitments: freshBytes(SEED_BYTES),
    sealed: writeSealed(blobs),
    emptied: null,
  };
}

/** Whether an actor was proven, looked at once for each proof: one transaction may have changed a million rows. */
async function attributions(client: pg.ClientBase, rows: readonly InboxRow[]): Promise<(row: InboxRow) => Attribution> {
  const own = await readOwnLogins(client, [
    ...new Set(rows.flatMap((row) => (row.actor === null && row.kind !== 'change' ? (row.login ?? []) : []))),
  ]);
  const keys: ReadonlyMap<string, ActorBlocks> = rows.some(({ proof }) => proof !== null) ? await readActorKeys(client) : new Map();
  const known = new Map<string, boolean>();
  return (row) => {
    // Any application may record events; those of nobody are Safekeep's own only where one of its logins wrote them.
    if (row.actor === null) return row.kind !== 'change' && own.has(row.login ?? '') ? 'system' : 'none';
    if (row.proof === null) return 'claimed';
    const name = `${row.tenant}\n${row.proof}\n${row.backend}\n${row.began}\n${row.actor}\n${row.purpose}\n${row.request}`;
    const proven = known.get(name) ?? isProven(row, keys);
    known.set(name, proven);
    return proven ? 'signed' : 'claimed';
  };
}

function isProven(row: InboxRow, keys: ReadonlyMap<string, ActorBlocks>): boolean {
  const [keyId = '', mac = ''] = (row.proof ?? '').split('.');
  const key = keys.get(keyId);
  if (key === undefined || row.actor === null || row.backend === null || row.began === null) return false;
  const { actor, purpose, request, backend, began, tenant } = row;
  // As safekeep.is_actor_proof: each tenant has keys of its own, and a retired one proves nothing of what began afterwards.
  if (key.tenant !== tenant || (key.retired !== null && BigInt(key.retired) <= BigInt(began))) return false;
  const message = Buffer.from(actorMessage({ actor, purpose, request, backend, beganMicros: BigInt(began) }), 'utf8');
  const inner = hash('sha256', Buffer.concat([key.inner, message]), 'buffer');
  return hash('sha256', Buffer.concat([key.outer, inner]), 'base64') === mac;
}
