import { csvLine } from './csv.ts';
import type { EventView } from './model.ts';

export const exportFormats = ['jsonl', 'csv', 'cef', 'ocsf'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** The lines of a file that another program reads. Each ends where the format says it does. */
export type LineWriter = { readonly head: string; readonly line: (event: EventView) => string };

export function lineWriter(format: ExportFormat, product: { readonly version: string }): LineWriter {
  switch (format) {
    case 'jsonl':
      return { head: '', line: (event) => `${JSON.stringify(event)}\n` };
    case 'csv':
      return { head: csvLine([...CSV_COLUMNS, 'columns', 'changes']), line: csvOf };
    case 'cef':
      return { head: '', line: (event) => cefOf(event, product.version) };
    case 'ocsf':
      return { head: '', line: (event) => `${JSON.stringify(ocsfOf(event, product.version))}\n` };
  }
}

const CSV_COLUMNS = [
  'index',
  'id',
  'at',
  'sequencedAt',
  'kind',
  'action',
  'table',
  'record',
  'subject',
  'actor',
  'actorState',
  'purpose',
  'request',
  'erased',
] as const;

function csvOf(event: EventView): string {
  const changes = event.changes === undefined ? '' : JSON.stringify(event.changes);
  return csvLine([...CSV_COLUMNS.map((column) => event[column]), event.columns.join(' '), changes]);
}

/** How urgent a SIEM should find it, 0 to 10 (CEF) . */
function severityOf({ kind, action }: EventView): number {
  if (/denied|failed|refused/.test(action)) return 6;
  if (kind === 'security') return 5;
  return kind === 'change' || kind === 'access' ? 2 : 3;
}

/** ArcSight Common Event Format, revision 25: `CEF:0|vendor|product|version|id|name|severity|extension`. */
function cefOf(event: EventView, version: string): string {
  const header = [
    'Safekeep',
    'Safekeep',
    version,
    `${event.kind}:${event.action}`,
    `${event.kind} ${event.action}`,
    String(severityOf(event)),
  ];
  const extension: readonly (readonly [string, string | number | null])[] = [
    ['rt', Date.parse(event.at)],
    ['externalId', event.id],
    ['suser', event.actor],
    ['duid', event.subject],
    ['act', event.action],
    ['cat', event.kind],
    ['reason', event.purpose],
    ['cn1Label', 'log index'],
    ['cn1', event.index],
    ...labelled('cs1', 'table', event.table),
    ...labelled('cs2', 'record', event.record),
    ...labelled('cs3', 'columns', event.columns.join(' ')),
    ...labelled('cs4', 'attribution', event.actorState),
    ...labelled('cs5', 'request', event.request),
  ];
  const pairs = extension
    .filter(([, value]) => value !== null && value !== '')
    .map(([key, value]) => `${key}=${cefValue(String(value))}`);
  return `CEF:0|${header.map(cefHeader).join('|')}|${pairs.join(' ')}\n`;
}

/** A field of one's own and what it is called; a label without a value says nothing. */
function labelled(field: string, label: string, value: string | null): readonly (readonly [string, string])[] {
  return value === null || value === ''
    ? []
    : [
        [`${field}Label`, label],
        [field, value],
      ];
}

/** Pipes and backslashes are escaped in the header; a line break would begin another event. */
function cefHeader(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ').replaceAll(/[\\|]/g, '\\$&');
}

function cefValue(text: string): string {
  return text.replaceAll(/[\\=]/g, '\\$&').replaceAll('\r', '\\r').replaceAll('\n', '\\n');
}

const OCSF_ACTIVITY: Readonly<Record<string, number>> = {
  insert: 1,
  read: 2,
  access: 2,
  update: 3,
  delete: 4,
  truncate: 4,
  export: 2,
};

/** OCSF 1.3, class Datastore Activity (6005): who did what to which table. */
function ocsfOf(event: EventView, version: string): object {
  const activity = OCSF_ACTIVITY[event.action.toLowerCase()] ?? 99;
  return {
    class_uid: 6005,
    category_uid: 6,
    type_uid: 600_500 + activity,
    activity_id: activity,
    activity_name: event.action,
    time: Date.parse(event.at),
    severity_id: severityOf(event) >= 6 ? 3 : 1,
    status_id: /denied|failed|refused/.test(event.action) ? 2 : 1,
    metadata: {
      version: '1.3.0',
      product: { name: 'Safekeep', vendor_name: 'Safekeep', version },
      uid: event.id,
      sequence: event.index,
      logged_time: Date.parse(event.sequencedAt),
    },
    actor: { user: { name: event.actor ?? 'unknown' } },
    // The class asks for a place where it came from; we know none of the network.
    src_endpoint: { name: 'database' },
    table: { name: event.table ?? '' },
    type_id: 1,
    unmapped: {
      kind: event.kind,
      record: event.record,
      subject: event.subject,
      columns: event.columns,
      attribution: event.actorState,
      purpose: event.purpose,
      request: event.request,
      erased: event.erased,
    },
  };
}
