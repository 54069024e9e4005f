import type { EventRow } from '../model.ts';
import type { MarkOf } from '../keys/key-file.ts';

// What a verification takes on somebody's word it takes on that of the home alone: whoever has the database can write any event, and empty any.

export type Drop = {
  readonly eras: readonly { readonly origin: string; readonly minimumIndex: number }[];
  /** The newest transaction of which a dropped event may have told. */
  readonly through: string;
};

/** Of an event that says that months were dropped by policy. */
export function dropMark(markOf: MarkOf, { tenant, eras, through }: Drop & { readonly tenant: string }): string {
  return markOf(['audit-months-dropped', tenant, eras.map(({ origin, minimumIndex }) => [origin, minimumIndex]), through]);
}

export type Emptied = Pick<
  EventRow,
  'tenant' | 'era' | 'index' | 'id' | 'record' | 'subject' | 'otherSubjects' | 'actor' | 'commitments'
>;

/** Of an event that an erasure has emptied: it vouches for exactly what the erasure left. */
export function emptiedMark(markOf: MarkOf, event: Emptied): Buffer {
  const { tenant, era, index, id, record, subject, otherSubjects, actor, commitments } = event;
  const parts = ['emptied', tenant, era, index, id, record, subject, otherSubjects, actor, commitments.toString('base64')];
  return Buffer.from(markOf(parts), 'base64');
}
