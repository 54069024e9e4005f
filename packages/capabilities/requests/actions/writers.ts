import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { HarmlessTrigger } from '@safekeep/core';
import { findTable } from '@safekeep/postgres';
import type { ErasurePlan } from '../model.ts';
import { firingAt, type Writer } from '../store/guards.ts';
import type { Ground } from './ground.ts';
import type { Survey } from './survey.ts';

/** What fires at the tables of the map and at those that it lets triggers write to, and its hash, which is part of what is approved. */
export type Writers = { readonly all: readonly Writer[]; readonly hash: string };

/**
 * As the database has them in this transaction. Null where the map lets no trigger write outside of it: then nothing written there is let
 * through, whoever wrote it.
 */
export async function writersNow(client: pg.ClientBase, { map }: Pick<Ground, 'map'>): Promise<Writers | null> {
  if (![...map.tables.values()].some(({ triggers }) => triggers.size > 0)) return null;
  const beside = [...map.tables.values()].flatMap(({ triggers }) => [...triggers.values()].flatMap(({ writesTo }) => writesTo));
  const all = await firingAt(client, [...new Set([...map.tables.keys(), ...beside])].toSorted());
  const text = JSON.stringify(all.map(({ table, kind, name, sha256 }) => [table, kind, name, sha256]));
  return { all, hash: createHash('sha256').update(text).digest('hex') };
}

/** What may have fired and of which the map does not say where it writes: UPDATE and DELETE at a table of the person, anything in others. */
export function undeclaredOf(
  { all }: Writers,
  { map }: Ground,
  { touched, written }: { readonly touched: ReadonlySet<string>; readonly written: ReadonlySet<string> },
): readonly string[] {
  return all
    .filter(({ table }) => map.tables.has(table))
    .filter(({ table, onChange }) => (touched.has(table) ? onChange : written.has(table)))
    .filter(({ table, kind, name }) => kind === 'rule' || map.tables.get(table)?.triggers.has(name) !== true)
    .map(({ table, kind, name }) => `the ${kind} ${name} of ${table}`);
}

/** The triggers of a table that the map lets write outside of it; one that is not there any more lets nothing through. */
export function harmlessTriggers(
  { map, catalog }: Ground,
  table: string,
): readonly (HarmlessTrigger & { readonly name: string; readonly function: string })[] {
  const live = findTable(catalog, table)?.triggers ?? [];
  return [...(map.tables.get(table)?.triggers ?? [])].flatMap(([name, trigger]) => {
    const fires = live.find((each) => each.name === name && each.enabled !== 'disabled');
    return fires === undefined ? [] : [{ ...trigger, name, function: fires.function }];
  });
}

/** What a certificate has to say of them: into those tables nobody has looked. */
export function unlookedLines(ground: Ground, { tables }: Survey): ErasurePlan['kept'] {
  return tables.flatMap(({ table }) =>
    harmlessTriggers(ground, table).flatMap(({ name, writesTo, note }) =>
      writesTo
        .filter((to) => !ground.map.tables.has(to))
        .map((to) => ({
          table: to,
          rows: 0,
          reason: `not looked at: the trigger ${name} of ${table} writes to it, and the map calls it harmless: ${note}`,
          basis: 'map',
          until: null,
        })),
    ),
  );
}
