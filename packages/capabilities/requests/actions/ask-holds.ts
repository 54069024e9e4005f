import type pg from 'pg';
import { together } from '@safekeep/postgres';
import { heldBy, type AskedRow, type StandingHold } from '../../holds/index.ts';
import { hasStandingHolds } from '../store/records.ts';
import type { RowKey } from '../model.ts';
import type { Referring, Rows } from '../store/act.ts';
import { personPages, rowsOf, rowsReferring, type PersonRow } from '../store/rows.ts';
import { identityOf, plainKey } from '../store/traverse.ts';
import type { Ground } from './ground.ts';
import { otherNames } from './other-names.ts';
import { policies, type Survey } from './survey.ts';

/** The holds on a person and on these rows of theirs, and which rows those are. */
export async function askHolds(
  client: pg.ClientBase,
  ground: Ground,
  { person, tables }: Survey,
  looksOnly: boolean,
): Promise<{ readonly holds: readonly StandingHold[]; readonly heldRows: ReadonlySet<PersonRow> }> {
  const { tenant } = ground;
  const others = tables.flatMap(({ rows }) => rows.flatMap((row) => row.others));
  const namesOf = await otherNames(client, ground, [person, ...others]);
  const people = namesOf(person);
  // From here on no hold can be placed until the transaction ends, unless one only looks; where none stands, rows need not be asked about.
  const [whole, areStanding] = await together(client, [
    () => heldBy(client, tenant, { people, rows: [], looksOnly }),
    // Behind the lock, which is the first thing that the other sends.
    () => hasStandingHolds(client, tenant),
  ]);
  if (!areStanding) return { holds: whole, heldRows: new Set() };
  const asked = new Map<AskedRow, PersonRow>();
  for (const { table, identity, policy, rows } of tables) {
    const isKey = identity.kind === 'key' && policy.facts.primaryKey !== null;
    for (const row of rows)
      asked.set({ table, key: isKey ? plainKey(identity, row.key) : [], about: [person, ...row.others].flatMap(namesOf) }, row);
  }
  const holds = await heldBy(client, tenant, { people, rows: [...asked.keys()], looksOnly });
  const heldRows = new Set(holds.flatMap((hold) => hold.heldRows.flatMap((row) => asked.get(row) ?? [])));
  return { holds, heldRows };
}

/** Rows that refer to these, whoever's they are, and that a hold keeps: a foreign key must not change them. */
export async function heldReferring(
  client: pg.ClientBase,
  ground: Ground,
  { person, subject, reach }: Omit<Survey, 'tables'>,
  { rows: referred, by, looksOnly }: { readonly rows: Rows; readonly by: Referring; readonly looksOnly: boolean },
): Promise<Pick<Rows, 'identity' | 'keys'>> {
  const { table } = by;
  const identity = identityOf(ground.schema, table);
  const keys: RowKey[] = [];
  if (!(await hasStandingHolds(client, ground.tenant))) return { identity, keys };
  // Not found by a path that leads to the person: all who stand in them are asked for.
  const load = { map: ground.map, reach: { ...reach, isOfBefore: true }, person, now: ground.clock.now() };
  const known = { table, identity, policy: policies(ground, table), isCut: true };
  for await (const rows of personPages(client, load, rowsReferring(reach, referred, by), ASKED_AT_ONCE)) {
    const { heldRows } = await askHolds(client, ground, { person, subject, reach, tables: [{ ...known, rows }] }, looksOnly);
    for (const { key } of heldRows) keys.push(key);
  }
  return { identity, keys };
}

/** Rows of which it is asked at once whether one is held: the first that is ends the search. */
const ASKED_AT_ONCE = 10_000;

/** Whether a hold keeps a row of the person in a table, whatever else of theirs is at hand. */
export async function keepsByHold(
  client: pg.ClientBase,
  ground: Ground,
  { person, subject, reach }: Omit<Survey, 'tables'>,
  { table, looksOnly }: { readonly table: string; readonly looksOnly: boolean },
): Promise<boolean> {
  if (!(await hasStandingHolds(client, ground.tenant))) return false;
  const load = { map: ground.map, reach, person, now: ground.clock.now() };
  const known = { table, identity: identityOf(ground.schema, table), policy: policies(ground, table), isCut: true };
  for await (const rows of personPages(client, load, rowsOf(reach, table, person.key), ASKED_AT_ONCE)) {
    const { heldRows } = await askHolds(client, ground, { person, subject, reach, tables: [{ ...known, rows }] }, looksOnly);
    if (heldRows.size > 0) return true;
  }
  return false;
}
