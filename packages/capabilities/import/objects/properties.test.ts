import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { quoteName } from '@safekeep/postgres';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { bothSides, move, SCHEMA, sourceWith, type Moved } from './fixture.ts';
import { NAME_BYTES_LIMIT } from './index.ts';
import { foldName } from './sqlite-syntax.ts';

const isLong = process.env['SAFEKEEP_TEST_LONG'] === '1';

// ---- schemas -----------------------------------------------------------------------------------------------------------

const ODD_NAMES = [
  'select',
  'Order',
  'order',
  'a b',
  'a"b',
  "a'b",
  'a.b',
  'ÄÖ',
  'äö',
  '名',
  '🦷',
  'user',
  'xmin',
  'x'.repeat(70),
  `${'x'.repeat(70)}y`,
  'é'.repeat(33),
  'CamelCase',
  'camel_case',
  '%',
  '\\',
  '$1',
  '-- ',
];
const name = fc.oneof(
  fc.constantFrom(...ODD_NAMES),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => text.isWellFormed() && !text.includes('\0')),
);
const names = (maxLength: number): fc.Arbitrary<string[]> => fc.uniqueArray(name, { minLength: 1, maxLength, selector: foldName });

const column = fc.record({
  type: fc.constantFrom('INTEGER', 'TEXT', 'REAL', 'BLOB', 'NUMERIC', 'BOOLEAN', 'DATETIME', '', 'VARCHAR(10)'),
  collate: fc.constantFrom('', '', '', ' COLLATE NOCASE', ' COLLATE RTRIM'),
  notNull: fc.boolean(),
  default: fc.constantFrom(
    '',
    '',
    ' DEFAULT 1',
    ` DEFAULT 'it''s'`,
    ' DEFAULT CURRENT_TIMESTAMP',
    ' DEFAULT NULL',
    ' DEFAULT (1 + 1)',
    ` DEFAULT x'00'`,
  ),
  unique: fc.boolean(),
  check: fc.boolean(),
});
const table = fc.record({
  columns: fc.array(column, { minLength: 1, maxLength: 5 }),
  primaryKey: fc.constantFrom('none', 'rowid', 'autoincrement', 'first', 'all', 'without-rowid'),
  index: fc.constantFrom('', 'plain', 'unique', 'partial', 'expression'),
  parents: fc.array(
    fc.record({
      at: fc.nat(9),
      end: fc.constantFrom('', ' ON DELETE CASCADE', ' ON UPDATE SET NULL', ' DEFERRABLE INITIALLY DEFERRED'),
      bare: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
  view: fc.boolean(),
  trigger: fc.boolean(),
  rows: fc.array(fc.constantFrom('1', '2', `'a'`, `'A'`, 'NULL', '1.5'), { maxLength: 3 }),
});
type Table = typeof table extends fc.Arbitrary<infer Shape> ? Shape : never;
type Wanted = { readonly name: string; readonly names: readonly string[]; readonly table: Table };

const schema = fc
  .tuple(names(5), fc.array(fc.tuple(names(6), table), { minLength: 5, maxLength: 5 }))
  .map(([tables, shapes]) =>
    tables.flatMap((tableName, at): Wanted[] =>
      shapes[at] === undefined ? [] : [{ name: tableName, names: shapes[at][0], table: shapes[at][1] }],
    ),
  );

function createTable(wanted: Wanted, all: readonly Wanted[]): string {
  const { table: shape } = wanted;
  const columns = wanted.names.flatMap((columnName, at) => {
    const each = shape.columns[at];
    return each === undefined ? [] : [{ ...each, name: quoteName(columnName) }];
  });
  const [first] = columns;
  const definitions = columns.map((each) =>
    [
      each.name,
      ' ',
      each.type,
      each.collate,
      each.notNull ? ' NOT NULL' : '',
      each.default,
      each.unique ? ' UNIQUE' : '',
      each.check ? ` CHECK (${each.name} IS NOT NULL OR 1 = 1)` : '',
    ].join(''),
  );
  if (shape.primaryKey === 'rowid' || shape.primaryKey === 'autoincrement')
    definitions.unshift(`"own id" INTEGER PRIMARY KEY${shape.primaryKey === 'autoincrement' ? ' AUTOINCREMENT' : ''}`);
  if (shape.primaryKey === 'first') definitions.push(`PRIMARY KEY (${first?.name ?? ''})`);
  if (shape.primaryKey === 'all' || shape.primaryKey === 'without-rowid')
    definitions.push(`PRIMARY KEY (${columns.map((each) => each.name).join(', ')})`);
  for (const { at, end, bare } of shape.parents) {
    const parent = all[at % all.length];
    if (parent !== undefined)
      definitions.push(
        `FOREIGN KEY (${first?.name ?? ''}) REFERENCES ${quoteName(parent.name)}${bare ? '' : ` (${quoteName(parent.names[0] ?? '')})`}${end}`,
      );
  }
  return `CREATE TABLE ${quoteName(wanted.name)} (${definitions.join(', ')})${shape.primaryKey === 'without-rowid' ? ' WITHOUT ROWID' : ''}`;
}

function others(wanted: Wanted): string[] {
  const target = quoteName(wanted.name);
  const first = quoteName(wanted.names[0] ?? '');
  const indexes: Record<string, string> = {
    plain: `ON ${target} (${first} DESC)`,
    unique: `ON ${target} (${first})`,
    partial: `ON ${target} (${first}) WHERE ${first} IS NOT NULL`,
    expression: `ON ${target} (typeof(${first}))`,
  };
  const { table: shape } = wanted;
  return [
    ...(indexes[shape.index] === undefined
      ? []
      : [
          `CREATE ${shape.index === 'unique' ? 'UNIQUE ' : ''}INDEX ${quoteName(`${wanted.name} ix`)} ${indexes[shape.index] ?? ''}`,
        ]),
    ...(shape.view ? [`CREATE VIEW ${quoteName(`${wanted.name} view`)} AS SELECT * FROM ${target}`] : []),
    ...(shape.trigger
      ? [`CREATE TRIGGER ${quoteName(`${wanted.name} trigger`)} AFTER DELETE ON ${target} BEGIN SELECT 1; END`]
      : []),
    ...shape.rows.map((held) => `INSERT OR IGNORE INTO ${target} (${first}) VALUES (${held})`),
  ];
}

/** SQLite refuses some of what the generator makes up; what it accepted is the source. */
function build(wanted: readonly Wanted[]): DatabaseSync {
  const source = sourceWith('');
  for (const sql of [...wanted.map((each) => createTable(each, wanted)), ...wanted.flatMap(others)]) {
    try {
      source.exec(sql);
    } catch (error) {
      assert(error instanceof Error && 'errcode' in error, sql);
    }
  }
  return source;
}

/** How many objects the file holds, asked of SQLite without our reader. */
function census(source: DatabaseSync): Record<string, number> {
  const count = (sql: string): number => Number(source.prepare(`SELECT count(*) AS found FROM ${sql}`).get()?.['found']);
  const tables = `(SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\') t`;
  return {
    'table': count(tables),
    'column': count(`${tables}, pragma_table_xinfo(t.name)`),
    'not-null': count(`${tables}, pragma_table_xinfo(t.name) c WHERE c."notnull"`),
    'default': count(`${tables}, pragma_table_xinfo(t.name) c WHERE c.dflt_value IS NOT NULL`),
    'primary-key': count(`${tables} WHERE EXISTS (SELECT 1 FROM pragma_table_xinfo(t.name) c WHERE c.pk > 0)`),
    'unique': count(`${tables}, pragma_index_list(t.name) i WHERE i.origin = 'u'`),
    'index': count(`${tables}, pragma_index_list(t.name) i WHERE i.origin = 'c'`),
    'foreign-key': count(`(SELECT DISTINCT t.name, f.id FROM ${tables}, pragma_foreign_key_list(t.name) f)`),
    'view': count(`sqlite_schema WHERE type = 'view'`),
    'trigger': count(`sqlite_schema WHERE type = 'trigger'`),
  };
}

function counted({ objects }: Moved, kind: string): number {
  return objects.filter((object) => object.kind === kind).length;
}

for (const server of testServers()) {
  test(`every object of any schema is in the report once, and PostgreSQL ${server.name} takes every statement`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    await fc.assert(
      fc.asyncProperty(schema, fc.constantFrom('exact', 'snake-case'), async (wanted, naming) => {
        using source = build(wanted);
        const moved = await move(source, pool, { naming, serverVersion: Number(server.name) });
        for (const [kind, expected] of Object.entries(census(source))) assert.equal(counted(moved, kind), expected, kind);
        assert.equal(new Set(moved.objects.map(({ id }) => id)).size, moved.objects.length);
        assert.deepEqual(
          moved.objects.filter(({ reason }) => reason.includes('PostgreSQL refused')),
          [],
        );
        const { rows } = await pool.query<{ kind: string; name: string }>(
          `SELECT relkind AS kind, relname AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'v')`,
          [SCHEMA],
        );
        assert.deepEqual(
          rows
            .filter(({ kind }) => kind === 'r')
            .map((row) => row.name)
            .toSorted(),
          moved.plan.tables.map((made) => made.name).toSorted(),
        );
        assert.equal(
          rows.filter(({ kind }) => kind === 'v').length,
          moved.objects.filter(({ kind, state }) => kind === 'view' && state !== 'not-migrated').length,
        );
        for (const { name: made } of rows) assert(Buffer.byteLength(made) <= NAME_BYTES_LIMIT);
      }),
      { numRuns: isLong ? 500 : 40, seed: 4 },
    );
  });
}

// ---- expressions -------------------------------------------------------------------------------------------------------

const ROWS = `
CREATE TABLE t (id INTEGER PRIMARY KEY, i INTEGER, r REAL, n NUMERIC, s TEXT, c TEXT COLLATE NOCASE, d DATE, m DATETIME, b BOOLEAN, x, y);
INSERT INTO t (i, r, n, s, c, d, m, b, x, y) VALUES
 (0, 0.0, 0, '', '', '2024-02-29', '2024-02-29 12:34:56', 0, 1, 'a'), (1, -1.5, 1.25, 'a', 'A', '1999-12-31', '1999-12-31 00:00:00', 1, 2.0, 5),
 (-3, 2.0, 3, 'B', 'a', '2000-01-01', '2000-01-01 23:59:59', 0, 2.5, '5'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (7, 3.25, -2, 'abc', 'É', '1970-01-01', '1970-01-01 00:00:00', 1, -7, '5'), (100, 1e10, 10, '10', '1', '2024-12-31', '2024-12-31 01:02:03', 1, 3, 5);
`;

const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const leaf = fc.constantFrom(
    'i',
    'r',
    'n',
    's',
    'c',
    'd',
    'm',
    'b',
    'x',
    'y',
    'id',
    '1',
    '0',
    '-2',
    '2.5',
    `'a'`,
    `'10'`,
    `''`,
    'NULL',
    `'2000-01-01'`,
  );
  const operator = fc.constantFrom(
    '+',
    '-',
    '*',
    '/',
    '%',
    '||',
    '=',
    '<>',
    '<',
    '<=',
    '>',
    '>=',
    'IS',
    'IS NOT',
    'AND',
    'OR',
    'LIKE',
  );
  const inner = tie('expression');
  return {
    expression: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      leaf,
      fc.tuple(inner, operator, inner).map(([left, sign, right]) => `(${left} ${sign} ${right})`),
      fc.tuple(fc.constantFrom('- ', 'NOT ', '+'), inner).map(([sign, held]) => `(${sign}${held})`),
      fc
        .tuple(fc.constantFrom('abs', 'lower', 'upper', 'length', 'trim', 'date', 'typeof', 'hex', 'round', 'datetime'), inner)
        .map(([call, held]) => `${call}(${held})`),
      fc
        .tuple(fc.constantFrom('ifnull', 'nullif', 'max', 'min', 'instr', 'substr', 'coalesce'), inner, inner)
        .map(([call, one, other]) => `${call}(${one}, ${other})`),
      fc.tuple(inner, inner, inner).map(([test_, one, other]) => `CASE WHEN ${test_} THEN ${one} ELSE ${other} END`),
      fc.tuple(inner, inner, inner).map(([held, low, high]) => `(${held} BETWEEN ${low} AND ${high})`),
      fc.tuple(inner, inner, inner).map(([held, one, other]) => `(${held} IN (${one}, ${other}))`),
      fc.tuple(inner, fc.constantFrom('INTEGER', 'TEXT', 'REAL', 'BLOB')).map(([held, type]) => `CAST(${held} AS ${type})`),
      inner.map((held) => `(${held} COLLATE NOCASE)`),
      inner.map((held) => `strftime('%Y', ${held})`),
    ),
  };
});

