import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreed, workbench } from '../testing/workbench.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const ROWS = 5_000_000;
/** Rows are read and written batch by batch: more of them take longer, and no more memory. */
const MEMORY_AT_MOST = 700 * 1_048_576;

test(
  `a table of ${ROWS / 1_000_000} million rows is encrypted and finished batch by batch, in the same memory, and every value opens`,
  { timeout: 7_200_000 },
  async (t) => {
    const bench = await workbench(t, {
      setUp: `create table people (id integer primary key, email text);
        insert into people select n, 'person' || n || '@example.org' from generate_series(1, ${ROWS}) as n; analyze people`,
    });
    let memory = 0;
    const ground = { ...bench.ground, observe: () => void (memory = Math.max(memory, process.memoryUsage.rss())) };
    const order = bench.order('public.people.email');
    const { field } = await encryptField(ground, order, agreed);
    assert.deepEqual([field.phase, field.done, field.verified], ['switched', ROWS, ROWS]);
    const { field: finished } = await finishField(ground, order.column, agreed);
    assert.deepEqual([finished.phase, finished.verified], ['finished', ROWS]);
    assert.ok(memory < MEMORY_AT_MOST, `${Math.round(memory / 1_048_576)} MB`);
    const STEP = 100_000;
    for (let from = 0; from < ROWS; from += STEP) {
      const { rows } = await bench.pool.query<{ id: number; email: string | null; email_encrypted: Buffer }>(
        'select id, email, email_encrypted from people where id > $1 and id <= $2 order by id',
        [from, from + STEP],
      );
      assert.equal(rows.length, STEP);
      const values = await ground.keys.open(
        field,
        rows.map((row) => row.email_encrypted),
      );
      for (const [place, row] of rows.entries())
        assert.ok(row.email === null && values[place] === `person${row.id}@example.org`, `row ${row.id}`);
    }
  },
);
