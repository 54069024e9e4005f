import {
  encryptedName,
  formatPath,
  isPersonalColumn,
  resolveEdge,
  type ColumnFacts,
  type DataMap,
  type MappedColumn,
  type MappedTable,
  type SchemaIndex,
  type TableFacts,
} from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import type { Action, ErasureMode } from '../model.ts';
import { leadsToOne, OWN_ROW } from './graph.ts';
import { valueWrite, wholeRowOf, type ColumnChoice, type WholeRow } from './masks.ts';

/** What becomes of a group of rows of one table, and why. Rows with the same treatment are changed by one statement. */
export type Treatment = {
  readonly action: Action;
  readonly reason: string;
  readonly basis: string | null;
  /** A hold or a duty keeps the row, and until that ends all that tells of it must stay readable; of what stays by itself nothing must. */
  readonly keptBy?: 'hold' | 'duty';
  readonly choices: readonly ColumnChoice[];
  /** Personal columns that stay as they are in a row of which others are masked. */
  readonly keeps?: WholeRow['keeps'];
  /** What would be done if rows that stay needed nothing of it. */
  readonly instead?: Treatment;
};

export const HELD = 'held';
export const DUTY = 'a duty to keep it';

/** What the map says of a table, worked out once. */
export type TablePolicy = {
  readonly table: string;
  readonly facts: TableFacts;
  readonly whole: WholeRow;
  readonly mapped: MappedTable | null;
  /** Columns of the person in a row of several, by the path that leads to them. */
  readonly own: ReadonlyMap<string, readonly ColumnChoice[]>;
  /** The columns that refer towards the person, nullable all, by path. */
  readonly detach: ReadonlyMap<string, readonly ColumnChoice[]>;
  /** The columns by which a path leaves the row: while somebody stands at its end they stay. */
  readonly ties: ReadonlyMap<string, readonly string[]>;
  /** Columns that are several people's, or of all whom a path leads to together, with the paths that lead to them. */
  readonly joint: ReadonlyMap<string, readonly string[]>;
  /** Columns of people of which the map does not say whose they are where several stand in a row. */
  readonly unmarked: readonly string[];
  /** Personal columns that name a large object, by its number. */
  readonly objects: readonly string[];
};

export function policyOf(map: DataMap, schema: SchemaIndex, table: string, facts: TableFacts): TablePolicy {
  const mapped = map.tables.get(table) ?? null;
  if (mapped === null)
    return {
      table,
      facts,
      mapped,
      whole: { choices: [], deletes: false, keeps: [], blocked: [] },
      own: new Map(),
      detach: new Map(),
      ties: new Map(),
      joint: new Map(),
      unmarked: [],
      objects: [],
    };
  const whole = wholeRowOf({ map, schema }, mapped, facts);
  const own = new Map<string, readonly ColumnChoice[]>();
  const detach = new Map<string, readonly ColumnChoice[]>();
  const ties = new Map<string, readonly string[]>();
  const columns = columnsByPath(map, schema, mapped);
  for (const edge of mapped.of) {
    const path = formatPath(edge.path);
    const resolved = resolveEdge(map, schema, table, edge);
    const theirs = columns.get(path) ?? new Set();
    own.set(
      path,
      whole.choices.filter(({ column }) => theirs.has(column)),
    );
    const first = 'kind' in resolved ? undefined : resolved.hops[0];
    ties.set(path, first?.columns ?? []);
    const referring = first?.direction === 'forward' ? first.columns : [];
    const nullable = referring.filter((name) => facts.columns.find((column) => column.name === name)?.notNull === false);
    // One null in the key is enough for the reference to be none.
    detach.set(
      path,
      nullable.map((column) => ({ column, candidates: [{ column, to: 'null' }], fixed: true })),
    );
  }
  const marked = new Set([...columns.values()].flatMap((names) => [...names]));
  const unmarked = whole.choices.map(({ column }) => column).filter((column) => mapped.of.length > 0 && !marked.has(column));
  return {
    table,
    facts,
    mapped,
    whole,
    own,
    detach,
    ties,
    joint: jointColumns(columns, pathsToSeveral(map, schema, mapped)),
    unmarked,
    objects: facts.columns.filter((column) => namesObject(column, mapped.columns.get(column.name))).map(({ name }) => name),
  };
}

