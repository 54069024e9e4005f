import type pg from 'pg';
import type { AuditKeys } from '../keys/audit-keys.ts';
import type { MarkOf } from '../keys/key-file.ts';
import { PLAINTEXT_BACK, type Capture, type EventRow, type Values } from '../model.ts';
import { keyOfRow, partOfKey } from '../rules/baseline.ts';
import { readMarksOf } from '../store/baselines.ts';
import { openEvents, type OpenedEvent } from '../store/event-values.ts';
import { readUnmoved, type InboxRow } from '../store/inbox.ts';
import { readLiveRowsOf } from '../store/live-rows.ts';
import { readKeyChanges } from '../store/erasure.ts';
import { captureOf, logBusy, readCaptures, readProgress } from '../store/sequencer.ts';
import { openBaseline, readBaselines } from './baseline.ts';
import { compare, compareMoved, hasArrived, noteMoves, sinceBack, takeMarked, type Move, type Table } from './compare-row.ts';
import { faultList } from './faults.ts';
import { markedOf, readMarked } from './marked-rows.ts';
import { placeOfPending, saidByPending } from './pending.ts';
import { newestFirst, saidBy, type Said } from './row-state.ts';
import { readTrees } from './store/log.ts';
import { lastTruncate, plaintextBack, readColumnNumbers, readEventsOf, readMarkedOf, readToldOfTables } from './store/rows.ts';

/** Keys of rows by external name of their table. */
export type Records = ReadonlyMap<string, readonly string[]>;

type Order = {
  readonly tenant: string;
  readonly subject: string;
  /** As the log has them. */
  readonly records: Records;
  /** Rows that are there; their keys may be written in another form. */
  readonly rows: Records;
};
type Keys = Pick<AuditKeys, 'subjectKeys' | 'markOf'>;

export type Unheld = {
  readonly table: string;
  readonly records: readonly string[];
  /** Whether they are other than the log and the baseline have them, or could not be compared with these. */
  readonly what: 'different' | 'uncompared';
};

/**
 * Holds these rows against what the log says of them last and against the baselines of their tables, as `checkRows` holds all rows: for an
 * erasure, which takes away what this could be seen by later. Of a baseline only the parts are read in which the rows are. What was committed and is not
 * in the log yet counts too. To be called under the lock of the sequencer.
 */
export async function checkRecords(client: pg.ClientBase, order: Order, keys: Keys): Promise<readonly Unheld[]> {
  const first = await lookAt(client, order, { keys });
  const suspects = new Map(first.map(({ table, records }) => [table, new Set(records)]));
  if (suspects.size === 0) return [];
  // A row that came from another key, or of which only marks tell, is looked for only now: both mean reading more. And one that is not locked may
  // have been changed while it was looked at.
  const these = (some: Records): Records => new Map([...some].filter(([table]) => suspects.has(table)));
  return await lookAt(client, { ...order, records: these(order.records), rows: these(order.rows) }, { keys, suspects });
}

type Look = {
  readonly keys: Keys;
  /** Those that did not hold at the first look. */
  readonly suspects?: ReadonlyMap<string, ReadonlySet<string>>;
};

type Captured = {
  readonly capture: Capture;
  readonly owner: string;
  /** As they stand; undefined where they cannot be read. */
  readonly live: ReadonlyMap<string, Values> | undefined;
  readonly records: readonly string[];
};

async function readTables(client: pg.ClientBase, { tenant, records, rows }: Order): Promise<readonly Captured[]> {
  const captures = await readCaptures(client);
  const asked = [...new Set([...records.keys(), ...rows.keys()])].flatMap((table) => {
    const capture = captureOf(captures, { tenant, table });
    const [named, there] = [records.get(table) ?? [], rows.get(table) ?? []];
    if (capture === undefined || capture.key.length === 0 || named.length + there.length === 0) return [];
    return [{ capture, named, there, records: [...new Set([...named, ...there])] }];
  });
  const found = await readLiveRowsOf(client, asked);
  return asked.map(({ capture, named, there }, place) => {
    const live = found[place];
    return {
      capture: { ...capture, tenant },
      owner: capture.tenant,
      live,
      records: [...new Set([...named, ...(live === undefined ? there : live.keys())])],
    };
  });
}

