import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { rowValues } from './row-text.ts';

for (const server of testServers()) {
  test(`values come back from the text of a row on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    const text = fc.string({ unit: fc.constantFrom('"', '\\', '(', ')', ',', ' ', '\n', 'a', 'ä', '😀', '{', '}') });
    const rows = fc.sample(fc.array(fc.option(text), { minLength: 1, maxLength: 5 }), { numRuns: 300, seed: 3 });
    const lines = [...rows, [null], [''], [null, null], ['', null], ['"']].map((row) => [
      ...row,
      ...Array<null>(5 - row.length).fill(null),
    ]);
    for (const width of [1, 2, 5]) {
      const names = ['a', 'b', 'c', 'd', 'e'].slice(0, width);
      const columns = names.map((_, at) => lines.map((row) => row[at] ?? null));
      const { rows: printed } = await pool.query<{ text: string }>(
        `select row(${names.join(', ')})::text as text from unnest(${names.map((_, at) => `$${at + 1}::text[]`).join(', ')}) as t (${names.join(', ')})`,
        columns,
      );
      assert.deepEqual(
        printed.map((row) => rowValues(row.text)),
        lines.map((row) => row.slice(0, width)),
      );
    }
  });
}

test('what is no text of a row is refused', () => {
  for (const text of ['', '1,2', '(1', '("a', '("a)', '("a"b)']) assert.throws(() => rowValues(text), RangeError, text);
});