/** Whether a personal column may name a large object: by its number, or `lo`, which is a domain over it. */
export function namesObject({ baseType }: ColumnFacts, mapped: MappedColumn | undefined): boolean {
  return baseType === 'oid' && mapped !== undefined && isPersonalColumn(mapped) && mapped.erase?.kind !== 'keep';
}

/** Paths by which a row may lead to several people at once: a household by its address, the holders of an account. */
export function pathsToSeveral(map: DataMap, schema: SchemaIndex, mapped: MappedTable): ReadonlySet<string> {
  return new Set(
    mapped.of.flatMap((edge) => {
      const resolved = resolveEdge(map, schema, mapped.name, edge);
      return 'kind' in resolved || leadsToOne(schema, resolved.hops) ? [] : [formatPath(edge.path)];
    }),
  );
}

function jointColumns(
  byPath: ReadonlyMap<string, ReadonlySet<string>>,
  several: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, string[]>();
  for (const [path, names] of byPath) for (const name of names) paths.set(name, [...(paths.get(name) ?? []), path]);
  return new Map([...paths].filter(([, of]) => of.length > 1 || of.some((path) => several.has(path))));
}

/**
 * The personal columns that are one person's where several may stand in a row, by the path that leads to them, as they stand in the
 * database: those that the map marks with `of`, and all that it does not mark where only one path is about anybody. Whoever only
 * wrote a row is nobody whom unmarked columns could be about; a row that is a person itself is about that person, by no path.
 */
export function columnsByPath(map: DataMap, schema: SchemaIndex, mapped: MappedTable): ReadonlyMap<string, ReadonlySet<string>> {
  const paths = mapped.of.map((edge) => ({ path: formatPath(edge.path), resolved: resolveEdge(map, schema, mapped.name, edge) }));
  const abouts = paths.filter(({ resolved }) => 'kind' in resolved || resolved.meaning !== 'created_by').map(({ path }) => path);
  const isPerson = [...map.subjects.values()].some(({ table }) => table === mapped.name);
  const [only] = isPerson ? [OWN_ROW] : abouts.length === 1 ? abouts : [];
  const found = new Map([...paths.map(({ path }) => path), OWN_ROW].map((path) => [path, new Set<string>()]));
  for (const column of mapped.columns.values()) {
    const unsaid = only === undefined || !isPersonalColumn(column) ? [] : [only];
    for (const path of column.of.length === 0 ? unsaid : column.of.map(formatPath))
      for (const name of [column.name, encryptedName(column.name)]) found.get(path)?.add(name);
  }
  return found;
}

/** What is known of one row. */
export type RowFacts = {
  readonly reached: readonly { readonly meaning: string; readonly path: string }[];
  /** Those of the others who are still people: not erased themselves. */
  readonly others: readonly Person[];
  /** Those of them who own the row as much as the person, or more. */
  readonly owners: readonly Person[];
  /** Paths at which one of the others stands. */
  readonly taken: ReadonlySet<string>;
  readonly kept: object | null;
  readonly held: boolean;
  /** It must stay because another row that stays refers to it. */
  readonly shell: boolean;
  /** Columns of it by which a kept row leads to the person. */
  readonly links: ReadonlySet<string>;
};

/** Whose a row is: export and erasure both go by this. */
export function belonging({ reached, others, owners }: Pick<RowFacts, 'reached' | 'others' | 'owners'>): {
  readonly isOwned: boolean;
  readonly isShared: boolean;
  /** All of it is the person's. */
  readonly isWhole: boolean;
} {
  const owns = reached.some(({ meaning }) => meaning === 'owns');
  const isOwned = owns && owners.length === 0;
  const isShared = !isOwned && (owns || reached.some(({ meaning }) => meaning === 'shared'));
  return { isOwned, isShared, isWhole: isOwned || (isShared && others.length === 0) };
}

/** Decides for one row. Never asks anything. */
export function treatmentOf(policy: TablePolicy, row: RowFacts, mode: ErasureMode): Treatment {
  return keepLinks(treatmentByItself(policy, row, mode), row.links);
}

/** What leads from kept rows to the person stays as it is: when the duty or the hold ends they are found by it, and it goes with them. */
function keepLinks(treatment: Treatment, links: ReadonlySet<string>): Treatment {
  const staying = treatment.choices.filter(({ column }) => links.has(column));
  if (staying.length === 0) return treatment;
  const choices = treatment.choices.filter(({ column }) => !links.has(column));
  const keeps = [...(treatment.keeps ?? []), ...staying.map(({ column }) => ({ column, reason: LINK }))];
  const { instead = treatment } = treatment;
  if (choices.length > 0 || treatment.action === 'keep') return { ...treatment, choices, keeps, instead };
  return { ...treatment, action: 'keep', reason: `${treatment.reason}; ${LINK}`, basis: 'reference', choices, keeps, instead };
}

