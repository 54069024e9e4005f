import type pg from 'pg';
import type { Capture, Values } from '../model.ts';
import { restoreInsert, type LaterChange, type Restored } from '../rules/restore.ts';
import { readLater, type InboxRow } from '../store/inbox.ts';
import { readLiveRows } from '../store/live-rows.ts';

/** A batch that ends within a longer row of events looks at most so far beyond itself; what lies farther is said to be incomplete. */
const LATER_AT_MOST = 1_000_000;

/** What an inserted row was like; by the row of the inbox. */
export type Inserted = ReadonlyMap<InboxRow, { readonly values: Values; readonly incomplete: boolean; readonly erased: boolean }>;

type Batch = {
  readonly rows: readonly InboxRow[];
  readonly captureOf: (row: InboxRow) => Capture | undefined;
  /** The snapshot up to which all is sequenced; null when everything there is stands in `rows`. */
  readonly beyond: string | null;
};

/** Finds the values of the INSERTs of a batch: they are in what happened to the rows since, and in the rows as they stand. */
export async function findInsertedRows(client: pg.ClientBase, { rows, captureOf, beyond }: Batch): Promise<Inserted> {
  const inserts = rows.filter((row) => row.action === 'insert' && row.kind === 'change' && row.new === null && row.record !== null);
  if (inserts.length === 0) return new Map();
  const tables = [...new Set(inserts.flatMap(({ table }) => table ?? []))];
  const [first] = inserts;
  // From the first INSERT on, not from the end of the batch: what committed after its target has order numbers in between.
  const later =
    beyond === null || first === undefined
      ? []
      : await readLater(client, { done: beyond, tables, afterNo: first.orderNo }, LATER_AT_MOST);
  const all = new Map([...rows, ...later].map((row) => [`${row.orderNo} ${row.place}`, row]));
  const changes = changesOf([...all.values()].toSorted(byOrder), new Set(tables));
  const found = new Map<InboxRow, { values: Values; incomplete: boolean; erased: boolean }>();
  const live = new Map<
    string,
    { readonly capture: Capture; readonly waiting: Map<string, { insert: InboxRow; values: Values }[]> }
  >();
  for (const insert of inserts) {
    const capture = captureOf(insert);
    const restored = restore(insert, changes);
    if (restored.state === 'known') found.set(insert, { values: restored.values, incomplete: false, erased: false });
    else if (restored.state === 'lost' || capture === undefined) {
      const erased = restored.state === 'lost' && restored.erased;
      found.set(insert, { values: restored.values, incomplete: !erased, erased });
    } else {
      const name = `${capture.tenant} ${capture.table}`;
      const table = live.get(name) ?? { capture, waiting: new Map<string, { insert: InboxRow; values: Values }[]>() };
      live.set(name, table);
      const waiting = table.waiting.get(restored.record) ?? [];
      table.waiting.set(restored.record, waiting);
      waiting.push({ insert, values: restored.values });
    }
  }
  for (const { capture, waiting } of live.values()) {
    const standing = await readLiveRows(client, capture, [...waiting.keys()]);
    for (const [record, all] of waiting) {
      const row = standing?.get(record);
      for (const { insert, values } of all)
        found.set(insert, { values: { ...row, ...values }, incomplete: row === undefined, erased: false });
    }
  }
  return found;
}

function byOrder(one: InboxRow, other: InboxRow): number {
  return Number(BigInt(one.orderNo) - BigInt(other.orderNo));
}

/** By table: changes by row, in order, and the numbers of its TRUNCATEs. */
type Changes = ReadonlyMap<string, { readonly byRecord: Map<string, LaterChange[]>; readonly truncates: LaterChange[] }>;

function changesOf(rows: readonly InboxRow[], tables: ReadonlySet<string>): Changes {
  const changes = new Map<string, { byRecord: Map<string, LaterChange[]>; truncates: LaterChange[] }>();
  for (const row of rows) {
    if (row.kind !== 'change' || row.table === null || !tables.has(row.table)) continue;
    const table = changes.get(row.table) ?? { byRecord: new Map<string, LaterChange[]>(), truncates: [] };
    changes.set(row.table, table);
    const change: LaterChange = {
      orderNo: BigInt(row.orderNo),
      action: row.action,
      record: row.record,
      newRecord: row.newRecord,
      old: row.old,
      keysOnly: row.keysOnly === true,
    };
    if (row.action === 'truncate') table.truncates.push(change);
    if (row.record === null) continue;
    const known = table.byRecord.get(row.record);
    if (known === undefined) table.byRecord.set(row.record, [change]);
    else known.push(change);
  }
  return changes;
}

function restore(insert: InboxRow, changes: Changes): Restored {
  const record = insert.record ?? '';
  const table = changes.get(insert.table ?? '');
  return restoreInsert(record, laterThan(BigInt(insert.orderNo), record, table));
}

/** Follows the row through changes of its key, in the order of the changes. */
function* laterThan(orderNo: bigint, record: string, table: ReturnType<Changes['get']>): Generator<LaterChange> {
  let current = record;
  let after = orderNo;
  if (table === undefined) return;
  for (;;) {
    const next = table.byRecord.get(current)?.find((change) => change.orderNo > after);
    const truncate = table.truncates.find((change) => change.orderNo > after);
    if (truncate !== undefined && (next === undefined || truncate.orderNo < next.orderNo)) yield truncate;
    if (next === undefined) return;
    yield next;
    after = next.orderNo;
    current = next.newRecord ?? current;
  }
}
