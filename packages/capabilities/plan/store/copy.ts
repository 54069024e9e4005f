import { createHash } from 'node:crypto';
import { quoteName } from '@safekeep/postgres';
import type pg from 'pg';

/** Names the copies of one database, so that one left by a killed rehearsal can be told from the user's own. */
function copyPrefix(source: string): string {
  return `safekeep_rehearsal_${createHash('sha256').update(source).digest('hex').slice(0, 12)}_`;
}

export function copyName(source: string, runId: string): string {
  // 31 + 32 characters: PostgreSQL cuts names at 63.
  return `${copyPrefix(source)}${runId.replaceAll('-', '')}`;
}

export type CopyFacts = {
  readonly mayCreate: boolean;
  /** Sessions on the source, ours not counted: CREATE DATABASE … TEMPLATE waits for nobody and refuses. */
  readonly sessions: number;
  readonly sizeBytes: number;
  /** Copies that nobody is connected to: left by rehearsals that were killed. They hold everything the source held. */
  readonly leftovers: readonly string[];
};

/** Asked from another database of the same server. */
export async function readCopyFacts(client: pg.ClientBase, source: string): Promise<CopyFacts> {
  const { rows } = await client.query<CopyFacts>(
    `select (select rolcreatedb or rolsuper from pg_roles where rolname = current_user) as "mayCreate",
            (select count(*)::integer from pg_stat_activity where datname = $1) as sessions,
            pg_database_size($1)::float8 as "sizeBytes",
            array(select datname::text from pg_database d where starts_with(datname, $2) and pg_has_role(datdba, 'USAGE')
                    and not exists (select from pg_stat_activity a where a.datname = d.datname)) as leftovers`,
    [source, copyPrefix(source)],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('The server did not answer for the database');
  return row;
}

export async function createCopy(client: pg.ClientBase, source: string, copy: string): Promise<void> {
  await client.query(`create database ${quoteName(copy)} template ${quoteName(source)}`);
}

export async function dropCopy(client: pg.ClientBase, copy: string): Promise<void> {
  await client.query(`drop database if exists ${quoteName(copy)} with (force)`);
}