async function lookAt(client: pg.ClientBase, order: Order, { keys, suspects }: Look): Promise<readonly Unheld[]> {
  const { tenant } = order;
  const { markOf } = keys;
  const tables = await readTables(client, order);
  if (tables.length === 0) return [];
  const names = tables.map(({ capture }) => capture.table);
  const baselines = await readBaselines(client, { tenant, markOf, tables: names, withInbox: true });
  const special = await readToldOfTables(client, [...new Set([tenant, ...tables.map(({ owner }) => owner)])], names);
  const marks = new Map(
    tables.flatMap(({ capture: { table }, records }) => records.map((record) => [markOf([tenant, table, record]), table])),
  );
  const marked = suspects === undefined ? await readMarkedOf(client, tenant, marks) : [];
  const events = await readEventsOf(client, tenant, new Map(tables.map(({ capture, records }) => [capture.table, records])));
  const pending = await readUnmoved(client, await readProgress(client), names);
  if (pending.isFull) throw logBusy();
  const opened = await openEvents(client, keys.subjectKeys, events);
  const numbers = await readColumnNumbers(
    client,
    tables.map(({ capture }) => capture),
  );
  const trees = await readTrees(client, tenant);
  const inPart = ({ capture: { table }, records }: Captured, from: readonly string[]): InPart => ({
    table,
    count: baselines.get(table)?.taken.parts ?? 0,
    records: [...records, ...from],
  });
  const together =
    suspects === undefined
      ? await readParts(
          client,
          { tenant, markOf },
          tables.map((each) => inPart(each, [])),
        )
      : undefined;
  const unheld: Unheld[] = [];
  for (const [place, each] of tables.entries()) {
    const { capture, owner, live, records } = each;
    const { table: name } = capture;
    const faults = faultList();
    const ground = { tenant, markOf, faults, isRenewal: false, signal: NEVER, valuesOf: openingWith(keys) };
    const waiting = (action: string): InboxRow | undefined =>
      pending.rows.findLast((row) => row.table === name && row.action === action);
    const [truncated, returned] = [waiting('truncate'), waiting(PLAINTEXT_BACK)];
    const emptied = truncated
      ? placeOfPending(truncated)
      : special.has(name)
        ? await lastTruncate(client, capture, owner)
        : undefined;
    const back = returned
      ? new Map(capture.columns.map((column) => [column.name, placeOfPending(returned)]))
      : special.has(name)
        ? await plaintextBack(client, capture, owner)
        : new Map<string, never>();
    const known = { capture, back, moved: new Map<string, Move>() };
    const said = historiesOf(known, { events, opened, pending: pending.rows });
    const suspected = suspects?.get(name);
    const from = suspected === undefined ? [] : await addMoves(client, known, { subject: order.subject, suspected, keys });
    const parts = (together ?? (await readParts(client, { tenant, markOf }, [inPart(each, from)]))).get(name);
    const standing = { numbers: numbers[place] ?? new Map<string, number>(), trees };
    const opening = { capture, known: baselines.get(name), emptied, back, parts: parts ?? [], ...standing };
    const baseline = await openBaseline(client, opening, ground);
    if (live === undefined || parts === undefined || faults.count() > 0) {
      unheld.push({ table: name, records, what: 'uncompared' });
      continue;
    }
    const table: Table = {
      ...known,
      emptied,
      marked:
        suspects === undefined ? markedOf(marked.filter((each) => each.table === name)) : await readMarked(client, capture, ground),
      told: new Map(),
      unexplained: [],
      baseline,
      numbers: undefined,
      ground,
    };
    const different = differing(table, { wanted: records, live, said });
    if (different.length > 0) unheld.push({ table: name, records: different, what: 'different' });
  }
  return unheld;
}

const NEVER = new AbortController().signal;

function openingWith({ subjectKeys }: Keys) {
  return (client: pg.ClientBase, events: readonly EventRow[]) => openEvents(client, subjectKeys, events);
}

type InPart = {
  readonly table: string;
  /** Of parts that the baseline has. */ readonly count: number;
  readonly records: readonly string[];
};

