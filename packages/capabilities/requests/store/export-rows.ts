import { collectPassed } from '@safekeep/postgres';
import type pg from 'pg';
import type { DataMap } from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import type { SealedValue } from '../model.ts';
import type { Node } from '../rules/graph.ts';
import type { ExportColumn } from '../rules/export-columns.ts';
import { belonging } from '../rules/treat.ts';
import { rowsOf } from './rows.ts';
import { Parameters, quote, quoteTable } from './sql.ts';
import { standingIn, waysToPeople, type Way } from './standing.ts';
import { edgeCondition, type Reach } from './traverse.ts';

export type ExportTable = {
  readonly table: string;
  readonly columns: readonly ExportColumn[];
  readonly since: string | null;
  /** By column, in how many rows it was left out, because others stand there and nothing says that it is the person's. */
  readonly leftOut: Map<string, number>;
};

export type Window = { readonly from: Date | null; readonly to: Date | null };

/** So many rows travel at once: some hundred kilobytes of ordinary rows, so that memory stays flat. */
const ROWS_AT_ONCE = 500;

/** After so many rows what they left is given back; else 100 MB of it gather. It takes some 20 ms. */
const COLLECTED_ROWS = 20_000;

/** The rows of the person in one table, in batches, as arrays of text in the order of the columns; what is others' is null. */
export async function* exportRows(
  client: pg.ClientBase,
  { map, reach, person }: { readonly map: DataMap; readonly reach: Reach; readonly person: Person },
  { table, columns, since, leftOut }: ExportTable,
  window: Window,
): AsyncGenerator<readonly (string | null)[][]> {
  const asked = rowsOf(reach, table, person.key);
  const { edges } = asked;
  const parameters = new Parameters();
  const flags =
    edges.length === 1
      ? []
      : edges.map((node) => {
          const condition = edgeCondition(reach, { node, key: person.key }, parameters);
          return `(${condition === undefined ? 'false' : `coalesce(${condition}, false)`})::text`;
        });
  const conditions = edges.flatMap((node) => edgeCondition(reach, { node, key: person.key }, parameters) ?? []);
  if (conditions.length === 0) return;
  const ways = waysToPeople({ map, reach, person }, asked, parameters);
  // A column of bytes is sealed or plain; either way the server's own text of it is what is read.
  const list = [...columns.map(textOf), ...flags, ...ways.map(({ expression }) => expression)];
  const bounds = since === null ? '' : windowCondition(since, window, parameters);
  const text = `declare safekeep_export no scroll cursor for select ${list.join(', ')} from ${quoteTable(table)} as t where (${conditions.join(' or ')})${bounds}`;
  await client.query(text, parameters.values);
  const isAlways = ways.length === 0 && edges.every(({ edge }) => edge?.meaning === 'owns' || edge?.meaning === 'shared');
  let read = 0;
  try {
    for (;;) {
      const { rows } = await client.query<(string | null)[]>({
        text: `fetch ${ROWS_AT_ONCE} from safekeep_export`,
        rowMode: 'array',
      });
      if (rows.length > 0) {
        if (!isAlways) for (const row of rows) hideOthers(row, { columns, edges, flags: flags.length, ways, person, leftOut });
        else if (flags.length > 0) for (const row of rows) row.length = columns.length;
        yield rows;
        read += rows.length;
        if (read % COLLECTED_ROWS < ROWS_AT_ONCE) collectPassed();
      }
      if (rows.length < ROWS_AT_ONCE) return;
    }
  } finally {
    await client.query('close safekeep_export');
  }
}

function windowCondition(since: string, { from, to }: Window, parameters: Parameters): string {
  const column = `t.${quote(since)}`;
  return [
    ...(from === null ? [] : [` and (${column} is null or ${column} >= ${parameters.add(from)}::timestamptz)`]),
    ...(to === null ? [] : [` and (${column} is null or ${column} < ${parameters.add(to)}::timestamptz)`]),
  ].join('');
}

type Hiding = Pick<ExportTable, 'columns' | 'leftOut'> & {
  readonly edges: readonly Node[];
  readonly flags: number;
  readonly ways: readonly Way[];
  readonly person: Person;
};

/**
 * Empties what is not the person's in this row, and cuts the row to its columns. Of a row that is theirs as a whole that is what is
 * marked as another's; of every other row all that is personal and not marked as theirs, as an erasure leaves it standing.
 */
function hideOthers(row: (string | null)[], { columns, edges, flags, ways, person, leftOut }: Hiding): void {
  const width = columns.length;
  const { others, owners, elsewhere, at } = standingIn(ways, row.slice(width + flags), person);
  const reached = edges.flatMap(({ edge }, place) =>
    edge !== null && (flags === 0 || row[width + place] === 'true') && !elsewhere.has(edge.path) ? [edge] : [],
  );
  const mine = new Set(reached.map(({ path }) => path));
  const { isWhole } = belonging({ reached, others, owners });
  row.length = width;
  for (const [place, { name, of, alone, refersBy, personal }] of columns.entries()) {
    const isTogether = (path: string): boolean => alone.includes(path) && at.has(path);
    const isMarked = of.some((path) => mine.has(path) && !isTogether(path));
    const isTheirs = isMarked || refersBy.some((path) => mine.has(path));
    // What is of several people is given to each of them.
    const isOthers = (!isMarked && of.some((path) => elsewhere.has(path))) || refersBy.some((path) => elsewhere.has(path));
    const isNobodys = personal && !isTheirs && !isOthers && (!isWhole || of.some(isTogether));
    if (isNobodys && row[place] !== null) leftOut.set(name, (leftOut.get(name) ?? 0) + 1);
    if (isNobodys || isOthers) row[place] = null;
  }
}

/** Of a sealed column `s` and the bytes, or `p` and the value where it is not sealed yet. */
function textOf({ stored, sealed, plain, isArray }: ExportColumn): string {
  const text = isArray ? `pg_catalog.array_to_json(t.${quote(stored)})::text` : `t.${quote(stored)}::text`;
  if (!sealed) return text;
  return plain === null ? `'s' || ${text}` : `coalesce('p' || t.${quote(plain)}::text, 's' || ${text})`;
}

/** The sealed values of a column in a batch, for the opener; `\x…` as the server writes bytes. */
export function sealedValues(
  table: string,
  { name }: ExportColumn,
  place: number,
  rows: readonly (readonly (string | null)[])[],
): readonly SealedValue[] {
  return rows.flatMap((row) => {
    const text = row[place];
    return text === null || text === undefined || !text.startsWith('s')
      ? []
      : [{ table, column: name, stored: Buffer.from(text.replace(/^s\\x/, ''), 'hex') }];
  });
}