export const LINK = 'by it a row that is kept leads to the person';

function treatmentByItself(policy: TablePolicy, row: RowFacts, mode: ErasureMode): Treatment {
  if (row.held) return { action: 'keep', reason: HELD, basis: 'hold', keptBy: 'hold', choices: [] };
  const { isOwned, isShared, isWhole } = belonging(row);
  if (row.kept !== null) return keptByDuty(policy, row, isWhole);
  // One path may own the row, and a column of it be somebody else's too.
  if (isWhole && alsoOthers(policy, row).length > 0) return jointTreatment(policy, row, mode);
  if (isWhole) return wholeTreatment(policy, row, { mode, isOwned });
  return partialTreatment(policy, row, { mode, isShared });
}

/** Personal columns of the row that are of somebody who stays as well: they go with the last of them. */
function alsoOthers({ whole, joint }: TablePolicy, { taken }: RowFacts): readonly string[] {
  if (joint.size === 0 || taken.size === 0) return [];
  const personal = [...whole.choices, ...whole.keeps].map(({ column }) => column);
  return personal.filter((column) => joint.get(column)?.some((path) => taken.has(path)) === true);
}

/** All of a row of theirs but those columns, which is why it cannot go. */
function jointTreatment(policy: TablePolicy, row: RowFacts, mode: ErasureMode): Treatment {
  const { whole } = policy;
  const staying = new Set(alsoOthers(policy, row));
  const masked = whole.choices.filter(({ column }) => !staying.has(column));
  const detached = mode === 'delete' ? detachable(policy, row, row.reached) : [];
  const choices = [...new Map([...masked, ...detached].map((choice) => [choice.column, choice])).values()];
  const keeps = [
    ...whole.keeps.filter(({ column }) => !staying.has(column)),
    ...[...staying].map((column) => ({ column, reason: JOINT })),
  ];
  const reason = 'theirs, but for what is also of people who stay';
  if (choices.length > 0) return { action: 'mask', reason, basis: null, choices, keeps };
  return { action: 'keep', reason, basis: 'rights_of_others', choices, keeps };
}

/** What cuts the row off from the person by these paths, and from nobody else: whoever stays must be found by the same columns. */
function detachable({ detach, ties }: TablePolicy, { taken }: RowFacts, reached: RowFacts['reached']): readonly ColumnChoice[] {
  const staying = new Set([...taken].flatMap((path) => ties.get(path) ?? []));
  return reached.flatMap(({ path }) => detach.get(path) ?? []).filter(({ column }) => !staying.has(column));
}

function keptByDuty(policy: TablePolicy, row: RowFacts, isWhole: boolean): Treatment {
  const rule = policy.mapped?.onErasure;
  if (rule === undefined || rule === null) throw new Error('A row is kept by no rule');
  const basis = rule.cite === null ? rule.keep : `${rule.keep} (${rule.cite})`;
  const staying = new Set(alsoOthers(policy, row));
  const choices = isWhole
    ? [...rule.replace]
        .filter(([column]) => !staying.has(column))
        .map(([column, value]): ColumnChoice => ({ column, candidates: [valueWrite(column, value)], fixed: true }))
    : [];
  return { action: 'keep', reason: DUTY, basis, keptBy: 'duty', choices };
}

function wholeTreatment(
  { whole }: TablePolicy,
  row: RowFacts,
  { mode, isOwned }: { readonly mode: ErasureMode; readonly isOwned: boolean },
): Treatment {
  const why = isOwned ? 'theirs' : 'shared, and nobody else stands in it any more';
  if (mode !== 'delete' && !whole.deletes) return maskedTreatment(whole, why);
  const deleted: Treatment = { action: 'delete', reason: why, basis: null, choices: [] };
  if (!row.shell) return deleted;
  return { ...maskedTreatment(whole, `${why}; an empty row stays, because rows that stay refer to it`), instead: deleted };
}

