import type { DataKeys } from '@safekeep/crypto';

/** The part of pg's clients and pools that is needed. */
export type Queryable = {
  readonly query: (text: string, values?: readonly unknown[]) => Promise<{ readonly rows: readonly unknown[] }>;
};

export type Clock = { readonly elapsedMs: () => number };

export type SafekeepOptions = {
  /** As in the data map; `default` where it names none. */
  readonly tenant: string;
  readonly keys: DataKeys;
  /**
   * Fields by `schema.table.column` that must be encrypted, whatever the database says: while it takes plaintext for one of them, or
   * does not know it, nothing is run. Named by the application, this holds against somebody who can change the database.
   */
  readonly requires?: readonly string[];
  /** For how long what the database says of fields is taken for true: at most a minute, which is also the default. */
  readonly leaseMs?: number;
  readonly clock?: Clock;
};

export const monotonic: Clock = { elapsedMs: () => performance.now() };
