import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase, testServers } from '../testing/index.ts';
import { settleExpression } from './settle-expression.ts';

test('a cast array is written with its cast on the elements', () => {
  assert.equal(
    settleExpression(`((a)::text = ANY ((ARRAY['x'::character varying, 'y, z'::character varying])::text[]))`),
    `((a)::text = ANY (ARRAY[('x'::character varying)::text, ('y, z'::character varying)::text]))`,
  );
});

for (const text of [
  `((ARRAY[a, b])::text = 'x'::text)`,
  `((ARRAY[a, b])::text = ANY ('{a,b}'::text[]))`,
  `(x = ANY (ARRAY['(ARRAY[1])::text[]'::text]))`,
  `(ARRAY[1, 2] || ARRAY[3])`,
  `'(ARRAY[''x'', "y])::text[]'::text`,
  `((a[1] > 0) AND ("(ARRAY[" IS NULL))`,
  '',
]) {
  test(`${JSON.stringify(text)} is left as it is`, () => {
    assert.equal(settleExpression(text), text);
  });
}

test('settling twice changes nothing more', () => {
  const once = settleExpression(`f((ARRAY[(g((ARRAY['a'::bpchar])::text[]))::varchar, 'b'::varchar(3)])::"odd [name]".t[])`);
  assert.equal(once, `f(ARRAY[((g(ARRAY[('a'::bpchar)::text]))::varchar)::"odd [name]".t, ('b'::varchar(3))::"odd [name]".t])`);
  assert.equal(settleExpression(once), once);
});

// Each is written as a person would; PostgreSQL prints it, reads that, and prints it again.
const CHECKS = [
  `v in ('a', 'b')`,
  `v in ('it''s', 'a,b', 'x)]', E'back\\\\slash', '"', '')`,
  `v not in ('a', 'b') and (v in ('c', 'd') or c in ('e', 'f'))`,
  `v = any (array['a', 'b']::varchar(3)[])`,
  `v::text = any (array[lower(c), 'b'::varchar])`,
  `v::text = any ((array['a'::varchar, c::varchar])::text[])`,
  `n = any ((array[1, 2])::numeric(10,2)[])`,
  `t = any (array['2020-01-01'::timestamp, now()::timestamp]::timestamptz(3)[])`,
  `v = any ((array[array['a'::varchar, 'b'::varchar], array['c'::varchar, 'd'::varchar]])::text[])`,
  `(array['a'::varchar, 'b'])::text[] @> array[v::text]`,
  `c in ('a', 'b') and v between 'a' and 'b' and n in (-1, 2.5)`,
  `d = any ((array['a', 'b'])::"Odd [type]"[])`,
];

for (const server of testServers()) {
  test(`on PostgreSQL ${server.name} a settled check is the same after being printed and read again`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await pool.query(`create domain "Odd [type]" as varchar(5)`);
    const printed = async (expression: string): Promise<string> => {
      await pool.query(`drop table if exists probe`);
      await pool.query(
        `create table probe (v varchar(10), c char(3), n numeric, t timestamptz, d "Odd [type]", constraint k check (${expression}))`,
      );
      const { rows } = await pool.query<{ text: string }>(
        `select pg_get_expr(conbin, conrelid) as text from pg_constraint where conname = 'k'`,
      );
      return rows[0]?.text ?? '';
    };
    let moved = 0;
    for (const check of CHECKS) {
      const first = await printed(check);
      const second = await printed(first);
      assert.equal(settleExpression(first), settleExpression(second), check);
      assert.equal(settleExpression(second), second, 'what has been read back once is settled');
      if (first !== second) moved += 1;
    }
    assert.ok(moved >= 4, 'without settling, several of these would differ');
  });
}
