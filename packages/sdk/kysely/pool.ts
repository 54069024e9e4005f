import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { SealedClient, SealedPool } from '../pool.ts';

/** A sealed pool as Kysely's PostgresDialect takes it. Streaming needs a cursor, whose rows nobody could open: it is refused. */
export function kyselyPool(pool: SealedPool): PostgresPool {
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async (): Promise<PostgresPoolClient> => {
      const client = await pool.connect();
      return {
        ...(client.processID === undefined ? {} : { processID: client.processID }),
        release: (destroy) => client.release(destroy),
        query: queryOf(client),
      };
    },
  };
}

/** The other form of this call is of a cursor, which the sealed client refuses. */
function queryOf(client: SealedClient): PostgresPoolClient['query'] {
  const query = (text: string, parameters?: readonly unknown[]): unknown => client.query(text, parameters);
  // Kysely overloads it by its argument; for a text the two agree.
  return query as PostgresPoolClient['query'];
}
