import type pg from 'pg';
import { columnOf, type Subject } from '@safekeep/core';
import { formatPerson } from '../../holds/index.ts';
import type { CertificateBody } from '../model.ts';
import { tenancyOf } from '../rules/graph.ts';
import { isMask } from '../rules/masks.ts';
import { LINK } from '../rules/treat.ts';
import { onePerson } from '../store/people.ts';
import type { ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import { tableOf } from '../store/traverse.ts';
import type { ErasureGround } from './ground.ts';
import { keyIdsOf, keyMark, telling, valueMark } from './marks.ts';
import { maskedAmong } from './masked-people.ts';
import type { ErasureOrder } from './plan-erasure.ts';
import { policies } from './survey.ts';

type Known = Pick<ErasureOrder, 'person' | 'subject'>;
type Marks = ReadonlySet<string>;

/** By which marks the ledger knows the person of a plan that was begun to be carried out. Read once for all who are asked about. */
export type KnownByPlan = (planHash: string) => Promise<Marks>;

export function knownByPlan({ ledger, tenant }: Pick<ErasureGround, 'ledger' | 'tenant'>): KnownByPlan {
  let all: Promise<ReadonlyMap<string, Marks>> | undefined;
  const read = async (): Promise<ReadonlyMap<string, Marks>> => {
    const known = new Map<string, Set<string>>();
    for await (const { entry } of ledger.read()) {
      if (entry.kind !== 'intent' || entry.operation !== 'erasure' || entry.tenant !== tenant) continue;
      const plan = entry.ids['plan'] ?? '';
      known.set(plan, new Set([...(known.get(plan) ?? []), ...entry.marks]));
    }
    return known;
  };
  return async (planHash) => (await (all ??= read())).get(planHash) ?? new Set();
}

const SOMEBODY_ELSE =
  'what stands in their row is neither its masks nor what stood there when it was approved: they came back by themselves, or somebody else was given the number';
const CAME_BACK =
  'their row was erased, and what stands in it is no mask: they came back by themselves, or their table alone was restored';
const NOTHING_TELLS = 'nothing in their row tells whether it is still the person whom the approval was for';

/**
 * Why it may not be the person whom an earlier approval was for; null where it is. Time has gone by since, and nobody else may be erased
 * under their number, nor they themselves for what they gave of their own will since. Their row has its masks still, or it was kept
 * (`own`) and stands there as before.
 *
 * Asked after the plan has been made: whatever is written in between changes its hash.
 */
export async function doubtAbout(
  ground: ErasureGround,
  known: Known,
  { own, marksBefore }: { readonly own: OwnRow; readonly marksBefore: () => Promise<Marks> },
): Promise<string | null> {
  return await inTransaction(
    ground.database,
    { tenant: ground.tenant },
    async (client) => {
      const masked = await maskedAmong(client, ground, [known.person]);
      if (masked.has(formatPerson(known.person))) return null;
      const doubt = await doubtOfKept(client, ground, { known, before: await marksBefore() });
      if (doubt !== null || own.isKept) return doubt;
      const others = own.links.size === 0 ? masked : await maskedAmong(client, ground, [known.person], own.links);
      return others.has(formatPerson(known.person)) ? null : CAME_BACK;
    },
    'rollback',
  );
}

/** What an erasure left of the person's own row: all of it (`isKept`), or columns by which what is kept leads to them. */
export type OwnRow = { readonly isKept: boolean; readonly links: ReadonlySet<string> };

export function ownRowOf({ certificate }: ErasureRecord, { table }: Subject): OwnRow {
  // Written in the transaction that erased, if any has.
  const document = (certificate as { readonly document: CertificateBody } | null)?.document;
  const isKept = document?.tables.some((each) => each.table === table && each.masked + each.deleted > 0) !== true;
  const place = `${table}: `;
  const links = (document?.kept ?? []).filter((each) => each.reason === LINK && each.table.startsWith(place));
  return { isKept, links: new Set(links.map((each) => each.table.slice(place.length))) };
}

async function doubtOfKept(
  client: pg.ClientBase,
  ground: ErasureGround,
  { known, before }: { readonly known: Known; readonly before: Marks },
): Promise<string | null> {
  const { person, subject } = known;
  const [ids = []] = await keyIdsOf(client, ground, [person]);
  // A key is made for one person, and is random.
  if (ids.some((id) => before.has(keyMark(ground, known, id)))) return null;
  const { columns, unique, times } = telling(ground, subject);
  const tenancy = tenancyOf(ground, subject);
  const values = (await onePerson(client, { schema: ground.schema, subject, key: person.key, columns, tenancy })) ?? [];
  const same = columns.filter((column, place) => before.has(valueMark(ground, known, { column, value: values[place] }) ?? ''));
  if (same.some((column) => unique.has(column))) return null;
  const isOther = columns.some(
    (column, place) =>
      !times.has(column) && !same.includes(column) && !isErased(ground, subject.table, { column, value: values[place] ?? null }),
  );
  if (isOther) return SOMEBODY_ELSE;
  return same.some((column) => !times.has(column)) ? null : NOTHING_TELLS;
}

/** What an erasure writes into that column, whatever it was in the row. */
function isErased(
  ground: ErasureGround,
  table: string,
  { column, value }: { readonly column: string; readonly value: string | null },
): boolean {
  const { whole, mapped } = policies(ground, table);
  if (columnOf(tableOf(ground.schema, table), column) === undefined) return true;
  if (mapped?.onErasure?.replace.has(column) === true) return true;
  const choice = whole.choices.find((each) => each.column === column);
  return value === null || choice?.candidates.some((write) => isMask(write, value)) === true;
}
