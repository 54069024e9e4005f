import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { testServers } from '@safekeep/postgres/testing';
import { workbench } from '../testing/workbench.ts';

const FOLDER = join(import.meta.dirname, '../../../../../shared/data/sqlite');

for (const server of testServers()) {
  test(`every real database of ../shared/data comes over with all rows, proven, on PostgreSQL ${server.name}`, async (t) => {
    if (!existsSync(FOLDER)) return t.skip('skipped: ../shared/data not present');
    const { run, pool } = await workbench(t, server);
    for (const [number, name] of readdirSync(FOLDER).entries()) {
      const file = join(FOLDER, name);
      const result = await run(file, { schema: `file_${number}` });
      assert.equal(result.state, 'done', `${name}: ${result.problems.join()}`);
      const source = new DatabaseSync(new URL(`${pathToFileURL(file).href}?immutable=1`), { readOnly: true });
      for (const table of result.tables) {
        assert.ok(table.sourceDigest !== null && table.sourceDigest === table.targetDigest, `${name}: ${table.source} is proven`);
        const { rows } = source.prepare(`SELECT count(*) AS rows FROM "${table.source}"`).get() ?? {};
        assert.equal(
          (await pool.query(`SELECT count(*)::int AS rows FROM ${table.target}`)).rows[0].rows,
          rows,
          `${name}: ${table.source}`,
        );
      }
      source.close();
    }
  });
}
