import { createHash } from 'node:crypto';
import type pg from 'pg';
import { codeOf, newId, type CandidatePath, type ErasureValue, type Hop, parseTableName } from '@safekeep/core';
import { quoteTable } from '@safekeep/postgres';
import type { Version } from './model.ts';

/** Long enough to count a few million rows, short enough to leave a busy server alone. */
const QUESTION_TIMEOUT = '10s';
const QUERY_CANCELED = '57014';

type VersionRow = {
  readonly number: number;
  readonly recorded_at: Date;
  readonly author: string;
  readonly sha256: string;
  readonly changes: string[];
};

/** A version with its text. */
export type StoredVersion = Version & { readonly text: string };

/** More than anybody scrolls through; older ones are found by their number. */
const VERSIONS_AT_MOST = 1000;

/** Newest first. */
export async function readVersions(client: pg.ClientBase, tenant: string): Promise<readonly Version[]> {
  const { rows } = await client.query<VersionRow>(
    `select number, recorded_at, author, sha256, changes from safekeep.datamap_versions
     where tenant_id = $1 order by number desc limit $2`,
    [tenant, VERSIONS_AT_MOST],
  );
  return rows.map(versionOf);
}

/** One version; the newest without a number. */
export async function readVersion(client: pg.ClientBase, tenant: string, number?: number): Promise<StoredVersion | undefined> {
  const { rows } = await client.query<VersionRow & { map: string }>(
    `select number, recorded_at, author, sha256, changes, map from safekeep.datamap_versions
     where tenant_id = $1 and ($2::int is null or number = $2) order by number desc limit 1`,
    [tenant, number ?? null],
  );
  const [row] = rows;
  return row === undefined ? undefined : { ...versionOf(row), text: row.map };
}

/** Until the end of the transaction nobody else adds a version of this tenant's map. */
export async function lockVersions(client: pg.ClientBase, tenant: string): Promise<void> {
  await client.query("select pg_advisory_xact_lock(hashtextextended('safekeep map ' || $1, 0))", [tenant]);
}

export type NewVersion = {
  readonly number: number;
  readonly at: Date;
  readonly author: string;
  readonly text: string;
  readonly changes: readonly string[];
};

export async function insertVersion(client: pg.ClientBase, tenant: string, version: NewVersion): Promise<Version> {
  const sha256 = textSha256(version.text);
  await client.query(
    `insert into safekeep.datamap_versions (tenant_id, version_id, number, recorded_at, author, sha256, map, changes)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      tenant,
      newId<'map-version'>(),
      version.number,
      version.at,
      version.author,
      sha256,
      version.text,
      JSON.stringify(version.changes),
    ],
  );
  const { number, at, author, changes } = version;
  return { number, at: at.toISOString(), author, sha256, changes: [...changes] };
}

/** Of the text as UTF-8, hex. */
export function textSha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function versionOf({ number, recorded_at: at, author, sha256, changes }: VersionRow): Version {
  return { number, at: at.toISOString(), author, sha256, changes };
}

/** How many rows a way leads to a person. Undefined when counting took too long. */
export async function countRows(
  client: pg.ClientBase,
  { table, hops }: Pick<CandidatePath, 'table' | 'hops'>,
): Promise<number | undefined> {
  const exists = followed(client, hops, 0);
  const rows = await ask<{ count: string }>(
    client,
    `select count(*) from ${quoteTable(parseTableName(table))} as t0 where ${exists}`,
  );
  return rows === undefined ? undefined : Number(rows[0]?.count ?? 0);
}

function followed(client: pg.ClientBase, hops: readonly Hop[], depth: number): string {
  const [hop, ...rest] = hops;
  if (hop === undefined) return 'true';
  const pairs = hop.columns.map((column, place) => {
    const other = hop.references[place];
    if (other === undefined) throw new Error(`The step from ${hop.from} to ${hop.to} pairs columns with nothing`);
    return `t${depth + 1}.${client.escapeIdentifier(other)} = t${depth}.${client.escapeIdentifier(column)}`;
  });
  const next = followed(client, rest, depth + 1);
  return `exists (select from ${quoteTable(parseTableName(hop.to))} as t${depth + 1} where ${pairs.join(' and ')} and ${next})`;
}

/** Why the server would not take a value: by its type, or by a check of the column. Undefined where it would. */
export async function refusalOf(client: pg.ClientBase, { column, value, type, checks }: ErasureValue): Promise<string | undefined> {
  // Type and expressions are the server's own words for what stands in its catalogue.
  const row = `(select $1::text::${type} as ${client.escapeIdentifier(column)}) as r`;
  const text = value === null ? null : String(value);
  const results = checks.map(({ expression }, index) => `(${expression}) is not false as c${index}`);
  // The value itself is asked for too, or the planner would leave out a cast that nobody reads.
  const wanted = [`r.${client.escapeIdentifier(column)}::text as value`, ...results].join(', ');
  try {
    const rows = await ask<Record<string, unknown>>(client, `select ${wanted} from ${row}`, [text]);
    const [answer] = rows ?? [];
    const failed = checks.find((_check, index) => answer?.[`c${index}`] === false);
    return failed === undefined ? undefined : `${failed.name} refuses ${JSON.stringify(value)}: ${failed.expression}`;
  } catch (error) {
    // Class 22: data exceptions; 23514: the check of a domain. Anything else is no answer to this question.
    const code = codeOf(error);
    if (code?.startsWith('22') === true || code === '23514' || code === '23502') return `${type} refuses ${JSON.stringify(value)}`;
    throw error;
  }
}

/** One question in a transaction of its own that can change nothing. Undefined when the answer took too long. */
async function ask<Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  question: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[] | undefined> {
  await client.query(`begin read only; set local statement_timeout = '${QUESTION_TIMEOUT}'; set local search_path = ''`);
  try {
    const { rows } = await client.query<Row>(question, [...values]);
    return rows;
  } catch (error) {
    if (codeOf(error) === QUERY_CANCELED) return undefined;
    throw error;
  } finally {
    await client.query('rollback');
  }
}
