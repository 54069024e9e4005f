import { randomInt } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { changeShop } from './shop.ts';

// The application of a test: changes FILE at random until it is told to stop (a line on stdin) or is locked out for good.
// Prints `writing` after its first change, and at the end how many it made and whether the file was closed to it.

const [, , file = ''] = process.argv;
const sqlite = new DatabaseSync(file, { timeout: 20_000 });
const stopping = new AbortController();
let [changes, closed] = [0, false];
process.stdin.once('data', () => stopping.abort());

while (!stopping.signal.aborted && !closed) {
  for (let burst = 0; burst < 20 && !closed; burst += 1) {
    try {
      sqlite.exec('BEGIN IMMEDIATE');
      for (let change = 0; change < 3; change += 1) changeShop(sqlite, (limit) => randomInt(limit));
      sqlite.exec('COMMIT');
      changes += 3;
      if (changes === 3) process.stdout.write('writing\n');
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('moved to PostgreSQL')) throw error;
      closed = true;
    }
  }
  await pause(5);
}
sqlite.close();
process.stdin.destroy();
process.stdout.write(`${JSON.stringify({ changes, closed })}\n`);
