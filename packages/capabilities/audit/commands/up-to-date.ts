import { isSafekeepError } from '@safekeep/core';
import pg from 'pg';
import type { CommandContext } from '../../capability.ts';

/** Moves what waits in the inboxes into the tree and signs it; a log that must not be signed any more is refused by throwing. */
export type SequenceFirst = (context: CommandContext) => Promise<unknown>;

/**
 * What happened a moment ago is asked for too. Where it cannot be moved into the log, since this login may not or the log must not be signed
 * any more, that is said, and what is there is looked at.
 */
export async function bringUpToDate(context: CommandContext, sequenceFirst: SequenceFirst): Promise<void> {
  try {
    await sequenceFirst(context);
  } catch (error) {
    const isForbidden = error instanceof pg.DatabaseError && error.code === '42501';
    if (!isSafekeepError(error) && !isForbidden) throw error;
    context.say(
      isForbidden
        ? 'Nothing was moved into the log and signed before, since this login only reads it: what waits is signed by whoever keeps the log (`safekeep start --role worker`). What is signed is looked at.'
        : `Nothing was moved into the log and signed before: ${error.message}`,
    );
  }
}
