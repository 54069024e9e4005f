import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { byteaArray, int8Array, textArray, tidArray } from './arrays.ts';

for (const server of testServers()) {
  test(`PostgreSQL ${server.name} reads every binary array as the values that it was made of`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    const place = fc
      .tuple(fc.nat(2 ** 32 - 2), fc.integer({ min: 1, max: 2 ** 15 - 1 }))
      .map(([page, line]) => `(${page},${line})`);
    const text = fc.string({ unit: 'binary' }).filter((each) => each.isWellFormed() && !each.includes('\0'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
        fc.array(text),
        fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String))),
        fc.array(place),
        async (bytes, texts, numbers, places) => {
          const { rows } = await pool.query(
            'select $1::bytea[] as bytes, $2::text[] as texts, $3::int8[]::text[] as numbers, $4::tid[]::text[] as places',
            [byteaArray(bytes), textArray(texts), int8Array(numbers), tidArray(places)],
          );
          assert.deepEqual(rows, [{ bytes, texts, numbers, places }]);
        },
      ),
      { numRuns: 60 },
    );
  });
}
