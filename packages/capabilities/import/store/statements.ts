import type pg from 'pg';
import { codeOf } from '@safekeep/core';

/** How a statement that adds to loaded tables ended. */
export type StatementOutcome =
  | { readonly done: true }
  | { readonly done: false; readonly violated: boolean; readonly reason: string };

// Enough for the sort of an index of a few million rows in memory; more than PostgreSQL's default of 64 MB.
const MAINTENANCE_MEMORY = '256MB';
const FOREIGN_KEY_VIOLATION = '23503';
const CHECK_VIOLATION = '23514';
// The statement itself is at fault: syntax and names (42), data (22), constraints (23), features (0A), limits (54), state (55).
const REFUSALS = /^(?:0A|22|23|42|54|55)/;
const PRIVILEGE = '42501';

/**
 * Runs one statement in a transaction of its own. A refusal of the statement is an outcome; trouble with the server (no
 * connection, no space, no right) is thrown.
 */
export async function runStatement(client: pg.ClientBase, statement: string): Promise<StatementOutcome> {
  await client.query('BEGIN');
  try {
    // The commit that makes the import visible is a synchronous one and carries these with it.
    await client.query(`SET LOCAL synchronous_commit = off; SET LOCAL maintenance_work_mem = '${MAINTENANCE_MEMORY}'`);
    await client.query(statement);
    await client.query('COMMIT');
    return { done: true };
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (!REFUSALS.test(code) || code === PRIVILEGE || !(error instanceof Error)) throw error;
    await client.query('ROLLBACK');
    return { done: false, violated: code === FOREIGN_KEY_VIOLATION || code === CHECK_VIOLATION, reason: error.message };
  }
}
