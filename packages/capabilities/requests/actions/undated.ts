import type pg from 'pg';
import { codeOf, columnOf, SafekeepError } from '@safekeep/core';
import { together } from '@safekeep/postgres';
import { hasForm, looksLike } from '../store/act.ts';
import { dateErasure, readUndated, type ErasureRecord } from '../store/records.ts';
import { duesOfPerson, hasEndedRow } from '../store/rows.ts';
import { inTransaction } from '../store/session.ts';
import { followPaths, tableOf } from '../store/traverse.ts';
import { ownFault, soundGraph, type Ground } from './ground.ts';
import { orderOf } from './open-erasures.ts';
import { policies } from './survey.ts';

/** So many records are held at once. */
const PAGE = 500;
/** So many people are asked about on one way to the server. */
const AT_ONCE = 50;

export type NotDated = { readonly record: ErasureRecord; readonly error: string };

/**
 * Looks again at rows that a duty keeps and whose date was not filled in when the rest was erased: from the day on that it is, somebody is
 * asked. Goes once over all of them. Returns those of whom it cannot be told, as where their row is gone.
 *
 * `isUnerased` finds also what is to go at once because the date that was filled in is one of long ago; whoever has no ledger cannot ask it.
 */
export async function dateUndated(ground: Ground, isUnerased?: IsUnerased): Promise<readonly NotDated[]> {
  const { database, tenant } = ground;
  const failed: NotDated[] = [];
  for (let after: string | null = null; ;) {
    const page: readonly ErasureRecord[] = await inTransaction(database, { tenant }, (client) =>
      readUndated(client, tenant, { after, atMost: PAGE }),
    );
    for (let from = 0; from < page.length; from += AT_ONCE)
      failed.push(...(await dateThese(ground, page.slice(from, from + AT_ONCE), isUnerased)));
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE) return failed;
  }
}

type IsUnerased = (record: ErasureRecord) => Promise<boolean>;

async function dateThese(
  ground: Ground,
  records: readonly ErasureRecord[],
  isUnerased: IsUnerased | undefined,
): Promise<readonly NotDated[]> {
  const { database, tenant } = ground;
  const looked = await lookAtAll(ground, records);
  const failed: NotDated[] = [];
  const dated: Pick<ErasureRecord, 'id' | 'due' | 'isUndated'>[] = [];
  for (const [place, record] of records.entries()) {
    try {
      const found = looked[place];
      if (found === undefined) throw new Error('Everybody who was asked about has an answer');
      if ('error' in found) throw found.error;
      const isOverdue = found.hasEnded && (await isUnerased?.(record)) === true;
      const next = dayOf(ground, record, { ...found, isOverdue });
      if (next.isUndated !== record.isUndated || next.due?.getTime() !== record.due?.getTime())
        dated.push({ id: record.id, ...next });
    } catch (error) {
      failed.push({ record, error: ownFault(error) });
    }
  }
  if (dated.length > 0)
    await inTransaction(database, { tenant }, async (client) => {
      await together(
        client,
        dated.map((each) => () => dateErasure(client, tenant, each)),
      );
    });
  return failed;
}

function dayOf(
  { clock }: Ground,
  record: ErasureRecord,
  { due, isUndated, isOverdue }: Pick<Look, 'due' | 'isUndated'> & { readonly isOverdue: boolean },
): Pick<ErasureRecord, 'due' | 'isUndated'> {
  const first = [due, record.due].flatMap((day) => day ?? []).toSorted((a, b) => a.getTime() - b.getTime())[0];
  // Every date is known, and none is after the erasure: what it had to leave is to go now.
  return { due: isOverdue || (first === undefined && !isUndated) ? clock.now() : (first ?? null), isUndated };
}

type Look = {
  readonly due: Date | null;
  readonly isUndated: boolean;
  /** A row on which a duty has ended may not be erased yet. */
  readonly hasEnded: boolean;
};
type Looked = Look | { readonly error: unknown };

/** All together; where the database refuses one, one after the other, since the transaction is lost for all. */
async function lookAtAll(ground: Ground, records: readonly ErasureRecord[]): Promise<readonly Looked[]> {
  const { database, tenant } = ground;
  const look = async (client: pg.ClientBase, record: ErasureRecord): Promise<Looked> => {
    try {
      return await lookAt(client, ground, record);
    } catch (error) {
      if (codeOf(error) !== undefined && !(error instanceof SafekeepError)) throw error;
      return { error };
    }
  };
  const these = (some: readonly ErasureRecord[]): Promise<readonly Looked[]> =>
    inTransaction(database, { tenant }, (client) =>
      together(
        client,
        some.map((record) => () => look(client, record)),
      ),
    );
  try {
    return await these(records);
  } catch (error) {
    if (records.length === 1) return [{ error }];
    const all: Looked[] = [];
    for (const record of records) all.push(...(await lookAtAll(ground, [record])));
    return all;
  }
}

async function lookAt(client: pg.ClientBase, ground: Ground, record: ErasureRecord): Promise<Look> {
  const { map, schema, clock, tenant } = ground;
  const { person, subject } = orderOf(ground, record);
  const graph = soundGraph(ground, subject);
  const reach = await followPaths(client, { graph, schema, key: person.key, tenant }, { lock: false });
  if (reach === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  const tables = [...graph.edgesOf.keys()];
  const load = { map, reach, person };
  // What has ended since the erasure is due too.
  const dues = await together(
    client,
    tables.map((table) => () => duesOfPerson(client, { ...load, now: record.startedAt }, table)),
  );
  const now = { ...load, now: clock.now() };
  const ended = await together(
    client,
    tables.map((table) => () => hasEndedRow(client, now, { table, looks: maskLooks(ground, table) })),
  );
  return { ...firstOf(dues), hasEnded: ended.includes(true) };
}

/** That a row looks as the masks leave it that are written first where they fit; false of all where masks have no form. */
function maskLooks(ground: Ground, table: string): Parameters<typeof hasEndedRow>[2]['looks'] {
  const facts = tableOf(ground.schema, table);
  const writes = policies(ground, table).whole.choices.flatMap(({ candidates }) => candidates.slice(0, 1));
  const isPlain = writes.every(({ column }) => columnOf(facts, column) !== undefined);
  return isPlain && hasForm(facts, writes) ? (parameters) => looksLike(facts, writes, parameters) : () => 'false';
}

/** From when on the first row of a person that a duty keeps beyond that moment need not be kept, and whether one has no date. */
export async function duesNow(
  ground: Ground,
  { person, subject }: ReturnType<typeof orderOf>,
  now: Date,
): Promise<{ readonly due: Date | null; readonly isUndated: boolean }> {
  const { database, tenant, map, schema } = ground;
  return await inTransaction(database, { tenant }, async (client) => {
    const graph = soundGraph(ground, subject);
    const reach = await followPaths(client, { graph, schema, key: person.key, tenant }, { lock: false });
    if (reach === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
    const tables = [...graph.edgesOf.keys()];
    return firstOf(
      await together(
        client,
        tables.map((table) => () => duesOfPerson(client, { map, reach, person, now }, table)),
      ),
    );
  });
}

function firstOf(dues: readonly { readonly due: string | null; readonly isUndated: boolean }[]): Pick<Look, 'due' | 'isUndated'> {
  const [first] = dues.flatMap(({ due }) => due ?? []).toSorted();
  return { due: first === undefined ? null : new Date(first), isUndated: dues.some(({ isUndated }) => isUndated) };
}
