import type pg from 'pg';
import type { CertificateBody, ErasureMode, RowKey } from '../model.ts';
import { isUnmistakable, type Write } from '../rules/masks.ts';
import type { OwnWrites } from '../rules/own-writes.ts';
import { keptLines, planLine } from '../rules/plan.ts';
import { findUnlike, looksLike, rowsWhere } from '../store/act.ts';
import { isNotOwn, isOfOthers } from '../store/own-writes.ts';
import { loadRows, rowsOf, type LoadOptions, type PersonRow } from '../store/rows.ts';
import { isOneOf, type Parameters } from '../store/sql.ts';
import { identityOf, tableOf, tellsWriters } from '../store/traverse.ts';
import { decide, dueOf, type Group } from './decide.ts';
import type { Unseen } from './kept-ways.ts';
import { rowsAtOnce, type ErasureGround } from './ground.ts';
import { policies, type Survey } from './survey.ts';

export type LateOptions = {
  readonly mode: ErasureMode;
  readonly table: string;
  readonly lock: boolean;
  /** The search ends with the page in which so many have been found. */
  readonly atMost: number;
  /** Where rows of the person may be kept that are not looked at here. */
  readonly unseen: Unseen;
  /** Undefined where nobody knows: every row may be somebody else's then. */
  readonly own: OwnWrites | undefined;
};

/** What keeps rows that somebody else has written and that stay: holds, and duties until the first of them ends. */
export type Kept = {
  readonly holds: readonly string[];
  readonly due: string | null;
  readonly isUndated: boolean;
  /** As a certificate tells them. */
  readonly lines: CertificateBody['kept'];
};
export type Late = {
  readonly rows: readonly PersonRow[];
  readonly kept: Kept;
  /** One that a duty or a hold keeps, whoever wrote it. */
  readonly keptRow: RowKey | undefined;
};

/**
 * The rows of a person in one table that an erasure would change: in which something else stands than it writes, whoever wrote it (a trigger of
 * theirs can copy a value within the erasure, and a row can come to be the person's without being written), and those that it has not
 * written where a mask may be taken for a value. Where rows are deleted also its own that stayed empty as long as others
 * referred to them. Goes through the table in pages.
 */
export async function lateRows(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, reach }: Omit<Survey, 'tables'>,
  { mode, table, lock, atMost, unseen, own: known }: LateOptions,
): Promise<Late> {
  const { map, schema, clock, ledger } = ground;
  const facts = tableOf(schema, table);
  const identity = identityOf(schema, table);
  // Who wrote there nobody can tell: there is the look alone.
  const isTold = tellsWriters(schema, table);
  const own = isTold ? known : undefined;
  const limit = rowsAtOnce(ground);
  const load = { map, reach, person, now: clock.now() };
  const asked = rowsOf(reach, table, person.key);
  const policy = policies(ground, table);
  const asksAll = mode === 'delete' || policy.whole.deletes;
  const shapes = new Map<string, readonly Write[]>();
  const late: PersonRow[] = [];
  const keeping: Group[] = [];
  const holds = new Set<string>();
  let keptRow: RowKey | undefined;
  let from: LoadOptions['from'] = identity.kind === 'place' ? undefined : 'first';
  for (;;) {
    const rows = await loadRows(client, load, asked, {
      limit,
      lock: false,
      ...(from === undefined ? {} : { from }),
      and: (parameters) => {
        if (asksAll || shapes.size === 0) return '';
        const unlike = [...shapes.values()].map((writes) => `(${looksLike(facts, writes, parameters)}) is not true`);
        const isClear = [...shapes.values()].flat().every(isUnmistakable);
        return ` and (${unlike.join(' and ')} or ${isClear ? isOfOthers(own, parameters) : isNotOwn(own, parameters)})`;
      },
    });
    const last = rows.at(-1);
    if (last === undefined) break;
    const surveyed = { table, identity, policy, rows, isCut: true };
    const found = { person, subject, reach, tables: [surveyed] };
    // What keeps their own row, empty, may be in any table; one that is not empty is not as it was left.
    const decision = await decide(client, ground, found, { mode, ledger, isKept: true, unseen, looksOnly: !lock });
    const byKey = new Map(rows.map((row) => [row.key, row]));
    for (const { rows: same, treatment, writes } of decision.groups) {
      if (writes.length > 0) shapes.set(JSON.stringify(writes), writes);
      const keys = treatment.action === 'delete' ? same.keys : await written(client, { rows: same, writes }, { own, isTold });
      late.push(...keys.flatMap((key) => byKey.get(key) ?? []));
    }
    for (const group of decision.groups.filter(({ treatment }) => treatment.keptBy === 'duty')) {
      const keys = await rowsWhere(client, group.rows, (parameters) => isOfOthers(own, parameters));
      if (keys.length > 0) keeping.push({ ...group, rows: { ...group.rows, keys } });
    }
    for (const { id } of decision.holds) holds.add(id);
    keptRow ??= decision.groups.find(({ treatment }) => treatment.keptBy !== undefined)?.rows.keys[0];
    from = { after: last.key };
    if (rows.length < limit || identity.kind === 'place' || late.length >= atMost) break;
  }
  // Where nobody knows who wrote, they stand in the certificate already.
  const told = own === undefined ? [] : keeping;
  const lines = keptLines(
    told.map(({ rows: { keys }, treatment, writes, until }) => planLine({ table, rows: keys.length, treatment, writes, until })),
  );
  const kept = { holds: [...holds], due: dueOf(keeping), isUndated: keeping.some(({ isUndated }) => isUndated), lines };
  if (!lock || late.length === 0) return { rows: late, kept, keptRow };
  // Few of many: only these are locked, and read again as they stand then.
  const keys = late.map(({ key }) => key);
  const and = (parameters: Parameters): string => ` and ${isOneOf(identity, 't', keys, parameters)}`;
  const locked = await loadRows(client, load, asked, { limit: Number.POSITIVE_INFINITY, lock: true, withText: true, and });
  return { rows: locked, kept, keptRow };
}

/** Those of these rows in which something else stands than these masks, or that look like them, as values could, and the erasure has not written. */
async function written(
  client: pg.ClientBase,
  { rows, writes }: Pick<Group, 'rows' | 'writes'>,
  { own, isTold }: { readonly own: OwnWrites | undefined; readonly isTold: boolean },
): Promise<readonly RowKey[]> {
  if (writes.length === 0) return [];
  const unlike = await findUnlike(client, rows, writes);
  if (!isTold || writes.every(isUnmistakable)) return unlike;
  return [...new Set([...unlike, ...(await rowsWhere(client, rows, (parameters) => isNotOwn(own, parameters)))])];
}
