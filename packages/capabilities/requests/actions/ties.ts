import type pg from 'pg';
import type { Subject } from '@safekeep/core';
import type { Person } from '../../holds/index.ts';
import type { RowKey } from '../model.ts';
import { PERSON, type Graph, type Node } from '../rules/graph.ts';
import { draftOf, type Draft, type Ties } from '../rules/certificate.ts';
import type { OwnWrites } from '../rules/own-writes.ts';
import { areOfHere, valuesOfOthers } from '../store/own-writes.ts';
import { readErasures, type ErasureRecord } from '../store/records.ts';
import { allEnds, type Reach } from '../store/traverse.ts';
import { personMark } from './decide.ts';
import { soundGraph, type ErasureGround } from './ground.ts';
import { isOurs, tagOf } from './record-tag.ts';

/** Of more nobody is known again who comes back by one of them; a mark is 64 bytes in the record of an erasure until it is signed. */
const TIES_AT_MOST = 5000;

type Whose = { readonly person: Person; readonly subject: Subject };
type Marking = Pick<ErasureGround, 'ledger' | 'tenant'>;

/**
 * By what rows are the person's although no foreign key says so, as it stood before it was masked or gone, in marks under the ledger's key: what
 * comes back with it is known by whoever finishes the erasure later, and has nothing else of it.
 */
export function tiesOf(ground: Marking, reach: Reach): Ties {
  const marked = looseNodes(reach.graph).flatMap((node) => {
    const values = allEnds(reach, node).slice(0, TIES_AT_MOST);
    return values.length === 0 ? [] : [[node.id, values.map((each) => tieMark(ground, node, each))] as const];
  });
  return Object.fromEntries(marked);
}

/** Those of when its first chunk began, and of its last transaction. */
export function joinTies(first: Ties = {}, last: Ties = {}): Ties {
  const ids = new Set([...Object.keys(first), ...Object.keys(last)]);
  return Object.fromEntries([...ids].map((id) => [id, [...new Set([...(first[id] ?? []), ...(last[id] ?? [])])]]));
}

/** Steps without a foreign key and all behind them, but for those to the person's key: by that they are found again anyway. */
function looseNodes({ nodes, subject }: Graph): readonly Node[] {
  const all = [...nodes.values()];
  const isByKey = ({ hop, sources }: Node): boolean =>
    [...sources].every((source) => source === PERSON) && hop?.references.every((name) => subject.key.includes(name)) === true;
  const loose = new Set(all.filter((node) => node.hop?.foreignKey === null && !isByKey(node)));
  // A set goes on to what is added while it is gone through.
  for (const { id } of loose) for (const node of all) if (node.sources.has(id)) loose.add(node);
  return [...loose];
}

function tieMark({ ledger, tenant }: Marking, { id }: Node, values: RowKey): string {
  return ledger.mark({ tenant, table: 'safekeep.erased_tie', subjectKeyId: id, primaryKey: values });
}

/**
 * What is tied to the person by values that an erasure of theirs has masked that has no certificate: the plan that follows one that could only
 * tell of it, and the last transaction behind chunks, erase it.
 */
export async function tiedBefore(
  client: pg.ClientBase,
  ground: ErasureGround,
  { person, subject }: Whose,
): Promise<Reach | undefined> {
  const { schema, tenant } = ground;
  const start = { graph: soundGraph(ground, subject), schema, tenant };
  const values = new Map<string, readonly RowKey[]>();
  for (const record of await readErasures(client, tenant, { mark: personMark(ground.ledger, tenant, person), open: true })) {
    if (!isOurs(ground, record)) continue;
    // Written by an erasure: its draft, or how far its chunks are.
    const { ties, own } = (record.certificate ?? record.progress ?? {}) as Pick<Draft, 'ties' | 'own'>;
    if (ties === undefined || own === undefined || own.by.length === 0) continue;
    const known = (await areOfHere(client, tenant, own)) ? own : undefined;
    const found = await tiedAgain(client, ground, start, { ties, own: known });
    for (const [id, rows] of found?.values ?? []) values.set(id, [...(values.get(id) ?? []), ...rows]);
  }
  return values.size === 0 ? undefined : { ...start, values };
}

/** The record without them, when no plan will ask for them any more. Only of one that is ours. */
export function withoutTies(ground: Marking, record: ErasureRecord): { readonly certificate: Draft; readonly tag: string } {
  const { ties: _, ...certificate } = draftOf(record);
  return { certificate, tag: tagOf(ground, { ...record, certificate }) };
}

/** Those of the values behind these marks that stand in rows that somebody else has written since, to follow them from. */
export async function tiedAgain(
  client: pg.ClientBase,
  ground: Marking,
  { graph, schema, tenant }: Omit<Reach, 'values'>,
  { ties, own }: { readonly ties: Ties; readonly own: OwnWrites | undefined },
): Promise<Reach | undefined> {
  const values = new Map<string, RowKey[]>();
  for (const [id, marks] of Object.entries(ties)) {
    const node = graph.nodes.get(id);
    const [source] = node?.sources ?? [];
    if (node === undefined || node.hop === null || source === undefined) continue;
    const { hop } = node;
    const known = new Set(marks);
    const wanted = graph.wanted.get(source) ?? [];
    for await (const found of valuesOfOthers(client, schema, { table: node.table, columns: hop.columns, own }))
      for (const each of found) {
        if (!known.has(tieMark(ground, node, each))) continue;
        // Null leads nowhere: the other columns of that row nobody knows.
        const row = wanted.map((name) => each[hop.references.indexOf(name)] ?? null) as unknown as RowKey;
        values.set(source, [...(values.get(source) ?? []), row]);
      }
  }
  return values.size === 0 ? undefined : { graph, schema, tenant, values };
}
