/**
 * Something that answers one SQL statement: a `pg.Pool`, a `pg.Client`, a `pg.PoolClient`, or a thin adapter around an open
 * transaction of another library.
 *
 * Values always travel beside the text as `$1, $2, …`, never inside it.
 */
export type Queryable = {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
};

/** A `pg.Client` or `pg.PoolClient`: one session, which knows whether a transaction is open (`I` idle, `T` open, `E` failed). */
export type Connection = Queryable & { getTransactionStatus(): 'I' | 'T' | 'E' | null };

/** A `pg.Pool`: each statement may run on another session, so one of them is borrowed for whatever belongs together. */
export type ConnectionPool = Queryable & { connect(): Promise<Connection & { release(destroy?: boolean): void }> };

export function isConnection(db: Queryable): db is Connection {
  return 'getTransactionStatus' in db;
}

export function isConnectionPool(db: Queryable): db is ConnectionPool {
  // A client has `connect` too; only the pool has no transaction of its own.
  return 'connect' in db && !isConnection(db);
}