function maskedTreatment(whole: WholeRow, reason: string): Treatment {
  if (whole.choices.length > 0) return { action: 'mask', reason, basis: null, choices: whole.choices, keeps: whole.keeps };
  const kept = whole.keeps.map(({ column, reason: because }) => `${column}: ${because}`).join(', ');
  const nothing = kept === '' ? 'nothing in it is personal' : `nothing in it is erased (${kept})`;
  return { action: 'keep', reason: `${reason}; ${nothing}`, basis: kept === '' ? 'not_personal' : 'map', choices: [] };
}

function partialTreatment(
  policy: TablePolicy,
  row: RowFacts,
  { mode, isShared }: { readonly mode: ErasureMode; readonly isShared: boolean },
): Treatment {
  const { own, joint } = policy;
  const theirs = row.reached.flatMap(({ path }) => own.get(path) ?? []);
  // What is somebody else's too goes with the last of them.
  const isAlsoOthers = ({ column }: ColumnChoice): boolean => joint.get(column)?.some((path) => row.taken.has(path)) === true;
  const masked = theirs.filter((choice) => !isAlsoOthers(choice));
  const keeps = [...new Set(theirs.filter(isAlsoOthers).map(({ column }) => column))].map((column) => ({ column, reason: JOINT }));
  const leaving = row.reached.filter(({ meaning }) => meaning === 'created_by' || mode === 'delete');
  const detached = detachable(policy, row, leaving);
  const choices = [...new Map([...masked, ...detached].map((choice) => [choice.column, choice])).values()];
  const why = whyInPart(row, isShared);
  if (masked.length > 0) return { action: 'mask', reason: `${why}; their own columns are masked`, basis: null, choices, keeps };
  if (detached.length > 0) return { action: 'detach', reason: `${why}; they are detached`, basis: null, choices, keeps };
  if (row.reached.length === 0) return { action: 'keep', reason: why, basis: 'rights_of_others', choices: [] };
  return {
    action: 'keep',
    reason: `${why}; ${isShared ? 'no column of it is marked as theirs alone' : `what refers to them ${leaving.length === 0 ? 'stays' : 'cannot be emptied'}, and points to a row without a person`}`,
    basis: isShared ? 'rights_of_others' : 'reference',
    choices: [],
    keeps,
  };
}

/** Why a column of several people stays. */
const JOINT = 'it is also of people who stay';

function whyInPart({ reached }: RowFacts, isShared: boolean): string {
  if (isShared) return 'shared with people who stay';
  if (reached.length === 0) return "it hangs on a row of theirs, and is somebody else's";
  return reached.some(({ meaning }) => meaning === 'about') ? 'about them, and not theirs' : 'they are its author only';
}

/** The paths of a row in one text, for {@link factsKey}. */
export function waysText({ reached }: Pick<RowFacts, 'reached'>): string {
  return reached.map(({ meaning, path }) => `${meaning} ${path}`).join('|');
}

/** Rows with the same key are treated alike: all that `treatmentOf` looks at. */
export function factsKey({ others, owners, taken, kept, held, shell, links }: Omit<RowFacts, 'reached'>, ways: string): string {
  return `${held} ${shell} ${kept !== null} ${others.length === 0} ${owners.length === 0} ${[...taken].join('|')} ${[...links].join('|')} ${ways}`;
}

/** Tells treatments apart: the same text, the same statement. */
export function treatmentKey({ action, reason, basis, choices, keeps = [] }: Treatment): string {
  return JSON.stringify([action, reason, basis, choices.map(({ column }) => column), keeps.map(({ column }) => column)]);
}

/**
 * What an approval allows where it has a line of this treatment. An empty row that stays counts as one that is deleted: which of the two it
 * will be is known when all rows that refer to it have been dealt with.
 */
export function allowedBy(treatment: Treatment): readonly string[] {
  const { instead } = treatment;
  return [treatment, ...(instead?.action === 'delete' ? [instead] : [])].map(treatmentKey);
}

/** Treatments, as `treatmentKey` has them, that an approved plan has a line for, by table. */
export type Allowed = Readonly<Record<string, readonly string[]>>;

/**
 * Whether it was approved, or takes less than what was: of a row that others need something stays, and a hold may be placed at any moment, keeps
 * the row whole and brings the erasure back when it ends.
 */
export function isAllowed({ instead, ...treatment }: Treatment, allowed: readonly string[]): boolean {
  if (treatment.keptBy === 'hold' || allowed.includes(treatmentKey(treatment))) return true;
  return instead !== undefined && isAllowed(instead, allowed);
}
