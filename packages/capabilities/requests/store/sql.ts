import pg from 'pg';
import { parseTableName, type Hop } from '@safekeep/core';
import { quoteTable as quoteRef } from '@safekeep/postgres';
import type { Identity, RowKey } from '../model.ts';

export const quote = pg.escapeIdentifier;

/** From an external name. */
export function quoteTable(name: string): string {
  return quoteRef(parseTableName(name));
}

/** The tables that the steps from a row lead over, as `from`, and by which condition; the last one has the alias `last`. */
export function alongHops(
  alias: string,
  hops: readonly Hop[],
  prefix: string,
): { readonly from: string; readonly where: string; readonly last: string } {
  const joins = hops.map((hop, place) => {
    const [from, to] = [place === 0 ? alias : `${prefix}${place}`, `${prefix}${place + 1}`];
    const on = hop.columns.map((column, at) => `${to}.${quote(hop.references[at] ?? '')} = ${from}.${quote(column)}`).join(' and ');
    return { table: `${quoteTable(hop.to)} as ${to}`, on };
  });
  const [first, ...rest] = joins;
  if (first === undefined) throw new Error('A path has a step');
  const from = [first.table, ...rest.map(({ table, on }) => `join ${table} on ${on}`)].join(' ');
  return { from, where: first.on, last: `${prefix}${hops.length}` };
}

/** Collects the parameters of one statement. */
export class Parameters {
  readonly values: unknown[] = [];

  /** The place of a value: `$3`. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/**
 * That columns of a row have one of these values, all together. Values are text as PostgreSQL writes them; an array travels as
 * one parameter, so the planner knows how many there are.
 */
export function isAmong(
  {
    alias,
    columns,
    types,
    values,
  }: {
    readonly alias: string;
    readonly columns: readonly string[];
    readonly types: readonly string[];
    readonly values: readonly RowKey[];
  },
  parameters: Parameters,
): string {
  const [column, ...more] = columns;
  const [type, ...otherTypes] = types;
  if (column === undefined || type === undefined || more.length !== otherTypes.length)
    throw new Error('Columns and types go in pairs');
  if (more.length === 0) {
    const place = parameters.add(values.map(([value]) => value));
    return `${alias}.${quote(column)} = any (${place}::text[]::${type}[])`;
  }
  const arrays = types.map((each, position) => `${parameters.add(values.map((value) => value[position]))}::text[]::${each}[]`);
  return `(${columns.map((each) => `${alias}.${quote(each)}`).join(', ')}) in (select * from unnest(${arrays.join(', ')}))`;
}

/** The columns that tell rows apart, as text. */
export function identityTexts(identity: Identity, alias: string): readonly string[] {
  if (identity.kind === 'place') return [`${alias}.tableoid::text`, `${alias}.ctid::text`];
  return identity.columns.map(({ name }) => `${alias}.${quote(name)}::text`);
}

/** The same as they are. */
export function identityNames(identity: Identity, alias: string): readonly string[] {
  return identityColumns(identity).map((column) => `${alias}.${quote(column)}`);
}

function identityTypes(identity: Identity): readonly string[] {
  return identity.kind === 'place' ? ['oid', 'tid'] : identity.columns.map(({ type }) => type);
}

function identityColumns(identity: Identity): readonly string[] {
  return identity.kind === 'place' ? ['tableoid', 'ctid'] : identity.columns.map(({ name }) => name);
}

/** That a row is one of these. */
export function isOneOf(identity: Identity, alias: string, keys: readonly RowKey[], parameters: Parameters): string {
  return isAmong({ alias, columns: identityColumns(identity), types: identityTypes(identity), values: keys }, parameters);
}

/** These rows as a table `k (k1, k2, …)`, with further texts beside each as `v1, v2, …`, and how it is joined. */
export function keysTable(
  identity: Identity,
  {
    alias,
    keys,
    beside,
  }: { readonly alias: string; readonly keys: readonly RowKey[]; readonly beside: readonly (readonly (string | null)[])[] },
  parameters: Parameters,
): { readonly from: string; readonly on: string } {
  const types = identityTypes(identity);
  const arrays = types.map((type, place) => `${parameters.add(keys.map((key) => key[place]))}::text[]::${type}[]`);
  const texts = beside.map((values) => `${parameters.add(values)}::text[]`);
  const names = [...types.map((_, place) => `k${place + 1}`), ...beside.map((_, place) => `v${place + 1}`)];
  return {
    from: `unnest(${[...arrays, ...texts].join(', ')}) as k (${names.join(', ')})`,
    on: identityColumns(identity)
      .map((column, place) => `${alias}.${quote(column)} = k.k${place + 1}`)
      .join(' and '),
  };
}
