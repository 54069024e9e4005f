import pg from 'pg';
import { parentOf } from '../measure/process-tree.ts';

/**
 * Asks a server of this machine its first query and returns the process id of its postmaster, for `context.watch`;
 * `undefined` where there is no /proc.
 */
export async function postmasterBehind(url: string): Promise<number | undefined> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return rows[0] && parentOf(rows[0].pid);
  } finally {
    await client.end();
  }
}
