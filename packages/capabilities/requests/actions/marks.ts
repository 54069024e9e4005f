import type pg from 'pg';
import { SafekeepError, type TableFacts } from '@safekeep/core';
import { formatName } from '@safekeep/core';
import type { ErasureOrder } from './plan-erasure.ts';
import type { ErasureGround } from './ground.ts';
import { sequencePositions } from '../store/residue.ts';
import { tenantColumnOf } from '../rules/graph.ts';
import { onePerson } from '../store/people.ts';
import { tableOf } from '../store/traverse.ts';

/**
 * What the person's row is known again by after a restore: their key together with the random id of their encryption key,
 * where there is one, and together with each value that tells people apart. A stranger who was given the number again has
 * other values, and matches none. HMACs under the ledger's key: nobody without it can try values.
 */
export async function identityMarks(
  client: pg.ClientBase,
  ground: ErasureGround,
  order: Pick<ErasureOrder, 'person' | 'subject'>,
): Promise<string[]> {
  const { subject, person } = order;
  const columns = tellingColumns(ground, subject);
  const row = await onePerson(client, {
    schema: ground.schema,
    subject,
    key: person.key,
    columns,
    tenancy: { column: tenantColumnOf(ground.map, subject), tenant: ground.tenant },
  });
  if (row === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  const keyIds: string[] = [];
  for (const { subjectKeyId } of ground.ports.participants) {
    const id = await subjectKeyId?.(client, { tenant: ground.tenant, person });
    if (id !== null && id !== undefined) keyIds.push(id);
  }
  return marksOf(ground, order, { columns, values: row, keyIds });
}

export function marksOf(
  { ledger, tenant }: Pick<ErasureGround, 'ledger' | 'tenant'>,
  { person, subject }: Pick<ErasureOrder, 'person' | 'subject'>,
  {
    columns,
    values,
    keyIds,
  }: { readonly columns: readonly string[]; readonly values: readonly (string | null)[]; readonly keyIds: readonly string[] },
): string[] {
  const mark = (subjectKeyId: string): string =>
    ledger.mark({ tenant, table: subject.table, subjectKeyId, primaryKey: [person.type, ...person.key] });
  const byValue = columns.flatMap((column, place) => {
    const value = values[place];
    return value === null || value === undefined || value === '' ? [] : [mark(`value ${column} ${value}`)];
  });
  return [...keyIds.map((id) => mark(`key ${id}`)), ...byValue];
}

/** Names, addresses, numbers, exact times: two people rarely share one. A sex or a town tells nobody apart. */
export function tellingColumns(
  { schema, map }: Pick<ErasureGround, 'schema' | 'map'>,
  subject: ErasureOrder['subject'],
): readonly string[] {
  const facts = tableOf(schema, subject.table);
  const unique = facts.uniques.filter(({ columns }) => columns.length === 1).flatMap(({ columns }) => columns);
  const times = facts.columns.filter(({ baseType }) => baseType.startsWith('timestamp')).map(({ name }) => name);
  const wanted = new Set([...subject.findBy, ...(subject.label === null ? [] : [subject.label]), ...unique, ...times]);
  const present = facts.columns.map(({ name }) => name).filter((name) => wanted.has(name) && !subject.key.includes(name));
  // Nothing tells them apart by itself: the values that the map calls personal do so together with the key.
  return present.length > 0 ? present : personalColumns(facts, map.tables.get(subject.table)?.columns.keys() ?? []);
}

function personalColumns(facts: TableFacts, mapped: Iterable<string>): readonly string[] {
  const names = new Set(mapped);
  return facts.columns.map(({ name }) => name).filter((name) => names.has(name));
}

/** Entries of the ledger hold at most so many ids, and other things stand there too. */
const SEQUENCES_AT_MOST = 60;

/** How far the sequences of these tables have come: after a restore they are moved past every number that was given out. */
export async function sequenceIds(
  client: pg.ClientBase,
  { catalog }: ErasureGround,
  tables: readonly string[],
): Promise<Record<string, string>> {
  const touched = new Set(tables);
  const owned = catalog.sequences
    .filter(({ ownedBy }) => ownedBy !== null && touched.has(formatName(ownedBy.schema, ownedBy.table)))
    .map(({ schema, name }) => formatName(schema, name))
    .slice(0, SEQUENCES_AT_MOST);
  const positions = await sequencePositions(client, owned);
  return Object.fromEntries(
    positions.map(({ name, last }, place) => [`sequence-${place + 1}`, `s.${Buffer.from(name).toString('base64url')}:${last}`]),
  );
}

/** What {@link sequenceIds} wrote. */
export function readSequenceIds(
  ids: Readonly<Record<string, string>>,
): readonly { readonly name: string; readonly last: string }[] {
  return Object.entries(ids).flatMap(([key, value]) => {
    const [, name, last] = /^s\.([A-Za-z0-9_-]+):(\d+)$/.exec(value) ?? [];
    if (!key.startsWith('sequence-') || name === undefined || last === undefined) return [];
    return [{ name: Buffer.from(name, 'base64url').toString('utf8'), last }];
  });
}
