import { setTimeout as wait } from 'node:timers/promises';
import type { TableRef } from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { isOneOpen, openTransactions } from '../store/writers.ts';

const TRIES = 100;
const PAUSE_MS = 450;

export type Outlasting = {
  /** Only those that have written to it count; null where whoever has a key in its transaction may still write anywhere. */
  readonly table: TableRef | null;
  readonly tries?: number;
  readonly pauseMs?: number;
  readonly signal: AbortSignal;
};

/**
 * Waits until the transactions that are open now have ended: what they wrote under a key is seen by nobody before. Nobody waits for us.
 * False where one of them outlasts the patience.
 */
export async function outlastWriters(
  database: Database,
  { table, tries = TRIES, pauseMs = PAUSE_MS, signal }: Outlasting,
): Promise<boolean> {
  const open = await database.withClient((client) => openTransactions(client, table));
  for (let tried = 1; ; tried += 1) {
    if (!(await database.withClient((client) => isOneOpen(client, open)))) return true;
    if (tried >= tries) return false;
    await wait(pauseMs, undefined, { signal });
  }
}
