import {
  encryptedName,
  formatPath,
  isPersonalColumn,
  resolveEdge,
  type DataMap,
  type MappedTable,
  type SchemaIndex,
  type TableFacts,
} from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import type { Action, ErasureMode } from '../model.ts';
import { valueWrite, wholeRowOf, type ColumnChoice, type WholeRow } from './masks.ts';

/** What becomes of a group of rows of one table, and why. Rows with the same treatment are changed by one statement. */
export type Treatment = {
  readonly action: Action;
  readonly reason: string;
  readonly basis: string | null;
  readonly choices: readonly ColumnChoice[];
};

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
    };
  const whole = wholeRowOf({ map, schema }, mapped, facts);
  const own = new Map<string, readonly ColumnChoice[]>();
  const detach = new Map<string, readonly ColumnChoice[]>();
  const resolvedEdges = mapped.of.map((edge) => ({ edge, resolved: resolveEdge(map, schema, table, edge) }));
  // Whoever only wrote a row is nobody whom its columns could be about.
  const isAbout = (resolved: ReturnType<typeof resolveEdge>): boolean => 'kind' in resolved || resolved.meaning !== 'created_by';
  const abouts = resolvedEdges.filter(({ resolved }) => isAbout(resolved)).length;
  for (const { edge, resolved } of resolvedEdges) {
    const path = formatPath(edge.path);
    const isOnly = abouts === 1 && isAbout(resolved);
    const belongs = (name: string): boolean => {
      const column = [...mapped.columns.values()].find((each) => each.name === name || encryptedName(each.name) === name);
      if (column === undefined) return false;
      return column.of === null ? isOnly && isPersonalColumn(column) : formatPath(column.of) === path;
    };
    own.set(
      path,
      whole.choices.filter(({ column }) => belongs(column)),
    );
    const first = 'kind' in resolved ? undefined : resolved.hops[0];
    const columns = first?.direction === 'forward' ? first.columns : [];
    const nullable = columns.filter((name) => facts.columns.find((column) => column.name === name)?.notNull === false);
    // One null in the key is enough for the reference to be none.
    detach.set(
      path,
      nullable.map((column) => ({ column, candidates: [{ column, to: 'null' }], fixed: true })),
    );
  }
  return { table, facts, mapped, whole, own, detach };
}

/** What is known of one row. */
export type RowFacts = {
  readonly reached: readonly { readonly meaning: string; readonly path: string }[];
  /** Those of the others who are still people: not erased themselves. */
  readonly others: readonly Person[];
  readonly kept: { readonly until: string | null } | null;
  readonly held: boolean;
  /** It must stay because another row that stays refers to it. */
  readonly shell: boolean;
};

/** Decides for one row. Never asks anything. */
export function treatmentOf(policy: TablePolicy, row: RowFacts, mode: ErasureMode): Treatment {
  if (row.held) return { action: 'keep', reason: 'held', basis: 'hold', choices: [] };
  const isOwned = row.reached.some(({ meaning }) => meaning === 'owns');
  const isShared = row.reached.some(({ meaning }) => meaning === 'shared');
  const isWhole = isOwned || (isShared && row.others.length === 0);
  if (row.kept !== null) return keptByDuty(policy, isWhole);
  if (isWhole) return wholeTreatment(policy, row, { mode, isOwned });
  return partialTreatment(policy, row, { mode, isShared });
}

function keptByDuty({ mapped }: TablePolicy, isWhole: boolean): Treatment {
  const rule = mapped?.onErasure;
  if (rule === undefined || rule === null) throw new Error('A row is kept by no rule');
  const basis = rule.cite === null ? rule.keep : `${rule.keep} (${rule.cite})`;
  const choices = isWhole
    ? [...rule.replace].map(([column, value]): ColumnChoice => ({ column, candidates: [valueWrite(column, value)], fixed: true }))
    : [];
  return { action: 'keep', reason: 'a duty to keep it', basis, choices };
}

function wholeTreatment(
  { whole }: TablePolicy,
  row: RowFacts,
  { mode, isOwned }: { readonly mode: ErasureMode; readonly isOwned: boolean },
): Treatment {
  const why = isOwned ? 'theirs' : 'shared, and nobody else stands in it any more';
  const wantsDelete = mode === 'delete' || whole.deletes;
  if (wantsDelete && !row.shell) return { action: 'delete', reason: why, basis: null, choices: [] };
  const reason = row.shell && wantsDelete ? `${why}; an empty row stays, because rows that stay refer to it` : why;
  if (whole.choices.length > 0) return { action: 'mask', reason, basis: null, choices: whole.choices };
  const kept = whole.keeps.map(({ column, reason: because }) => `${column}: ${because}`).join(', ');
  const nothing = kept === '' ? 'nothing in it is personal' : `nothing in it is erased (${kept})`;
  return { action: 'keep', reason: `${why}; ${nothing}`, basis: kept === '' ? 'not_personal' : 'map', choices: [] };
}

function partialTreatment(
  { own, detach }: TablePolicy,
  row: RowFacts,
  { mode, isShared }: { readonly mode: ErasureMode; readonly isShared: boolean },
): Treatment {
  const masked = row.reached.filter(({ meaning }) => meaning !== 'created_by').flatMap(({ path }) => own.get(path) ?? []);
  const detached = row.reached
    .filter(({ meaning }) => meaning === 'created_by' || mode === 'delete')
    .flatMap(({ path }) => detach.get(path) ?? []);
  const choices = [...new Map([...masked, ...detached].map((choice) => [choice.column, choice])).values()];
  const why = isShared
    ? 'shared with people who stay'
    : row.reached.some(({ meaning }) => meaning === 'about')
      ? 'about them, and not theirs'
      : 'they are its author only';
  if (masked.length > 0) return { action: 'mask', reason: `${why}; their own columns are masked`, basis: null, choices };
  if (detached.length > 0) return { action: 'detach', reason: `${why}; they are detached`, basis: null, choices };
  return {
    action: 'keep',
    reason: `${why}; ${isShared ? 'no column of it is marked as theirs alone' : 'what refers to them cannot be null, and points to a row without a person'}`,
    basis: isShared ? 'rights_of_others' : 'reference',
    choices: [],
  };
}

/** The paths of a row in one text, for {@link factsKey}. */
export function waysText({ reached }: Pick<RowFacts, 'reached'>): string {
  return reached.map(({ meaning, path }) => `${meaning} ${path}`).join('|');
}

/** Rows with the same key are treated alike: all that `treatmentOf` looks at. */
export function factsKey({ others, kept, held, shell }: Omit<RowFacts, 'reached'>, ways: string): string {
  return `${held} ${shell} ${kept !== null} ${others.length === 0} ${ways}`;
}

/** Tells treatments apart: the same text, the same statement. */
export function treatmentKey({ action, reason, basis, choices }: Treatment): string {
  return JSON.stringify([action, reason, basis, choices.map(({ column }) => column)]);
}
