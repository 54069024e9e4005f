import { parentPort, workerData } from 'node:worker_threads';
import pg from 'pg';

// An application beside the encryption: in a thread of its own, as it would be a process of its own. It writes until it is told
// to stop, and answers how often it wrote.
const { url, table, rows, writers } = workerData as {
  // What bench/fields.ts gives.
  readonly url: string;
  readonly table: string;
  readonly rows: number;
  readonly writers: number;
};
const pool = new pg.Pool({ connectionString: url, max: writers });
const state = { over: false, writes: 0 };
parentPort?.once('message', () => (state.over = true));
const update = `update ${pg.escapeIdentifier(table)} set visits = visits + 1, email = 'w' || $1 where id = $1`;
await Promise.all(
  Array.from({ length: writers }, async () => {
    while (!state.over) {
      await pool.query(update, [1 + Math.floor(Math.random() * rows)]);
      state.writes += 1;
    }
  }),
);
await pool.end();
parentPort?.postMessage(state.writes);
