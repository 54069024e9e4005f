import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import type { Difference } from '../model.ts';
import { verifyRun } from '../actions/verify-run.ts';
import { sqliteFile, workbench, type Ending } from '../testing/workbench.ts';

// The validator is only worth something if it finds every kind of loss. Each case changes the imported data in one way and
// expects exactly the rows that were touched.

const ROWS = 3_000;

async function imported(
  t: Ending & { readonly after: (run: () => Promise<void>) => void },
  key: string,
): Promise<{ pool: pg.Pool; differences: () => Promise<readonly Difference[]> }> {
  const { run, pool, context } = await workbench(t);
  const file = sqliteFile(t, (database) => {
    database.exec(
      `CREATE TABLE t (id INTEGER ${key}, name TEXT, price NUMERIC(10,2), score REAL, raw BLOB, at DATETIME, n INTEGER, yes BOOLEAN)`,
    );
    const insert = database.prepare('INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    database.exec('BEGIN');
    for (let id = 1; id <= ROWS; id += 1) {
      const at = new Date(1_500_000_000_000 + id * 1_000).toISOString().slice(0, 19).replace('T', ' ');
      insert.run(
        id,
        id % 10 === 0 ? null : `Name ${id} größer`,
        id / 100,
        Math.sqrt(id),
        Buffer.from([id & 255, id >> 8]),
        at,
        id * 7,
        id % 2,
      );
    }
    database.exec('COMMIT');
  });
  const { runId } = await run(file);
  assert.ok((await verifyRun(context, runId)).ok, 'before any change the proof holds');
  return {
    pool,
    differences: async () => {
      const { ok, result } = await verifyRun(context, runId);
      assert.equal(ok, false, 'the change is found');
      return result.differences;
    },
  };
}

const oneRow: readonly (readonly [what: string, change: string, id: number, column: string])[] = [
  ['one bit of a blob', `UPDATE t SET raw = set_bit(raw, 3, 1 - get_bit(raw, 3)) WHERE id = 1234`, 1234, 'raw'],
  ['one letter of a text', `UPDATE t SET name = replace(name, 'ö', 'o') WHERE id = 1235`, 1235, 'name'],
  ['an empty text for NULL', `UPDATE t SET name = '' WHERE id = 2000`, 2000, 'name'],
  ['NULL for a text', `UPDATE t SET name = NULL WHERE id = 2001`, 2001, 'name'],
  ['a hundredth of an amount', `UPDATE t SET price = price + 0.01 WHERE id = 7`, 7, 'price'],
  ['the last bit of a float', `UPDATE t SET score = score + 4.440892098500626e-16 WHERE id = 2`, 2, 'score'],
  ['one second', `UPDATE t SET at = at + interval '1 second' WHERE id = 99`, 99, 'at'],
  ['one microsecond', `UPDATE t SET at = at + interval '1 microsecond' WHERE id = 98`, 98, 'at'],
  ['a boolean', `UPDATE t SET yes = NOT yes WHERE id = 100`, 100, 'yes'],
  ['the sign of a number', `UPDATE t SET n = -n WHERE id = 101`, 101, 'n'],
];

test('each change of a single value is found in exactly its row and column', async (t) => {
  const { pool, differences } = await imported(t, 'PRIMARY KEY');
  for (const [what, change, id, column] of oneRow) {
    await pool.query(`CREATE TABLE before AS SELECT * FROM t WHERE id = ${id}`);
    await pool.query(change);
    const { rows } = await pool.query<{ ctid: string }>('SELECT ctid::text FROM t WHERE id = $1', [id]);
    const found = await differences();
    assert.deepEqual(
      found.map(({ side, key, columns }) => [side, key, columns]),
      [
        ['source', String(id), [column]],
        ['target', rows[0]?.ctid, [column]],
      ],
      what,
    );
    await pool.query(`DELETE FROM t WHERE id = ${id}`);
    await pool.query('INSERT INTO t SELECT * FROM before');
    await pool.query('DROP TABLE before');
  }
});

test('two values that changed places are found, though every sum of values stays the same', async (t) => {
  const { pool, differences } = await imported(t, 'PRIMARY KEY');
  await pool.query('UPDATE t SET n = CASE id WHEN 10 THEN 77 ELSE 70 END WHERE id IN (10, 11)');
  const found = await differences();
  assert.deepEqual(
    found.filter(({ side }) => side === 'source').map(({ key, columns }) => [key, columns]),
    [
      ['10', ['n']],
      ['11', ['n']],
    ],
  );
});

for (const key of ['PRIMARY KEY', '']) {
  const kind = key === '' ? 'without a key' : 'with a key';

  test(`a row doubled and another deleted are found where the count is the same, in a table ${kind}`, async (t) => {
    const { pool, differences } = await imported(t, key);
    await pool.query('ALTER TABLE t DROP CONSTRAINT IF EXISTS t_pkey; ALTER TABLE t ALTER COLUMN id DROP IDENTITY IF EXISTS');
    await pool.query('DELETE FROM t WHERE id = 40; INSERT INTO t SELECT * FROM t WHERE id = 41');
    const found = await differences();
    assert.deepEqual(
      found.map(({ side }) => side),
      ['source', 'target'],
    );
    assert.equal(found[0]?.key, '40');
    const { rows } = await pool.query<{ ctid: string }>('SELECT ctid::text FROM t WHERE id = 41');
    assert.ok(rows.some(({ ctid }) => ctid === found[1]?.key));
  });

  test(`a lost row and an added one are found, in a table ${kind}`, async (t) => {
    const { pool, differences } = await imported(t, key);
    await pool.query('DELETE FROM t WHERE id = 500');
    assert.deepEqual(
      (await differences()).map(({ side, key: place }) => [side, place]),
      [['source', '500']],
    );
    await pool.query(`INSERT INTO t (id, name) VALUES (99999, 'added')`);
    assert.deepEqual(
      (await differences()).map(({ side }) => side),
      ['source', 'target'],
    );
  });
}

test('two equal rows that both changed in the same way do not cancel out', async (t) => {
  const { run, pool, context } = await workbench(t);
  const file = sqliteFile(
    t,
    `CREATE TABLE twins (a TEXT, b INTEGER); INSERT INTO twins VALUES ('x', 1), ('x', 1), ('y', 2), ('y', 2)`,
  );
  const { runId } = await run(file);
  await pool.query(`UPDATE twins SET b = 3 WHERE a = 'x'`);
  const { ok, result } = await verifyRun(context, runId);
  assert.equal(ok, false);
  assert.equal(result.differences.length, 4);
});
