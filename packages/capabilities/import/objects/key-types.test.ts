import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide, sourceWith } from './fixture.ts';
import { readSourceSchema, unifyKeyTypes, type TargetType } from './index.ts';

/** The types of all columns after unification, `table.column` -> type. */
function unified(sql: string): Record<string, TargetType> {
  using source = sourceWith(sql);
  const schema = readSourceSchema(source);
  const { decisions } = unifyKeyTypes(schema, decide(source, schema));
  return Object.fromEntries(
    [...decisions].flatMap(([table, columns]) => [...columns].map(([column, { type }]) => [`${table}.${column}`, type])),
  );
}

test('types rise along chains and circles of foreign keys until all sides agree', () => {
  const types =
    unified(`CREATE TABLE a (x INT UNIQUE REFERENCES b (x)); CREATE TABLE b (x INT UNIQUE REFERENCES c (x)); CREATE TABLE c (x NUMERIC UNIQUE REFERENCES a (x));
    INSERT INTO c VALUES (1.5); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)`);
  assert.deepEqual(types, { 'a.x': 'numeric', 'b.x': 'numeric', 'c.x': 'numeric' });
});

test('dates of a key go back to the texts they were where the other side is text', () => {
  const types = unified(
    `CREATE TABLE p (d DATE PRIMARY KEY); CREATE TABLE c (d DATE REFERENCES p); INSERT INTO p VALUES ('2024-01-01'); INSERT INTO c VALUES ('soon')`,
  );
  assert.deepEqual(types, { 'p.d': 'text', 'c.d': 'text' });
});

test('an INTEGER PRIMARY KEY stays an integer whatever its children hold', () => {
  const types = unified(
    `CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (a REFERENCES p, b REFERENCES p); INSERT INTO c VALUES ('x', 1.5)`,
  );
  assert.deepEqual(types, { 'p.id': 'bigint', 'c.a': 'text', 'c.b': 'double precision' });
});

test('a number and a text are never made one: SQLite compares them by affinity', () => {
  const types = unified(
    `CREATE TABLE p (a INT PRIMARY KEY); CREATE TABLE c (a TEXT REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO c VALUES ('1')`,
  );
  assert.deepEqual(types, { 'p.a': 'bigint', 'c.a': 'text' });
});
