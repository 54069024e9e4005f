import type { ImportResult } from '../model.ts';

/** The report as a list of parts, from which each readable form is made: what it says is decided once. */
export type ReportPart =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | {
      readonly kind: 'table';
      readonly caption: string;
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: 'source'; readonly caption: string; readonly text: string };

const ROWS_SHOWN = 1_000;

export function reportTitle(result: ImportResult): string {
  return `Import of ${result.source.file.split('/').at(-1) ?? ''} into schema ${result.schema}`;
}

export function reportParts(result: ImportResult): ReportPart[] {
  return [
    { kind: 'paragraph', text: verdict(result) },
    ...result.problems.map((text): ReportPart => ({ kind: 'paragraph', text })),
    sourceTable(result),
    { kind: 'heading', text: 'Tables' },
    tables(result),
    ...rejected(result),
    ...differences(result),
    { kind: 'heading', text: 'Columns' },
    columns(result),
    ...changedObjects(result),
    ...names(result),
    ...keptSources(result),
    { kind: 'heading', text: 'How this was proven' },
    { kind: 'paragraph', text: proofOf(result) },
  ];
}

const FULL_PROOF =
  'Every value of the source was read a second time through SQLite itself, every value of the target was read back from PostgreSQL, and each side was turned into a canonical form ' +
  'by code of its own. A digest holds the row count and, for each column, the NULL count and two sums modulo 2^64 of a hash over key, column and value. ' +
  'Equal digests mean equal values; a single difference would go unnoticed with a chance of about 1 in 2^64.';

function proofOf({ state, verify, tables }: ImportResult): string {
  const isProven =
    tables.length > 0 && tables.every(({ sourceDigest, targetDigest }) => sourceDigest !== null && targetDigest !== null);
  if (verify === 'full' && isProven) return FULL_PROOF;
  if (state === 'failed') return 'The import ended before its values were compared.';
  return verify === 'counts'
    ? 'Only the rows of each table were counted on both sides, as asked for with --verify counts; no value was compared.'
    : 'Nothing was compared, as asked for with --verify off.';
}

function verdict(result: ImportResult): string {
  const rows = count(result.tables.reduce((sum, table) => sum + table.rowsWritten, 0));
  if (result.state === 'failed') return 'The import was refused. Nothing of it stands in the target; the source was not touched.';
  if (result.state !== 'done') return `The import is in state ${result.state}.`;
  const proof = {
    full: `every value${result.rejected > 0 ? ' outside the quarantine' : ''} was compared and is equal`,
    counts: 'only the counts were compared',
    off: 'nothing was compared, as asked for',
  }[result.verify];
  const kept =
    result.rejected > 0 ? ` ${count(result.rejected)} row(s) that PostgreSQL cannot hold are kept whole in quarantine.` : '';
  return `Done in ${result.seconds.toFixed(1)} s: ${rows} rows in ${count(result.tables.length)} tables; ${proof}.${kept}`;
}

function sourceTable({ source, runId }: ImportResult): ReportPart {
  return {
    kind: 'table',
    caption: 'Source',
    head: ['What', 'Value'],
    rows: [
      ['Run', runId],
      ['File', source.file],
      ['SHA-256', source.sha256],
      [
        'Size',
        `${count(source.sizeBytes)} bytes${source.walBytes > 0 ? ` and ${count(source.walBytes)} bytes of write-ahead log` : ''}`,
      ],
      ['Opened', source.mode],
      ...source.checks.map((check) => ['Check', check]),
    ],
  };
}

function tables(result: ImportResult): ReportPart {
  return {
    kind: 'table',
    caption: 'Rows and digests by table',
    head: ['Source', 'Target', 'Rows read', 'Rows written', 'In quarantine', 'Proof', 'Digest'],
    rows: result.tables.map((table) => [
      table.source,
      table.target,
      count(table.rowsRead),
      count(table.rowsWritten),
      count(table.quarantined),
      table.sourceDigest === null ? 'not made' : table.sourceDigest === table.targetDigest ? 'equal' : 'DIFFERENT',
      table.sourceDigest ?? '',
    ]),
  };
}

function rejected(result: ImportResult): ReportPart[] {
  if (result.rejectedRows.length === 0) return [];
  const rows = result.rejectedRows.map(({ table, rowid, ordinal, columns: bad }) => [
    table,
    rowid ?? '',
    String(ordinal + 1),
    bad.join(', '),
  ]);
  return [
    { kind: 'heading', text: 'Rows that PostgreSQL cannot hold' },
    {
      kind: 'table',
      caption: 'Texts with NUL or without valid UTF-8',
      head: ['Table', 'rowid', 'Place', 'Columns'],
      rows: shown(rows),
    },
  ];
}

function differences(result: ImportResult): ReportPart[] {
  if (result.differences.length === 0) return [];
  const rows = result.differences.map(({ table, side, key, columns: bad }) => [table, side, key, bad.join(', ')]);
  return [
    { kind: 'heading', text: 'Differences' },
    { kind: 'table', caption: 'Rows that differ', head: ['Table', 'Side', 'rowid or ctid', 'Columns'], rows: shown(rows) },
  ];
}

function columns(result: ImportResult): ReportPart {
  return {
    kind: 'table',
    caption: 'What became of each column, and why',
    head: ['Column', 'Declared', 'Type', 'Reason', 'Proposed'],
    rows: result.tables.flatMap((table) =>
      table.columns.map((column) => [
        `${table.target}.${column.target}`,
        column.declaredType,
        column.type,
        column.reason,
        column.proposal ?? '',
      ]),
    ),
  };
}

function changedObjects(result: ImportResult): ReportPart[] {
  const states = ['not-migrated', 'changed', 'migrated'];
  const rows = result.objects
    .toSorted((a, b) => states.indexOf(a.state) - states.indexOf(b.state))
    .map(({ state, kind, name, reason }) => [state, kind, name, reason]);
  return [
    { kind: 'heading', text: 'Objects' },
    { kind: 'table', caption: 'Every object of the source, in exactly one state', head: ['State', 'Kind', 'Name', 'Reason'], rows },
  ];
}

function names(result: ImportResult): ReportPart[] {
  if (result.names.length === 0) return [];
  const rows = result.names.map(({ kind, source, target }) => [kind, source, target]);
  return [
    { kind: 'heading', text: 'Changed names' },
    { kind: 'table', caption: "Names that are not the source's", head: ['Kind', 'Source', 'Target'], rows },
  ];
}

function keptSources(result: ImportResult): ReportPart[] {
  const parts = result.objects.flatMap(({ kind, name, source }): ReportPart[] =>
    source === undefined ? [] : [{ kind: 'source', caption: `${kind} ${name}`, text: source }],
  );
  return parts.length === 0 ? [] : [{ kind: 'heading', text: 'Statements of the source that did not come over whole' }, ...parts];
}

function shown(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const rest = rows.length - ROWS_SHOWN;
  return rest > 0 ? [...rows.slice(0, ROWS_SHOWN), [`and ${count(rest)} more`]] : rows;
}

/** `12,000` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}
