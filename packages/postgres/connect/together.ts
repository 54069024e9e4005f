import type pg from 'pg';
import { codeOf } from '@safekeep/core';

/** What every statement is answered with behind one that failed: current transaction is aborted. */
const ABORTED = '25P02';

/**
 * Sends several statements on one connection without waiting for the answers between, so that they cost one way to the server and
 * not one each. The server carries them out one after the other, in the order in which `asks` send them; each still fails by
 * itself. Returns the results in the order of `asks`; throws what failed first.
 *
 * For statements of one transaction that do not need each other's answers. None may read through a cursor of the driver or COPY.
 * It is the pipeline mode of pg 8.23 (https://node-postgres.com), for a stretch: a whole connection in it could not COPY.
 */
export async function together<const Results extends readonly unknown[]>(
  client: pg.ClientBase,
  asks: { readonly [Place in keyof Results]: () => Promise<Results[Place]> },
): Promise<Results> {
  // An option of the driver's that it reads anew for each statement; its types call it constant.
  const line = client as { pipeline?: boolean };
  const before = line.pipeline ?? false;
  line.pipeline = true;
  let outcomes: readonly PromiseSettledResult<unknown>[];
  try {
    outcomes = await Promise.allSettled(asks.map(async (ask: () => Promise<unknown>) => await ask()));
  } finally {
    line.pipeline = before;
  }
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : [])); // Anything can be thrown.
  const first = failures.find((reason) => codeOf(reason) !== ABORTED) ?? failures[0];
  if (failures.length > 0) throw first;
  const results: readonly unknown[] = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : undefined));
  return results as Results; // One for each question, in their order.
}
