import { formatDuration } from './duration.ts';
import type { ColumnText, EdgeText, EraseText, MapFile, PurposeText, SubjectText, TableText, TenantText } from './file-schema.ts';
import type {
  AuditSettings,
  DataMap,
  EraseAction,
  MappedColumn,
  MappedTable,
  Purpose,
  Subject,
  SubjectEdge,
  TenantRule,
} from './model.ts';
import { writeColumnName } from './names.ts';
import { formatPath } from './path.ts';

/**
 * A map as its file would hold it: every name in full, every default written out, so that two maps mean the same exactly if
 * these are equal. For comparing, hashing and exchange; a file that people keep is edited in place instead, with its comments.
 */
export function writeMap(map: DataMap): MapFile {
  return {
    version: 1,
    tenant: globalTenant(map.tenant),
    ...present({ controller: map.controller === null ? undefined : controllerText(map.controller), region: map.region }),
    audit: auditText(map.audit),
    watch_structure: map.watchStructure,
    purposes: record(map.purposes, purposeText),
    subjects: record(map.subjects, subjectText),
    tables: record(map.tables, tableText),
    outside: record(map.outside, ({ name: _name, subject, note, ...place }) => ({ ...place, of: subject, ...present({ note }) })),
  };
}

type Present<Values> = { [Key in keyof Values]?: NonNullable<Values[Key]> };

/** Leaves out what is null or undefined: the file says it by not saying it. */
function present<const Values extends Readonly<Record<string, unknown>>>(values: Values): Present<Values> {
  // Exactly the entries that are neither null nor undefined remain.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined)) as Present<Values>;
}

function record<Entry, Text>(entries: ReadonlyMap<string, Entry>, write: (entry: Entry) => Text): Record<string, Text> {
  return Object.fromEntries([...entries].map(([name, entry]) => [name, write(entry)]));
}

function someOf<Item>(items: readonly Item[]): Item[] | undefined {
  return items.length === 0 ? undefined : [...items];
}

function controllerText(controller: NonNullable<DataMap['controller']>): NonNullable<MapFile['controller']> {
  const { name, contact, dataProtectionOfficer, representative } = controller;
  return { name, contact, ...present({ data_protection_officer: dataProtectionOfficer, representative }) };
}

function globalTenant(rule: TenantRule): NonNullable<MapFile['tenant']> {
  const text = tenantText(rule);
  if (text === 'shared') throw new Error('A map as a whole is never shared by all tenants');
  return text;
}

function tenantText(rule: TenantRule): TenantText {
  if (rule.kind === 'column') return { column: writeColumnName(rule.column) };
  return rule.kind === 'path' ? { path: formatPath(rule.path) } : rule.kind;
}

function auditText({ writes, reads, actor, strictReads }: AuditSettings): NonNullable<MapFile['audit']> {
  return { writes, reads, actor, strict_reads: strictReads };
}

function purposeText({ use, basis, condition, retention, recipients, cite, note }: Purpose): PurposeText {
  return {
    use,
    ...present({
      basis,
      condition,
      retention: retention === null ? null : formatDuration(retention),
      recipients: someOf(recipients),
      cite,
      note,
    }),
  };
}

export function subjectText({ table, key, findBy, label }: Subject): SubjectText {
  const [only = '', ...more] = key.map(writeColumnName);
  return {
    table,
    key: more.length === 0 ? only : [only, ...more],
    ...present({ find_by: someOf(findBy.map(writeColumnName)), label: label === null ? null : writeColumnName(label) }),
  };
}

export function tableText(table: MappedTable): TableText {
  const { onErasure, retention, region, compliance, note } = table;
  return {
    ...present({
      of: table.ofNobody ? ('none' as const) : ofText(table.of),
      purposes: someOf(table.purposes),
      audit: auditText(table.audit),
      retention:
        retention === null
          ? null
          : {
              after: writeColumnName(retention.after),
              keep: formatDuration(retention.keep),
              then: retention.then,
              ...present({ cite: retention.cite }),
            },
      on_erasure: onErasure === null ? null : onErasureText(onErasure),
      columns: columnsText(table.columns),
      triggers:
        table.triggers.size === 0
          ? null
          : record(table.triggers, ({ writesTo, note: why }) => ({ writes_to: [...writesTo], note: why })),
      tenant: table.tenant === null ? null : tenantText(table.tenant),
      region,
      compliance,
      hide_deleted: table.hideDeleted ? true : null,
      isolate: table.isolate ? true : null,
      note,
    }),
  };
}

function onErasureText({
  keep,
  cite,
  until,
  replace,
}: NonNullable<MappedTable['onErasure']>): NonNullable<TableText['on_erasure']> {
  const values = Object.fromEntries([...replace].map(([column, value]) => [writeColumnName(column), value]));
  return {
    keep,
    ...present({
      cite,
      until: until === null ? null : `${writeColumnName(until.column)} + ${formatDuration(until.plus)}`,
      replace: replace.size === 0 ? null : values,
    }),
  };
}

function columnsText(columns: MappedTable['columns']): TableText['columns'] {
  return columns.size === 0
    ? undefined
    : Object.fromEntries([...columns].map(([name, column]) => [writeColumnName(name), columnText(column)]));
}

/** What the map says of a column, without what is so unless said otherwise. */
export function columnText({ categories, protect, search, searchWith, erase, freeText, of, note }: MappedColumn): ColumnText {
  const [only = 'none', ...more] = categories;
  return {
    category: more.length === 0 ? only : [only, ...more],
    ...present({
      protect: protect === 'none' ? null : protect,
      search: someOf(search),
      search_with: someOf(searchWith),
      free_text: freeText ? true : null,
      of: of.length > 1 ? of.map(formatPath) : of[0] === undefined ? null : formatPath(of[0]),
      note,
    }),
    ...(erase === null ? {} : { erase: eraseText(erase) }),
  };
}

export function eraseText(erase: EraseAction): EraseText {
  return erase.kind === 'replace' ? { replace: erase.value } : erase.kind;
}

/** Paths by subject; one alone without a list around it. */
export function ofText(edges: readonly SubjectEdge[]): Exclude<TableText['of'], 'none'> {
  if (edges.length === 0) return undefined;
  const groups = Map.groupBy(edges, ({ subject }) => subject);
  return Object.fromEntries(
    [...groups].map(([subject, group]) => {
      const [only, ...more] = group.map(edgeText);
      return [subject, only === undefined || more.length > 0 ? group.map(edgeText) : only];
    }),
  );
}

function edgeText({ path, meaning }: SubjectEdge): EdgeText {
  return meaning === null ? formatPath(path) : { path: formatPath(path), meaning };
}
