import type pg from 'pg';
import { formatColumnName, formatTableName, parseColumnName, type Clock } from '@safekeep/core';
import { inTenant, type Database } from '@safekeep/postgres';
import type { FeedPlace } from '../../audit/index.ts';
import {
  findTextTable,
  lastKeyUpTo,
  lockTextFinding,
  readTextFinding,
  readTextRows,
  readTextRowsAgain,
  writeRedactions,
  writeTextFinding,
  type Redaction,
  type TextFinding,
  type TextRow,
  type TextTable,
} from '../store/text-rows.ts';
import { detectText } from '../text/detect.ts';
import { redactText } from '../text/redact.ts';

/** What was found in one text: how often each kind, in no order and without a place. */
export type TextClasses = Readonly<Record<string, number>>;

/** Counts the kinds of personal data in a text; nothing of the text itself is kept. */
export function classifyText(text: string, options: { readonly depth?: 'structured' | 'all' } = {}): TextClasses {
  const counts: Record<string, number> = {};
  for (const { type } of detectText(text, options)) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

/** Longer texts are read to here; what stands after it is not looked at, and such texts are not redacted. */
const TEXT_LETTERS = 100_000;
const ROWS_A_PAGE = 200;

/** Where new rows come from: by their keys, in order, from after the last one that was read. */
export type RowSource = (after: readonly string[] | null, limit: number) => Promise<readonly TextRow[]>;

export type Classified = {
  /** Texts that were looked at: new rows, and such as changed since they were read. */
  readonly rows: number;
  /** Texts among them in which something was found. */
  readonly flagged: number;
  /** By kind, the texts in which it was found. */
  readonly kinds: TextClasses;
  readonly done: boolean;
  /** Rows whose text was replaced. Those that somebody changed since they were read, and texts too long to be read whole, are not. */
  readonly redacted: number;
  /** Whether the log has the changes of this column; where it has not, rows that change after they were read are not seen again. */
  readonly followed: boolean;
};

export type ClassifyOrder = {
  readonly tenant: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** schema.table.column */
  readonly column: string;
  /** Rows in this call; the next one goes on behind them. */
  readonly rowsAtMost: number;
  /** Instead of the table itself. */
  readonly source?: RowSource;
  /** Writes the redacted text in the place of what was read. The caller has made sure that the map and a person want that. */
  readonly redact?: boolean;
  readonly onProgress?: (rows: number) => void;
};

/**
 * Looks at the rows of a column of free text that were added since the last call, by ranges of the primary key; and, where the audit
 * log captures the table, at those behind that changed or came in between, as far as the log is sequenced. How far it came is written
 * together with what was found, so that after a crash none is left out and none counted twice for one change.
 *
 * All rows are looked at from the beginning, and counted anew, where the log cannot say what changed: it begins to follow the column
 * later than the reading did, or keys of rows themselves changed.
 *
 * Throws `text-column-unfit` for a table without a primary key, or a column that is not there; with `redact` also for one that is
 * no text or may not be written, and while a hold stands. The page that could not be redacted counts as not read.
 */
export async function classifyColumn(database: Database, order: ClassifyOrder): Promise<Classified> {
  const ref = parseColumnName(order.column);
  const table = await inTenant(database, order.tenant, (client) => findTextTable(client, ref));
  const kinds: Record<string, number> = {};
  let sum = { rows: 0, flagged: 0, redacted: 0, followed: false, done: false };
  while (sum.rows < order.rowsAtMost && !sum.done) {
    order.signal.throwIfAborted();
    const page = await inTenant(database, order.tenant, (client) => onePage(client, table, order));
    sum = {
      rows: sum.rows + page.rows,
      flagged: sum.flagged + page.flagged,
      redacted: sum.redacted + page.redacted,
      followed: page.followed,
      done: page.done,
    };
    for (const [kind, count] of Object.entries(page.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
    order.onProgress?.(sum.rows);
  }
  return { ...sum, kinds };
}

const NOTHING_READ: TextFinding = { readTo: null, followedTo: null, rows: 0, flagged: 0, kinds: {} };

async function onePage(client: pg.ClientBase, table: TextTable, order: ClassifyOrder): Promise<Classified> {
  const { tenant, clock, redact = false } = order;
  const column = formatColumnName(table.ref);
  // Two workers at the same column would read the same rows and count them twice.
  await lockTextFinding(client, tenant, column);
  const { before, found, readTo, followedTo, done } = await nextRows(client, table, order);
  const classes = found.map(({ text }) => (text === null ? {} : classifyText(text)));
  const fresh = countedByText(classes);
  const flagged = classes.filter((each) => Object.keys(each).length > 0).length;
  await writeTextFinding(client, tenant, {
    column,
    readTo,
    followedTo,
    rows: before.rows + found.length,
    flagged: before.flagged + flagged,
    kinds: added(before.kinds, fresh),
    at: clock.now(),
  });
  const redactions = redact ? found.flatMap(redactionOf) : [];
  const redacted = redact ? await writeRedactions(client, table, { tenant, redactions }) : 0;
  return { rows: found.length, flagged, kinds: fresh, redacted, followed: followedTo !== null, done };
}

type Turn = {
  readonly before: TextFinding;
  readonly found: readonly TextRow[];
  readonly readTo: readonly string[] | null;
  readonly followedTo: FeedPlace | null;
  readonly done: boolean;
};

/** What changed behind comes first: new rows wait in their place, and a change waits behind later ones. */
async function nextRows(client: pg.ClientBase, table: TextTable, order: ClassifyOrder): Promise<Turn> {
  const { tenant } = order;
  // Read when it is needed: who only looks for personal data in a text need not hold the code of the log, some 25 MB.
  const { changesSince, endOfLog, isFollowed } = await import('../../audit/index.ts');
  const feed = { table: formatTableName(table.ref), column: table.ref.column };
  const isCaptured = await isFollowed(client, tenant, feed);
  const kept = (await readTextFinding(client, tenant, formatColumnName(table.ref))) ?? NOTHING_READ;
  // A key may name somebody: that of a row that was erased is not kept.
  const known = { ...kept, readTo: kept.readTo === null ? null : await lastKeyUpTo(client, table, kept.readTo) };
  // Taken before any row is read: what is sequenced up to there is seen by the reading.
  const end = await endOfLog(client, tenant);
  if (!isCaptured) return await newRows(client, table, { order, before: known, followedTo: null });
  if (known.followedTo === null || known.readTo === null)
    return await newRows(client, table, { order, before: NOTHING_READ, followedTo: end });
  const key = table.key.map(({ name }) => name);
  const changes = await changesSince(client, tenant, { ...feed, key, from: known.followedTo, limit: ROWS_A_PAGE });
  if (changes.moved) return await newRows(client, table, { order, before: NOTHING_READ, followedTo: end });
  const again = await readTextRowsAgain(client, table, { keys: changes.keys, upTo: known.readTo, letters: TEXT_LETTERS });
  if (again.length > 0 || changes.more)
    return { before: known, found: again, readTo: known.readTo, followedTo: changes.to, done: false };
  return await newRows(client, table, { order, before: known, followedTo: changes.to });
}

async function newRows(
  client: pg.ClientBase,
  table: TextTable,
  {
    order: { source },
    before,
    followedTo,
  }: { readonly order: ClassifyOrder; readonly before: TextFinding; readonly followedTo: FeedPlace | null },
): Promise<Turn> {
  const after = before.readTo;
  const found = await (source?.(after, ROWS_A_PAGE) ??
    readTextRows(client, table, { after, limit: ROWS_A_PAGE, letters: TEXT_LETTERS }));
  return { before, found, readTo: found.at(-1)?.key ?? after, followedTo, done: found.length < ROWS_A_PAGE };
}

/** Texts with a kind, not how often it stands in one of them. */
function countedByText(classes: readonly TextClasses[]): TextClasses {
  const counts: Record<string, number> = {};
  for (const each of classes) for (const kind of Object.keys(each)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function added(before: TextClasses, more: TextClasses): TextClasses {
  const counts: Record<string, number> = { ...before };
  for (const [kind, count] of Object.entries(more)) counts[kind] = (counts[kind] ?? 0) + count;
  return counts;
}

/** A text that was cut cannot be put back whole. */
function redactionOf({ key, text }: TextRow): readonly Redaction[] {
  if (text === null || text.length >= TEXT_LETTERS) return [];
  const { redacted } = redactText(text);
  return redacted === text ? [] : [{ key, read: text, redacted }];
}
