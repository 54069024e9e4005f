import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testDatabase } from '@safekeep/postgres/testing';
import { columnsOfRow } from './row-text.ts';

test('a row in one text is taken apart as the server put it together', async (t) => {
  const { pool } = await testDatabase(t);
  await pool.query('create table rows (n serial, a text, b text, c bytea)');
  const value = fc.option(fc.oneof(fc.string(), fc.constantFrom('', '"', '\\', ',', ')', '(a,b)', ' ', '""', '\\"', 'é')));
  await fc.assert(
    fc.asyncProperty(value, value, async (a, b) => {
      const [left, right] = [a, b].map((text) => text?.replaceAll('\0', '') ?? null);
      const { rows } = await pool.query<{ text: string }>(
        "select r::text as text from (select 7 as n, $1::text as a, $2::text as b, '\\x00ff'::bytea as c) as r",
        [left, right],
      );
      assert.deepEqual(columnsOfRow(rows[0]?.text ?? ''), ['7', left, right, '\\x00ff']);
    }),
    { numRuns: 200 },
  );
});

test('what is no row is none', () => {
  for (const text of ['', 'a', '(', '("a', '("a"b,c)']) assert.equal(columnsOfRow(text), undefined, text);
  assert.deepEqual(columnsOfRow('(,)'), [null, null]);
});
