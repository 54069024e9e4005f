import { isMapping } from '../mapping.ts';
import { parseDuration } from './duration.ts';
import {
  MapFile,
  type AuditText,
  type ColumnText,
  type EdgeText,
  type EraseText,
  type TableText,
  type TenantText,
  type TriggerText,
} from './file-schema.ts';
import type {
  AuditSettings,
  DataMap,
  EraseAction,
  ErasureRule,
  HarmlessTrigger,
  MappedColumn,
  MappedTable,
  Purpose,
  RetentionRule,
  Subject,
  SubjectEdge,
  TenantRule,
} from './model.ts';
import { readColumnName, readTableName } from './names.ts';
import { parsePath, type SubjectPath } from './path.ts';
import { shapeFaults, type MapPointer } from './shape.ts';

/** Why a file is no map. Faults of a map against a database are problems (problems.ts), not these. */
export type MapFault = {
  readonly code:
    | 'unknown-key'
    | 'missing-key'
    | 'wrong-value'
    | 'name-invalid'
    | 'path-invalid'
    | 'duplicate-table'
    | 'duplicate-column';
  /** With the keys as they are written in the file. */
  readonly pointer: MapPointer;
  /** Where inside the text at that place, from 0. */
  readonly offset: number;
  readonly message: string;
  readonly remedy: string;
};

export type MapReading = { readonly map: DataMap; readonly file: MapFile } | { readonly faults: readonly MapFault[] };

/** Makes a map of what a file holds once its YAML is read. All faults at once, in the order of the file's parts. */
export function readMap(value: unknown): MapReading {
  const filled = fillEmpty(value);
  const shape = shapeFaults(MapFile, filled);
  if (shape.length > 0) return { faults: shape.map((fault) => ({ ...fault, offset: 0 })) };
  // Held against the schema on the line above.
  const file = filled as MapFile;
  const faults: MapFault[] = [];
  const map = new Reader(faults).map(file);
  return faults.length > 0 ? { faults } : { map, file };
}

/** `columns:` with nothing after it is an empty list of columns, which YAML reads as null. */
function fillEmpty(value: unknown): unknown {
  const filled = fillKeys(value, ['purposes', 'subjects', 'tables', 'outside']);
  if (!isMapping(filled) || !isMapping(filled['tables'])) return filled;
  const tables = Object.entries(filled['tables']).map(([name, table]): readonly [string, unknown] => [
    name,
    fillKeys(table ?? {}, ['columns']),
  ]);
  return { ...filled, tables: Object.fromEntries(tables) };
}

function fillKeys(value: unknown, keys: readonly string[]): unknown {
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, entry === null && keys.includes(key) ? {} : entry]));
}

const AUDIT_DEFAULTS: AuditSettings = { writes: true, reads: false, actor: 'warn', strictReads: false };
const UNTIL = /^(?<column>\S(?:.*\S)?)\s*\+\s*(?<plus>\S+)$/su;

/** Goes through a file of the right shape and gathers what is wrong in its names, paths and periods. */
class Reader {
  readonly #faults: MapFault[];

  constructor(faults: MapFault[]) {
    this.#faults = faults;
  }

  map(file: MapFile): DataMap {
    const audit = auditOf(file.audit, AUDIT_DEFAULTS);
    return {
      tenant: this.tenant(file.tenant ?? 'fixed', ['tenant']),
      controller: file.controller === undefined ? null : controllerOf(file.controller),
      region: file.region ?? null,
      audit,
      watchStructure: file.watch_structure ?? false,
      purposes: new Map(entriesOf(file.purposes).map(([name, text]) => [name, this.purpose(name, text)])),
      subjects: new Map(entriesOf(file.subjects).map(([name, text]) => [name, this.subject(name, text)])),
      tables: this.tables(file.tables, audit),
      outside: new Map(
        entriesOf(file.outside).map(([name, { of, note, ...place }]) => [
          name,
          { name, subject: of, ...place, note: note ?? null },
        ]),
      ),
    };
  }

