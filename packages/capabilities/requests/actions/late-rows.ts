import type pg from 'pg';
import type { ErasureMode } from '../model.ts';
import type { Write } from '../rules/masks.ts';
import { findUnlike, looksLike } from '../store/act.ts';
import { loadRows, rowsOf, type LoadOptions, type PersonRow } from '../store/rows.ts';
import { isOneOf, type Parameters } from '../store/sql.ts';
import { identityOf, tableOf } from '../store/traverse.ts';
import { decide } from './decide.ts';
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
};

/**
 * The rows of a person in one table that an erasure would change and that do not look as one leaves them: they came, or were written
 * again, behind its back. Goes through the table in pages, and passes over what looks erased.
 */
export async function lateRows(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject, reach }: Omit<Survey, 'tables'>,
  { mode, table, lock, atMost, unseen }: LateOptions,
): Promise<readonly PersonRow[]> {
  const { map, schema, clock, ledger } = ground;
  const facts = tableOf(schema, table);
  const identity = identityOf(schema, table);
  const limit = rowsAtOnce(ground);
  const load = { map, reach, person, now: clock.now() };
  const asked = rowsOf(reach, table, person.key);
  const shapes = new Map<string, readonly Write[]>();
  const late: PersonRow[] = [];
  let from: LoadOptions['from'] = identity.kind === 'place' ? undefined : 'first';
  for (;;) {
    const rows = await loadRows(client, load, asked, {
      limit,
      lock: false,
      ...(from === undefined ? {} : { from }),
      and: (parameters) =>
        [...shapes.values()].map((writes) => ` and (${looksLike(facts, writes, parameters)}) is not true`).join(''),
    });
    const surveyed = { table, identity, policy: policies(ground, table), rows, isCut: true };
    const found = { person, subject, reach, tables: rows.length === 0 ? [] : [surveyed] };
    // What keeps their own row, empty, may be in any table; one that is not empty does not look erased.
    const { groups } = await decide(client, ground, found, { mode, ledger, isKept: true, unseen });
    const byKey = new Map(rows.map((row) => [row.key, row]));
    for (const { rows: same, treatment, writes } of groups) {
      const isUnlike = treatment.action === 'delete' || writes.length > 0;
      if (writes.length > 0) shapes.set(JSON.stringify(writes), writes);
      const keys = treatment.action === 'delete' ? same.keys : isUnlike ? await findUnlike(client, same, writes) : [];
      late.push(...keys.flatMap((key) => byKey.get(key) ?? []));
    }
    const last = rows.at(-1);
    from = last === undefined ? undefined : { after: last.key };
    if (last === undefined || rows.length < limit || identity.kind === 'place' || late.length >= atMost) break;
  }
  if (!lock || late.length === 0) return late;
  // Few of many: only these are locked, and read again as they stand then.
  const keys = late.map(({ key }) => key);
  const and = (parameters: Parameters): string => ` and ${isOneOf(identity, 't', keys, parameters)}`;
  return await loadRows(client, load, asked, { limit: Number.POSITIVE_INFINITY, lock: true, withText: true, and });
}
