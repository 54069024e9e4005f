import { createHmac, type KeyObject } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Blocked, ErasureMode, ErasurePlan, ExternalCopy, PlanLine } from '../model.ts';
import { describeWrite, type Write } from './masks.ts';
import { DUTY, HELD, type Treatment } from './treat.ts';

/** A group of rows as the plan shows it. */
export function planLine({
  table,
  rows,
  treatment,
  writes,
  until,
}: {
  readonly table: string;
  readonly rows: number;
  readonly treatment: Treatment;
  readonly writes: readonly Write[];
  readonly until: string | null;
}): PlanLine {
  const { action, reason, basis } = treatment;
  return {
    table,
    rows,
    action,
    reason,
    ...(basis === null ? {} : { basis }),
    ...(until === null ? {} : { until }),
    columns: writes.map(describeWrite),
  };
}

/** What a foreign key does to rows of others. */
export function setNullTreatment(foreignKey: string): Treatment {
  return {
    action: 'detach',
    reason: `the foreign key ${foreignKey} sets to null what refers to deleted rows`,
    basis: null,
    choices: [],
  };
}

/** What a plan is a plan of. Two plans with the same material do the same to the same rows. */
export type PlanMaterial = {
  readonly tenant: string;
  readonly subject: string;
  readonly mode: ErasureMode;
  /** SHA-256 of the map's text. */
  readonly map: string;
  readonly tables: readonly PlanLine[];
  readonly blocked: readonly Blocked[];
  readonly holds: readonly string[];
  readonly externalCopies: readonly Pick<ExternalCopy, 'place' | 'kind' | 'state'>[];
  /** Marks of what the person is known by. */
  readonly known: readonly string[];
  /** Which rows and what is done with each, by table. */
  readonly rows: Readonly<Record<string, string>>;
  readonly participants: readonly { readonly name: string; readonly will: readonly string[] }[];
  /** Hash of what fires at the tables of the map; only where the map lets any of it write outside. */
  readonly writers?: string;
};

/** Under a key: the hash stands in certificates, and whoever has the map could try whom it was of. */
export function planHash(material: PlanMaterial, key: KeyObject): string {
  // In one order, so that the order in which the server found rows does not matter.
  const tables = material.tables.toSorted((a, b) => compare(canonicalize(a), canonicalize(b)));
  const text = canonicalize({ format: 'safekeep-erasure-plan/2', ...material, tables });
  return createHmac('sha256', key)
    .update(text ?? '')
    .digest('hex');
}

function compare(a: string | undefined, b: string | undefined): number {
  return (a ?? '') < (b ?? '') ? -1 : 1;
}

/** Lines that say the same of rows of the same table as one. */
export function joinLines(lines: readonly PlanLine[]): readonly PlanLine[] {
  return joinAlike(lines, ({ table, action, reason, basis = null, columns }) => [table, action, reason, basis, columns]);
}

type Counted = { readonly rows: number; readonly until?: string | null };

/** As one line, with the sum of the rows and the last of the days. */
function joinAlike<Line extends Counted>(lines: readonly Line[], sameness: (line: Line) => unknown): Line[] {
  const joined = new Map<string, Line>();
  for (const line of lines) {
    const key = JSON.stringify(sameness(line));
    const known = joined.get(key);
    const until = [known?.until, line.until]
      .flatMap((day) => day ?? [])
      .toSorted()
      .at(-1);
    joined.set(key, { ...line, rows: line.rows + (known?.rows ?? 0), ...(until === undefined ? {} : { until }) });
  }
  return [...joined.values()];
}

export function keptLines(tables: readonly PlanLine[]): ErasurePlan['kept'] {
  return tables
    .filter(({ action }) => action === 'keep')
    .map(({ table, rows, reason, basis = null, until = null }) => ({ table, rows, reason, basis, until }));
}

/** Whether a duty or a hold keeps rows, as the certificate says it. */
export function isKeptByRight({ kept }: Pick<ErasurePlan, 'kept'>): boolean {
  return kept.some(({ reason, rows }) => rows > 0 && (reason === DUTY || reason === HELD));
}

type Treated = { readonly rows: { readonly table: string; readonly keys: readonly unknown[] }; readonly treatment: Treatment };

/** A line for each personal column that stays in rows of which others are masked: of the rows alone nobody would learn of it. */
export function keptColumns(groups: readonly Treated[]): ErasurePlan['kept'] {
  return joinKept(
    groups.flatMap(({ rows, treatment }) =>
      (treatment.keeps ?? []).map(({ column, reason }) => ({
        table: `${rows.table}: ${column}`,
        rows: rows.keys.length,
        reason,
        basis: null,
        until: null,
      })),
    ),
  );
}

/** Lines of the same place and reason as one. */
export function joinKept(lines: ErasurePlan['kept']): ErasurePlan['kept'] {
  return joinAlike(lines, ({ table, reason, basis }) => [table, reason, basis]);
}

/** Problems of the same table as one. */
export function joinBlocked(blocked: readonly Blocked[]): readonly Blocked[] {
  return joinAlike(blocked, ({ table, what, remedy }) => [table, what, remedy]);
}

export function countsByTable(tables: readonly PlanLine[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { table, rows } of tables) counts[table] = (counts[table] ?? 0) + rows;
  return counts;
}
