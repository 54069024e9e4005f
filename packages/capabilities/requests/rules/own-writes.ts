/**
 * By which transactions an erasure has written, so that what somebody else wrote beside it is told by who wrote it and not by its looks. The
 * ids are those that `xmin` shows, 32 bits; a row that is frozen, updated in place or locked keeps its own.
 */
export type OwnWrites = {
  /** The oldest transaction that was running when the erasure began: what older ones wrote it has seen. */
  readonly since: string;
  /** Its transactions, and the savepoints in which triggers wrote for it. */
  readonly by: readonly string[];
  /** The operation of one of them: its trace in the database was written by it too. */
  readonly operation: string;
};

/** With what one more transaction has written. */
export function joinOwn(own: OwnWrites, { by, operation }: Omit<OwnWrites, 'since'>): OwnWrites {
  return { ...own, by: [...new Set([...own.by, ...by])], operation };
}