const EXPRESSIONS = isLong ? 10_000 : 400;

for (const server of testServers()) {
  test(`whatever expression is called migrated gives SQLite’s values on PostgreSQL ${server.name}`, async (t) => {
    const { pool } = await testDatabase(t, { server });
    using source = sourceWith(ROWS);
    const expressions = fc.sample(expression, { numRuns: EXPRESSIONS, seed: 18 });
    for (const [at, sql] of expressions.entries()) source.exec(`CREATE VIEW "v${at}" AS SELECT id, ${sql} AS held FROM t`);
    const moved = await move(source, pool, { serverVersion: Number(server.name) });
    assert.deepEqual(
      moved.objects.filter(({ reason }) => reason.includes('PostgreSQL refused')),
      [],
    );
    const translated = moved.objects.filter(({ kind, state }) => kind === 'view' && state !== 'not-migrated');
    assert(translated.length > EXPRESSIONS / 4, `only ${translated.length} were translated`);
    const wrong: string[] = [];
    for (const { name: view } of translated) {
      const sql = expressions[Number(view.slice(1))] ?? '';
      const { sqlite, postgres } = await bothSides(source, pool, view);
      // y holds integers and texts, so it became text: its 5 is '5' now, which its column's state tells.
      const plain = (rows: readonly string[]): string =>
        JSON.stringify(rows.toSorted().map((row) => (/\by\b/.test(sql) ? row.replaceAll('"', '') : row)));
      if (plain(sqlite) !== plain(postgres)) wrong.push(`${sql}: ${sqlite.join(' ')} | ${postgres.join(' ')}`);
    }
    assert.deepEqual(wrong, []);
  });
}
