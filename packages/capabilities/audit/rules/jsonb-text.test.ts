import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { jsonbText } from './jsonb-text.ts';

for (const server of testServers()) {
  test(`JSON is written as jsonb prints it on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    // What the database cannot hold comes from nowhere: NUL and half characters.
    const isText = (text: string): boolean => text.isWellFormed() && !text.includes('\0');
    const values = fc.sample(
      fc
        .json({ stringUnit: 'binary', maxDepth: 4 })
        .filter(isText)
        .map((text): unknown => JSON.parse(text)),
      { numRuns: 500, seed: 7 },
    );
    const own = [
      1e21,
      1.5e-7,
      -2.25e300,
      -0,
      5e-324,
      { ä: 1, zz: 2, b: 3 },
      'a\u007f\u2028"\\\n\u0001',
      { 10: 1, 9: 2, a: undefined },
      [],
    ];
    const all = [...own, ...values].filter(
      (value) =>
        isText(JSON.stringify(value)) && !JSON.stringify(value).includes('\\u0000') && JSON.stringify(value).isWellFormed(),
    );
    const { rows } = await pool.query<{ text: string }>(
      'select (t.text::jsonb)::text from unnest($1::text[]) with ordinality as t (text, place) order by t.place',
      [all.map((value) => JSON.stringify(value))],
    );
    assert.ok(rows.length > 300);
    assert.deepEqual(
      all.map(jsonbText),
      rows.map(({ text }) => text),
    );
    for (const none of [undefined, Number.NaN, Infinity, () => 1]) assert.throws(() => jsonbText(none), TypeError);
  });
}