/** By table those parts of its baseline in which these rows are, or would be; undefined where one of them is gone. */
async function readParts(
  client: pg.ClientBase,
  { tenant, markOf }: { readonly tenant: string; readonly markOf: MarkOf },
  tables: readonly InPart[],
): Promise<ReadonlyMap<string, readonly Buffer[] | undefined>> {
  const wanted = tables.map(({ table, count, records }) => {
    const keys = count === 0 ? [] : records.map((record) => keyOfRow(markOf, { tenant, table }, record));
    return { table, places: new Set(keys.map((key) => partOfKey(key, count))) };
  });
  const found = await readMarksOf(
    client,
    tenant,
    wanted.flatMap(({ table, places }) => [...places].map((part) => ({ table, part }))),
  );
  return new Map(
    wanted.map(({ table, places }) => {
      const own = found.filter((each) => each.table === table).map(({ marks }) => marks);
      return [table, own.length < places.size ? undefined : own];
    }),
  );
}

type Known = Pick<Table, 'capture' | 'back' | 'moved'>;
type Histories = ReadonlyMap<string, readonly Said[]>;

/** By record, the newest first: what the log says, and before it what is on its way there. */
function historiesOf(
  table: Known,
  {
    events,
    opened,
    pending,
  }: {
    readonly events: readonly EventRow[];
    readonly opened: ReadonlyMap<string, OpenedEvent>;
    readonly pending: readonly InboxRow[];
  },
): Histories {
  const { capture } = table;
  const said = new Map<string, readonly Said[]>();
  const add = (record: string | null, each: Said): void => {
    if (record !== null) said.set(record, [...(said.get(record) ?? []), each]);
  };
  for (const row of pending.toReversed())
    if (row.table === capture.table && row.tenant === capture.tenant) add(row.record, saidByPending(row));
  for (const event of events)
    if (event.table === capture.table) add(event.record, sinceBack(table, saidBy(event, opened.get(event.id), capture)));
  for (const [record, own] of said) noteMoves(table, record, own);
  return said;
}

/** Keys that a row is followed back through. */
const MOVES_AT_MOST = 100;

/**
 * Rows of the person that got another key, and all that is said of them under those before. Of a table of people the key of a row is that of the
 * person: what moved it there names who they were then. Answers the keys.
 */
async function addMoves(
  client: pg.ClientBase,
  table: Known,
  { subject, suspected, keys }: { readonly subject: string; readonly suspected: ReadonlySet<string>; readonly keys: Keys },
): Promise<readonly string[]> {
  const { capture } = table;
  const own = capture.paths.find(({ hops }) => hops.length === 0);
  const named = (records: Iterable<string>): readonly string[] =>
    own === undefined ? [] : [...records].map((record) => `${own.subject}:${record}`);
  const asked = new Set<string>();
  const from = new Set<string>();
  let ask = [subject, ...named(suspected)];
  for (let moves = 0; moves < MOVES_AT_MOST && ask.length > 0; moves += 1) {
    const records = new Set<string>();
    for (const each of ask) {
      asked.add(each);
      for (const { record } of await readKeyChanges(client, { tenant: capture.tenant, subject: each }, [capture]))
        if (record !== null && !from.has(record)) records.add(record);
    }
    for (const record of records) from.add(record);
    const events = await readEventsOf(client, capture.tenant, new Map([[capture.table, [...records]]]));
    historiesOf(table, { events, opened: await openEvents(client, keys.subjectKeys, events), pending: [] });
    ask = named(records).filter((each) => !asked.has(each));
  }
  return [...from];
}

type Looked = {
  readonly wanted: readonly string[];
  readonly live: ReadonlyMap<string, Values>;
  readonly said: Histories;
};

function differing(table: Table, { wanted, live, said }: Looked): readonly string[] {
  const { faults } = table.ground;
  const different = new Set<string>();
  const noting = (record: string, look: () => void): void => {
    const before = faults.count();
    look();
    if (faults.count() > before) different.add(record);
  };
  for (const record of new Set(wanted)) {
    const values = live.get(record);
    const own = newestFirst([...(said.get(record) ?? []), ...takeMarked(table, record)]);
    noting(record, () => {
      compare(table, { record, row: values && { values, isNewer: false }, said: own });
    });
    const move = table.moved.get(record);
    if (move !== undefined)
      noting(record, () => {
        compareMoved(table, { record, move, values, since: said.get(record) ?? [] });
      });
  }
  for (const each of table.unexplained) if (!hasArrived(table, each)) different.add(each.record);
  return [...different];
}
