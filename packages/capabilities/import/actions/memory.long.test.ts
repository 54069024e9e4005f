import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { DatabaseSync } from 'node:sqlite';
import { sqliteFile, workbench } from '../testing/workbench.ts';

const CHILD = fileURLToPath(new URL('../testing/import.test-process.ts', import.meta.url));
const LIMIT_KB = 300_000;

const files: readonly (readonly [what: string, fill: (database: DatabaseSync) => void])[] = [
  [
    'a blob of 200 MB and a text of 100 MB',
    (database) => {
      database.exec('CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT, data BLOB, note TEXT)');
      database.exec(
        `INSERT INTO big VALUES (1, 'before', randomblob(200000000), 'after'), (2, 'y', x'00', replace(hex(zeroblob(20000000)), '00', 'ä€'))`,
      );
    },
  ],
  [
    'two gigabytes',
    (database) => {
      database.exec('CREATE TABLE many (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c REAL, d BLOB)');
      database.exec(`INSERT INTO many WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000)
        SELECT x, 'some text of row ' || x, hex(randomblob(200)), x / 7.0, randomblob(500) FROM n`);
    },
  ],
];

for (const [what, fill] of files) {
  test(`an import of ${what} stays below 300 MB of memory`, async (t) => {
    const { context, url } = await workbench(t);
    const file = sqliteFile(t, fill);
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, file, context.home], {
      env: { ...process.env, SAFEKEEP_TEST_URL: url.reveal() },
    });
    const usedKb = Number(stdout.trim().split('\n').at(-1));
    t.diagnostic(`${what}: ${Math.round(usedKb / 1_000)} MB`);
    assert.ok(usedKb < LIMIT_KB, `${usedKb} kB`);
  });
}
