import { collectPassed } from '@safekeep/postgres';
import type pg from 'pg';
import type { DataMap } from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import type { SealedValue } from '../model.ts';
import { personsOf, rowsOf } from './rows.ts';
import { Parameters, quote, quoteTable } from './sql.ts';
import { edgeCondition, type Reach } from './traverse.ts';

/** A column as the export gives it. */
export type ExportColumn = {
  /** As the person sees it: of a sealed field the name of the field. */
  readonly name: string;
  /** As it stands in the database. */
  readonly stored: string;
  readonly sealed: boolean;
  /** The plain column beside a sealed one. */
  readonly plain: string | null;
  /** The paths whose person it is about alone; null for everybody's. Other people's are left empty. */
  readonly of: string | null;
  /** It names another person where a row has several. */
  readonly refersBy: readonly string[];
  readonly personal: boolean;
};

export type ExportTable = { readonly table: string; readonly columns: readonly ExportColumn[]; readonly since: string | null };

export type Window = { readonly from: Date | null; readonly to: Date | null };

/** So many rows travel at once: some hundred kilobytes of ordinary rows, so that memory stays flat. */
const ROWS_AT_ONCE = 500;

/** After so many rows what they left is given back; else 100 MB of it gather. It takes some 20 ms. */
const COLLECTED_ROWS = 20_000;

/** The rows of the person in one table, in batches, as arrays of text in the order of the columns; what is others' is null. */
export async function* exportRows(
  client: pg.ClientBase,
  { map, reach, person }: { readonly map: DataMap; readonly reach: Reach; readonly person: Person },
  { table, columns, since }: ExportTable,
  window: Window,
): AsyncGenerator<readonly (string | null)[][]> {
  const { edges } = rowsOf(reach, table, person.key);
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
  const others = personsOf(map, reach.schema, table);
  // A column of bytes is sealed or plain; either way the server's own text of it is what is read.
  const list = [...columns.map(textOf), ...flags, ...others.map(({ expression }) => expression)];
  const bounds = since === null ? '' : windowCondition(since, window, parameters);
  const text = `declare safekeep_export no scroll cursor for select ${list.join(', ')} from ${quoteTable(table)} as t where (${conditions.join(' or ')})${bounds}`;
  await client.query(text, parameters.values);
  const paths = edges.map(({ edge }) => edge?.path ?? '');
  let read = 0;
  try {
    for (;;) {
      const { rows } = await client.query<(string | null)[]>({
        text: `fetch ${ROWS_AT_ONCE} from safekeep_export`,
        rowMode: 'array',
      });
      if (rows.length > 0) {
        if (flags.length > 0 || others.length > 0)
          for (const row of rows) hideOthers(row, { columns, edges, paths, others, person, hasFlags: flags.length > 0 });
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

type Hiding = {
  readonly columns: readonly ExportColumn[];
  readonly edges: ReturnType<typeof rowsOf>['edges'];
  readonly paths: readonly string[];
  readonly others: ReturnType<typeof personsOf>;
  readonly person: Person;
  readonly hasFlags: boolean;
};

/** Empties what is another person's in this row, and cuts the row to its columns. */
function hideOthers(row: (string | null)[], { columns, edges, paths, others, person, hasFlags }: Hiding): void {
  const width = columns.length;
  const reached = edges.filter((_, place) => !hasFlags || row[width + place] === 'true');
  const mine = new Set(hasFlags ? paths.filter((_, place) => row[width + place] === 'true') : paths);
  const strangersBy = new Set<string>();
  for (const [place, { path, type }] of others.entries()) {
    // The statement selects an array of arrays of text.
    const keys = JSON.parse(row[width + (hasFlags ? edges.length : 0) + place] ?? '[]') as string[][];
    if (keys.some((key) => type !== person.type || key.some((part, at) => part !== person.key[at]))) strangersBy.add(path);
  }
  row.length = width;
  if (strangersBy.size === 0) return;
  // Of a row that is another's, and in which the person is named only, nothing personal is theirs.
  const isNamedOnly = reached.every(({ edge }) => edge?.meaning === 'created_by');
  for (const [place, { of, refersBy, personal }] of columns.entries()) {
    const isOthers = of !== null && !mine.has(of) && strangersBy.has(of);
    const names = refersBy.some((path) => strangersBy.has(path) && !mine.has(path));
    const isTheirs = (of !== null && mine.has(of)) || refersBy.some((path) => mine.has(path));
    if (isOthers || names || (isNamedOnly && personal && !isTheirs)) row[place] = null;
  }
}

/** Of a sealed column `s` and the bytes, or `p` and the value where it is not sealed yet. */
function textOf({ stored, sealed, plain }: ExportColumn): string {
  const text = `t.${quote(stored)}::text`;
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