  tables(texts: MapFile['tables'], audit: AuditSettings): ReadonlyMap<string, MappedTable> {
    const tables = new Map<string, MappedTable>();
    for (const [written, text] of entriesOf(texts)) {
      const pointer = ['tables', written];
      const name = this.tableName(written, pointer);
      if (tables.has(name))
        this.#fault(
          'duplicate-table',
          pointer,
          `${name} stands in the map twice`,
          'Join the two entries into one; public. may be left out, so both names mean the same table.',
        );
      tables.set(name, this.table(name, text, { pointer, audit }));
    }
    return tables;
  }

  table(
    name: string,
    text: TableText,
    { pointer, audit }: { readonly pointer: MapPointer; readonly audit: AuditSettings },
  ): MappedTable {
    const { of, purposes = [], columns, tenant, region = null, compliance = null, isolate = false, note = null } = text;
    return {
      name,
      of: of === undefined || of === 'none' ? [] : this.edges(of, [...pointer, 'of']),
      ofNobody: of === 'none',
      purposes,
      audit: auditOf(text.audit, audit),
      retention: this.retention(text.retention),
      onErasure: this.onErasure(text.on_erasure, [...pointer, 'on_erasure']),
      columns: this.columns(columns, [...pointer, 'columns']),
      triggers: new Map(
        entriesOf(text.triggers).map(([trigger, each]) => [trigger, this.trigger(each, [...pointer, 'triggers', trigger])]),
      ),
      tenant: tenant === undefined ? null : this.tenant(tenant, [...pointer, 'tenant']),
      region,
      compliance,
      hideDeleted: this.hideDeleted(text, pointer),
      isolate,
      note,
    };
  }

  hideDeleted({ hide_deleted: asked = false, compliance }: TableText, pointer: MapPointer): boolean {
    if (asked && compliance !== 'columns')
      this.#fault(
        'wrong-value',
        [...pointer, 'hide_deleted'],
        'there is no deleted_at in the table to hide rows by',
        'Write compliance: columns beside it, or remove it.',
      );
    return asked;
  }

  trigger({ writes_to: written, note }: TriggerText, pointer: MapPointer): HarmlessTrigger {
    const names = Array.isArray(written) ? written : [written];
    return { writesTo: names.map((name) => this.tableName(name, [...pointer, 'writes_to'])), note };
  }

  edges(of: Exclude<TableText['of'], undefined | 'none'>, pointer: MapPointer): readonly SubjectEdge[] {
    return Object.entries(of).flatMap(([subject, text]) => {
      const place = [...pointer, subject];
      return Array.isArray(text)
        ? text.map((each, index) => this.edge(subject, each, [...place, index]))
        : [this.edge(subject, text, place)];
    });
  }

  edge(subject: string, text: EdgeText, pointer: MapPointer): SubjectEdge {
    if (typeof text === 'string') return { subject, path: this.path(text, pointer), meaning: null };
    return { subject, path: this.path(text.path, [...pointer, 'path']), meaning: text.meaning };
  }

  columns(texts: TableText['columns'], pointer: MapPointer): ReadonlyMap<string, MappedColumn> {
    const columns = new Map<string, MappedColumn>();
    for (const [written, text] of entriesOf(texts)) {
      const name = readColumnName(written);
      const place = [...pointer, written];
      if (columns.has(name))
        this.#fault('duplicate-column', place, `the column ${name} stands here twice`, 'Join the two entries into one.');
      columns.set(name, this.column(name, text, place));
    }
    return columns;
  }

  column(name: string, text: ColumnText, pointer: MapPointer): MappedColumn {
    const written = Array.isArray(text.category) ? text.category : [text.category];
    const categories = written.filter((category) => category !== 'none');
    if (written.length > 1 && categories.length < written.length) {
      this.#fault(
        'wrong-value',
        [...pointer, 'category'],
        'none stands beside a category',
        'A column is either personal or looked at and not: write none alone, or leave it out.',
      );
    }
    return {
      name,
      categories,
      protect: text.protect ?? 'none',
      search: text.search ?? [],
      searchWith: text.search_with ?? [],
      erase: text.erase === undefined ? null : eraseOf(text.erase),
      freeText: text.free_text ?? false,
      of: this.columnPaths(text.of, [...pointer, 'of']),
      note: text.note ?? null,
    };
  }

  columnPaths(text: ColumnText['of'], pointer: MapPointer): readonly SubjectPath[] {
    if (text === undefined) return [];
    return Array.isArray(text) ? text.map((each, index) => this.path(each, [...pointer, index])) : [this.path(text, pointer)];
  }

  purpose(name: string, text: NonNullable<MapFile['purposes']>[string]): Purpose {
    return {
      name,
      use: text.use,
      basis: text.basis ?? null,
      condition: text.condition ?? null,
      retention: text.retention === undefined ? null : durationOf(text.retention),
      recipients: text.recipients ?? [],
      cite: text.cite ?? null,
      note: text.note ?? null,
    };
  }

  subject(name: string, text: NonNullable<MapFile['subjects']>[string]): Subject {
    return {
      name,
      table: this.tableName(text.table, ['subjects', name, 'table']),
      key: (Array.isArray(text.key) ? text.key : [text.key]).map(readColumnName),
      findBy: (text.find_by ?? []).map(readColumnName),
      label: text.label === undefined ? null : readColumnName(text.label),
    };
  }

  tenant(text: TenantText, pointer: MapPointer): TenantRule {
    if (text === 'fixed' || text === 'shared') return { kind: text };
    if ('column' in text) return { kind: 'column', column: readColumnName(text.column) };
    return { kind: 'path', path: this.path(text.path, [...pointer, 'path']) };
  }

  retention(text: TableText['retention']): RetentionRule | null {
    if (text === undefined) return null;
    return { after: readColumnName(text.after), keep: durationOf(text.keep), then: text.then, cite: text.cite ?? null };
  }

  onErasure(text: TableText['on_erasure'], pointer: MapPointer): ErasureRule | null {
    if (text === undefined) return null;
    const replace = new Map(entriesOf(text.replace).map(([column, value]) => [readColumnName(column), value]));
    return { keep: text.keep, cite: text.cite ?? null, until: this.until(text.until, [...pointer, 'until']), replace };
  }

  until(text: string | undefined, pointer: MapPointer): ErasureRule['until'] {
    if (text === undefined) return null;
    const { column, plus = '' } = UNTIL.exec(text)?.groups ?? {};
    const period = parseDuration(plus);
    if (column !== undefined && period !== undefined) return { column: readColumnName(column), plus: period };
    this.#fault(
      'wrong-value',
      pointer,
      'must be a column and a period',
      'Write it like issued_at + 10y; periods end in y, mo, w or d.',
    );
    return null;
  }

  tableName(text: string, pointer: MapPointer): string {
    const read = readTableName(text);
    if ('name' in read) return read.name;
    this.#fault('name-invalid', pointer, read.fault, read.remedy);
    return text;
  }

  path(text: string, pointer: MapPointer): SubjectPath {
    const read = parsePath(text);
    if ('path' in read) return read.path;
    const { offset, message } = read.fault;
    const remedy =
      'Write columns of the row (patient_id, or [tenant_id, patient_id]) and, over other tables, -> table.column. A name with blanks stands in double quotes inside of the path.';
    this.#faults.push({ code: 'path-invalid', pointer, offset, message, remedy });
    return { steps: [] };
  }

  #fault(code: MapFault['code'], pointer: MapPointer, message: string, remedy: string): void {
    this.#faults.push({ code, pointer, offset: 0, message, remedy });
  }
}

function entriesOf<Entry>(texts: Readonly<Record<string, Entry>> | undefined): readonly (readonly [string, Entry])[] {
  return Object.entries(texts ?? {});
}

function controllerOf(text: NonNullable<MapFile['controller']>): NonNullable<DataMap['controller']> {
  const { name, contact, data_protection_officer: dataProtectionOfficer = null, representative = null } = text;
  return { name, contact, dataProtectionOfficer, representative };
}

function auditOf(text: AuditText | undefined, otherwise: AuditSettings): AuditSettings {
  if (text === undefined) return otherwise;
  return {
    writes: text.writes ?? otherwise.writes,
    reads: text.reads ?? otherwise.reads,
    actor: text.actor ?? otherwise.actor,
    strictReads: text.strict_reads ?? otherwise.strictReads,
  };
}

function eraseOf(text: EraseText): EraseAction {
  if (text === null) return { kind: 'null' };
  return typeof text === 'string' ? { kind: text } : { kind: 'replace', value: text.replace };
}

function durationOf(text: string): NonNullable<ReturnType<typeof parseDuration>> {
  const duration = parseDuration(text);
  if (duration === undefined) throw new Error(`The schema of the map let ${text} pass as a period`);
  return duration;
}
