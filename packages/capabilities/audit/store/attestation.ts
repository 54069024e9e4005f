import type pg from 'pg';

type Client = Pick<pg.ClientBase, 'query'>;

/** Shared functions that captures rest on, as they were when they were made: their hash is kept with the migration's functions. */
export async function readMissingFunctions(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ object: string }>(
    `select v.object from safekeep.function_versions as v
      where v.needs = '0010' and to_regprocedure(replace(v.object, 'function ', '')) is null`,
  );
  return rows.map(({ object }) => object);
}
