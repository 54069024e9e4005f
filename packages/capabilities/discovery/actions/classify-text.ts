import type pg from 'pg';
import { parseColumnName, type Clock } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { inTenant } from '../store/findings.ts';
import {
  lockTextFinding,
  readTextFinding,
  readTextRows,
  writeRedactions,
  writeTextFinding,
  type Redaction,
  type TextRow,
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

/** Longer texts are read to here: what stands after it is looked at when the row is exported or erased. */
const TEXT_LETTERS = 100_000;
const ROWS_A_PAGE = 200;

/** Where rows come from: by their keys, in order, from after the last one that was read. */
export type RowSource = (after: readonly string[] | null, limit: number) => Promise<readonly TextRow[]>;

export type Classified = {
  readonly rows: number;
  readonly flagged: number;
  readonly kinds: TextClasses;
  readonly done: boolean;
  /** Rows whose text was replaced. Those that somebody changed since they were read, and texts too long to be read whole, are not. */
  readonly redacted: number;
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
 * Looks at the rows of a column of free text that were added since the last call, by ranges of the primary key. How far it came is
 * written together with what was found, so that after a crash no row is counted twice and none left out. Rows that change behind
 * the cursor are not seen again, unless another source brings them.
 *
 * Throws `text-column-unfit` for a table without a primary key, or a column that is not there; with `redact` also for one that is
 * no text or may not be written, and while a hold stands. The page that could not be redacted counts as not read.
 */
export async function classifyColumn(database: Database, order: ClassifyOrder): Promise<Classified> {
  const ref = parseColumnName(order.column);
  let rows = 0;
  let flagged = 0;
  let redacted = 0;
  const kinds: Record<string, number> = {};
  while (rows < order.rowsAtMost) {
    order.signal.throwIfAborted();
    const page = await inTenant(database, order.tenant, async (client) =>
      onePage(
        client,
        order,
        (after, limit) => order.source?.(after, limit) ?? readTextRows(client, ref, { after, limit, letters: TEXT_LETTERS }),
      ),
    );
    rows += page.rows;
    flagged += page.flagged;
    redacted += page.redacted;
    for (const [kind, count] of Object.entries(page.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
    order.onProgress?.(rows);
    if (page.rows < ROWS_A_PAGE) return { rows, flagged, kinds, done: true, redacted };
  }
  return { rows, flagged, kinds, done: false, redacted };
}

type Page = Omit<Classified, 'done'>;

async function onePage(
  client: pg.PoolClient,
  { tenant, clock, column, redact = false }: ClassifyOrder,
  source: RowSource,
): Promise<Page> {
  // Two workers at the same column would read the same rows and count them twice.
  await lockTextFinding(client, tenant, column);
  const before = await readTextFinding(client, tenant, column);
  const found = await source(before?.readTo ?? null, ROWS_A_PAGE);
  const classes = found.map(({ text }) => (text === null ? {} : classifyText(text)));
  const kinds: Record<string, number> = { ...before?.kinds };
  const fresh: Record<string, number> = {};
  for (const each of classes) {
    // Rows with a kind, not how often it stands in one of them.
    for (const kind of Object.keys(each)) {
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      fresh[kind] = (fresh[kind] ?? 0) + 1;
    }
  }
  const flagged = classes.filter((each) => Object.keys(each).length > 0).length;
  const last = found.at(-1);
  if (last !== undefined)
    await writeTextFinding(client, tenant, {
      column,
      readTo: last.key,
      rows: (before?.rows ?? 0) + found.length,
      flagged: (before?.flagged ?? 0) + flagged,
      kinds,
      at: clock.now(),
    });
  const redacted = redact
    ? await writeRedactions(client, parseColumnName(column), { tenant, redactions: found.flatMap(redactionOf) })
    : 0;
  return { rows: found.length, flagged, kinds: fresh, redacted };
}

/** A text that was cut cannot be put back whole. */
function redactionOf({ key, text }: TextRow): readonly Redaction[] {
  if (text === null || text.length >= TEXT_LETTERS) return [];
  const { redacted } = redactText(text);
  return redacted === text ? [] : [{ key, read: text, redacted }];
}
