import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testDatabase, testServers, type TestDatabase } from '@safekeep/postgres/testing';
import { move, planFor, sourceWith, stateOf, type Moved } from './fixture.ts';
import type { ObjectState, TranslateOptions } from './index.ts';

type Quirk = {
  readonly title: string;
  readonly sql: string;
  readonly options?: Partial<TranslateOptions>;
  readonly onlyOn?: '18';
  /** Id of an object -> its state, and what its reason says. */
  readonly expect: Readonly<Record<string, ObjectState | readonly [ObjectState, RegExp]>>;
  /** Statements on the target that must work, then those that must be refused. */
  readonly works?: readonly string[];
  readonly fails?: readonly string[];
  /** Query on the target -> its only value, as text. */
  readonly gives?: Readonly<Record<string, string | null>>;
};

const LONG = 'a_name_that_is_longer_than_the_sixty_three_bytes_of_a_postgresql_name';

const QUIRKS: readonly Quirk[] = [
  // ---- primary keys and identities
  {
    title: 'AUTOINCREMENT goes on after the highest number ever given, also after deletes',
    sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t VALUES (7, 1), (9, 1); DELETE FROM t WHERE id = 9',
    expect: {
      'identity t.id': 'migrated',
      'primary-key t.PRIMARY KEY (id)': 'migrated',
      'internal-table sqlite_sequence': 'changed',
    },
    gives: { 'INSERT INTO moved.t (a) VALUES (1) RETURNING id': '10' },
  },
  {
    title: 'a plain INTEGER PRIMARY KEY goes on after the largest row',
    sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (5, 1)',
    expect: { 'identity t.id': ['migrated', /never/] },
    works: ['INSERT INTO moved.t VALUES (3, 1)'],
    gives: { 'INSERT INTO moved.t (a) VALUES (1) RETURNING id': '6' },
  },
  {
    title: 'an empty table starts at 1, and negative keys do not stop the count',
    sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE u (id INTEGER PRIMARY KEY, a); INSERT INTO u VALUES (-5, 1)',
    expect: { 'identity t.id': 'migrated', 'identity u.id': 'migrated' },
    gives: { 'INSERT INTO moved.t (a) VALUES (1) RETURNING id': '1', 'INSERT INTO moved.u (a) VALUES (1) RETURNING id': '1' },
  },
  {
    title: 'INTEGER PRIMARY KEY DESC is no rowid in SQLite and no identity in PostgreSQL',
    sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a); INSERT INTO t VALUES (NULL, 1), (NULL, 2)',
    expect: { 'primary-key t.PRIMARY KEY (id)': ['changed', /NULLs/] },
    works: ['INSERT INTO moved.t VALUES (NULL, 3)'],
  },
  {
    title: 'a text primary key without NULLs becomes a real one, with NULLs UNIQUE',
    sql: `CREATE TABLE t (id TEXT PRIMARY KEY); INSERT INTO t VALUES ('a'); CREATE TABLE u (id TEXT PRIMARY KEY); INSERT INTO u VALUES ('a'), (NULL)`,
    expect: {
      'primary-key t.PRIMARY KEY (id)': ['migrated', /there are none/],
      'primary-key u.PRIMARY KEY (id)': ['changed', /UNIQUE/],
    },
    fails: [`INSERT INTO moved.t VALUES (NULL)`, `INSERT INTO moved.u VALUES ('a')`],
  },
  {
    title: 'a WITHOUT ROWID table keeps its composite key in its order',
    sql: 'CREATE TABLE t (a INT, b TEXT, PRIMARY KEY (b DESC, a)) WITHOUT ROWID',
    expect: { 'table t': 'migrated', 'primary-key t.PRIMARY KEY (b, a)': 'migrated', 'not-null t.a.NOT NULL': 'migrated' },
    fails: ['INSERT INTO moved.t VALUES (NULL, NULL)'],
  },
  {
    title: 'a STRICT table with ANY keeps what its column held',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, a ANY, b TEXT NOT NULL) STRICT; INSERT INTO t VALUES (1, 'x', 'y')`,
    expect: { 'table t': 'migrated', 'column t.a': 'migrated', 'not-null t.b.NOT NULL': 'migrated' },
  },
  {
    title: 'the largest key of all still gets its identity',
    sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (9223372036854775807)',
    expect: { 'identity t.id': 'migrated' },
    fails: ['INSERT INTO moved.t DEFAULT VALUES'],
  },
  // ---- UNIQUE and collations
  {
    title: 'UNIQUE without case stays so for ASCII letters, and only for them',
    sql: `CREATE TABLE t (a TEXT COLLATE NOCASE UNIQUE); INSERT INTO t VALUES ('Ann'), ('É'), ('é')`,
    expect: { 'unique t.UNIQUE (a)': ['changed', /lower/], 'column t.a': ['changed', /NOCASE/] },
    fails: [`INSERT INTO moved.t VALUES ('ANN')`],
    works: [`INSERT INTO moved.t VALUES ('ÀNN'), ('ànn')`],
  },
  {
    title: 'a NOCASE primary key refuses the other case and a child may still point at it',
    sql: `CREATE TABLE t (a TEXT COLLATE NOCASE PRIMARY KEY); INSERT INTO t VALUES ('Ann'); CREATE TABLE c (a TEXT REFERENCES t); INSERT INTO c VALUES ('Ann')`,
    expect: { 'primary-key t.PRIMARY KEY (a)': 'changed', 'foreign-key c.FOREIGN KEY (a)': 'migrated' },
    fails: [`INSERT INTO moved.t VALUES ('ANN')`],
  },
  {
    title: 'RTRIM keeps trailing blanks out of a key',
    sql: `CREATE TABLE t (a TEXT COLLATE RTRIM UNIQUE); INSERT INTO t VALUES ('a')`,
    expect: { 'unique t.UNIQUE (a)': ['changed', /rtrim/] },
    fails: [`INSERT INTO moved.t VALUES ('a  ')`],
  },
  {
    title: 'ON CONFLICT of a constraint is named as lost',
    sql: 'CREATE TABLE t (a INT, b INT, UNIQUE (a, b) ON CONFLICT REPLACE)',
    expect: { 'unique t.UNIQUE (a, b)': ['changed', /ON CONFLICT REPLACE/] },
    works: ['INSERT INTO moved.t VALUES (1, NULL), (1, NULL)'],
    fails: ['INSERT INTO moved.t VALUES (1, 1), (1, 1)'],
  },
  // ---- NOT NULL and defaults
  {
    title: 'literal defaults come with the value SQLite would store',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT 'it''s', b INT DEFAULT '5', c TEXT DEFAULT 7, d REAL DEFAULT 1, e BLOB DEFAULT x'00ff', f DEFAULT NULL, g TEXT DEFAULT word, h TEXT DEFAULT "quoted", i INT DEFAULT -3, j INT DEFAULT (1 + 2), k NUMERIC DEFAULT 1.5, l INT DEFAULT 0x10);
      INSERT INTO t DEFAULT VALUES`,
    expect: {
      [`default t.a.DEFAULT 'it''s'`]: 'migrated',
      'default t.g.DEFAULT word': 'migrated',
      'default t.j.DEFAULT 1 + 2': 'migrated',
    },
    gives: {
      "INSERT INTO moved.t DEFAULT VALUES RETURNING concat_ws(',', a, b, c, d, e, f, g, h, i, j, k, l)": `it's,5,7,1,\\x00ff,word,quoted,-3,3,1.5,16`,
    },
  },
  {
    title: '0, 1, TRUE and FALSE become booleans where the column did',
    sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, a BOOLEAN DEFAULT 1, b BOOLEAN DEFAULT FALSE, c BOOLEAN DEFAULT 2); INSERT INTO t VALUES (1, 0, 1, 1)',
    expect: {
      'default t.a.DEFAULT 1': 'migrated',
      'default t.b.DEFAULT FALSE': 'migrated',
      'default t.c.DEFAULT 2': ['not-migrated', /neither true nor false/],
    },
    gives: { 'INSERT INTO moved.t DEFAULT VALUES RETURNING concat(a, b, c)': 'tf' },
  },
  {
    title: 'a text default of an integer column is dropped and named',
    sql: `CREATE TABLE t (a INT DEFAULT 'none', b INT); INSERT INTO t VALUES (1, 2)`,
    expect: { [`default t.a.DEFAULT 'none'`]: ['not-migrated', /text/] },
  },
  {
    title: 'the clock’s defaults are UTC in the notation of the column',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT CURRENT_TIMESTAMP, b DATETIME DEFAULT CURRENT_TIMESTAMP, c DATE DEFAULT CURRENT_DATE, d TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), e INTEGER DEFAULT (strftime('%s', 'now')), f REAL DEFAULT (julianday('now')), g INTEGER DEFAULT (unixepoch()), h TEXT DEFAULT CURRENT_TIME);
      INSERT INTO t DEFAULT VALUES`,
    expect: {
      'default t.a.DEFAULT CURRENT_TIMESTAMP': 'migrated',
      'default t.b.DEFAULT CURRENT_TIMESTAMP': 'migrated',
      'default t.c.DEFAULT CURRENT_DATE': 'migrated',
      [`default t.e.DEFAULT strftime('%s', 'now')`]: 'migrated',
    },
    gives: {
      [`SET timezone = 'Asia/Tokyo'; INSERT INTO moved.t DEFAULT VALUES RETURNING a = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AND b = a::timestamp AND c = a::date AND left(d, 19) = replace(a, ' ', 'T')
        AND d ~ '^.{19}\\.\\d{3}Z$' AND e = floor(extract(epoch FROM now())) AND g = e AND abs(f - 2440587.5 - extract(epoch FROM now()) / 86400) < 0.001 AND h = right(a, 8)`]:
        't',
    },
  },
  {
    title: 'random defaults stay random',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, a INT DEFAULT (random()), b TEXT DEFAULT (hex(randomblob(16))), c TEXT DEFAULT (lower(hex(randomblob(4))) || '-4' || substr(hex(randomblob(2)), 2) || substr('89ab', abs(random()) % 4 + 1, 1))); INSERT INTO t DEFAULT VALUES`,
    expect: { 'default t.a.DEFAULT random()': 'migrated', 'default t.b.DEFAULT hex(randomblob(16))': 'migrated' },
    works: ['INSERT INTO moved.t DEFAULT VALUES', 'INSERT INTO moved.t DEFAULT VALUES'],
    gives: {
      [`SELECT count(DISTINCT a) = 3 AND count(DISTINCT b) = 3 AND bool_and(b ~ '^[0-9A-F]{32}$') AND bool_and(c ~ '^[0-9a-f]{8}-4[0-9A-F]{3}[89ab]$') FROM moved.t`]:
        't',
    },
  },
  {
    title: 'NOT NULL holds, and is named where the source breaks it',
    sql: `CREATE TABLE t (a INT NOT NULL, b INT); INSERT INTO t VALUES (1, NULL)`,
    expect: { 'not-null t.a.NOT NULL': 'migrated' },
    fails: ['INSERT INTO moved.t VALUES (NULL, 1)'],
  },
  // ---- CHECKs and generated columns
  {
    title: 'CHECKs of columns and tables hold with their names',
    sql: `CREATE TABLE t (a INT CHECK (a > 0), b TEXT CONSTRAINT short CHECK (length(b) <= 3 AND b GLOB '[a-z]*'), CHECK (a < 100 OR b IS NULL), CHECK (typeof(a) = 'integer')); INSERT INTO t VALUES (1, 'abc')`,
    expect: {
      'check t.CHECK (a > 0)': 'migrated',
      'check t.CHECK (a < 100 OR b IS NULL)': 'migrated',
      [`check t.CHECK (typeof(a) = 'integer')`]: 'migrated',
    },
    works: [`INSERT INTO moved.t VALUES (99, 'zz')`, 'ALTER TABLE moved.t DROP CONSTRAINT short'],
    fails: [
      `INSERT INTO moved.t VALUES (0, 'a')`,
      `INSERT INTO moved.t VALUES (100, 'a')`,
      `INSERT INTO moved.t VALUES (NULL, 'a')`,
    ],
  },
  {
    title: 'a CHECK that rows of the source break binds new rows only',
    sql: 'CREATE TABLE t (a INT CHECK (a > 0)); PRAGMA ignore_check_constraints = 1; INSERT INTO t VALUES (-1)',
    expect: { 'check t.CHECK (a > 0)': ['changed', /NOT VALID/] },
    fails: ['INSERT INTO moved.t VALUES (-2)'],
  },
  {
    title: 'a CHECK that cannot be written is named with its text',
    sql: `CREATE TABLE t (a TEXT CHECK (json_valid(a)))`,
    expect: { 'check t.CHECK (json_valid(a))': ['not-migrated', /json_valid/] },
  },
  {
    title: 'generated columns go on computing, VIRTUAL ones too where the server has them',
    sql: `CREATE TABLE t (a INT, b TEXT, c INT AS (a / 2) STORED, d TEXT AS (upper(b) || '!') VIRTUAL, e INT GENERATED ALWAYS AS (a > 1)); INSERT INTO t VALUES (7, 'x')`,
    expect: { 'column t.c': 'migrated', 'column t.d': 'migrated', 'column t.e': 'migrated' },
    options: { serverVersion: 18 },
    onlyOn: '18',
    gives: {
      [`SELECT concat_ws(',', a, b, c, d, e) FROM moved.t`]: '7,x,3,X!,1',
      [`INSERT INTO moved.t (a, b) VALUES (-7, 'é') RETURNING concat_ws(',', c, d, e)`]: '-3,é!,0',
    },
  },
  {
    title: 'before 18, and under an index, VIRTUAL becomes STORED and is named so',
    sql: `CREATE TABLE t (a INT, d INT AS (a + 1) VIRTUAL); CREATE INDEX i ON t (d); INSERT INTO t VALUES (7); CREATE TABLE u (a INT, d INT AS (a + 1)); INSERT INTO u VALUES (7)`,
    options: { serverVersion: 15 },
    expect: { 'column t.d': ['changed', /STORED/], 'index i': 'migrated', 'column u.d': ['changed', /STORED/] },
    gives: { 'SELECT d FROM moved.t': '8', 'SELECT d FROM moved.u': '8' },
  },
  {
    title: 'a generated column that PostgreSQL could not compute keeps its values',
    sql: `CREATE TABLE t (a TEXT, y TEXT AS (strftime('%Y', a)) STORED, j TEXT AS (json_extract(a, '$')) VIRTUAL); INSERT INTO t (a) VALUES ('2024')`,
    expect: { 'column t.y': ['changed', /no longer computed/], 'column t.j': ['changed', /no longer computed/] },
    gives: { 'SELECT y FROM moved.t': '-4707' },
  },
  // ---- foreign keys
  {
    title: 'composite, self-referencing, circular and deferred foreign keys hold',
    sql: `CREATE TABLE p (a INT, b TEXT, PRIMARY KEY (a, b)); CREATE TABLE c (x INT, y TEXT, me INTEGER PRIMARY KEY, up INT REFERENCES c, FOREIGN KEY (x, y) REFERENCES p ON DELETE CASCADE ON UPDATE SET NULL);
      CREATE TABLE one (id INTEGER PRIMARY KEY, other INT REFERENCES two DEFERRABLE INITIALLY DEFERRED); CREATE TABLE two (id INTEGER PRIMARY KEY, other INT REFERENCES one (id) DEFERRABLE);
      INSERT INTO p VALUES (1, 'x'); INSERT INTO c VALUES (1, 'x', 1, 1); INSERT INTO one VALUES (1, 1); INSERT INTO two VALUES (1, 1)`,
    expect: {
      'foreign-key c.FOREIGN KEY (x, y)': 'migrated',
      'foreign-key c.FOREIGN KEY (up)': 'migrated',
      'foreign-key one.FOREIGN KEY (other)': 'migrated',
      'foreign-key two.FOREIGN KEY (other)': 'migrated',
    },
    works: ['BEGIN; INSERT INTO moved.one VALUES (2, 2); INSERT INTO moved.two VALUES (2, 2); COMMIT', 'DELETE FROM moved.p'],
    fails: [`INSERT INTO moved.c VALUES (9, 'x', 9, NULL)`, 'INSERT INTO moved.two VALUES (3, 3)'],
    gives: { 'SELECT count(*) FROM moved.c': '0', 'SELECT count(*) FROM moved.two': '2' },
  },
  {
    title: 'a foreign key that rows break is NOT VALID and binds new rows',
    sql: 'CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INT REFERENCES p); INSERT INTO c VALUES (9)',
    expect: { 'foreign-key c.FOREIGN KEY (p)': ['changed', /NOT VALID/] },
    fails: ['INSERT INTO moved.c VALUES (8)'],
  },
  {
    title: 'foreign keys that SQLite only tolerates are named',
    sql: `CREATE TABLE p (id INTEGER PRIMARY KEY, a INT); CREATE TABLE n (a INT); CREATE TABLE c (a INT REFERENCES gone, b INT REFERENCES p (missing), c INT REFERENCES p (a), d INT REFERENCES n, e TEXT REFERENCES p); INSERT INTO c (e) VALUES ('x')`,
    expect: {
      'foreign-key c.FOREIGN KEY (a)': ['not-migrated', /gone does not exist/],
      'foreign-key c.FOREIGN KEY (b)': ['not-migrated', /no column missing/],
      'foreign-key c.FOREIGN KEY (c)': ['not-migrated', /neither a primary key nor unique/],
      'foreign-key c.FOREIGN KEY (d)': ['not-migrated', /names no columns/],
      'foreign-key c.FOREIGN KEY (e)': ['not-migrated', /is text and p\.id is bigint/],
    },
  },
  {
    title: 'a foreign key to a UNIQUE index and to names in another case is found',
    sql: 'CREATE TABLE "P" (id INTEGER PRIMARY KEY, "Code" TEXT); CREATE UNIQUE INDEX code ON P (CODE); CREATE TABLE c (a TEXT REFERENCES p (code) MATCH FULL)',
    expect: { 'foreign-key c.FOREIGN KEY (a)': ['migrated', /SIMPLE/], 'index code': 'migrated' },
  },
  {
    title: 'the two sides of a key get one type without loss',
    sql: `CREATE TABLE p (a NUMERIC PRIMARY KEY); INSERT INTO p VALUES (1), (2.5); CREATE TABLE c (a REAL REFERENCES p); INSERT INTO c VALUES (2.5)`,
    expect: { 'foreign-key c.FOREIGN KEY (a)': 'migrated', 'column c.a': ['changed', /one type/] },
  },
  // ---- indexes
  {
    title: 'partial, expression, descending and unique indexes hold',
    sql: `CREATE TABLE t (a INT, b TEXT, c INT); CREATE INDEX i1 ON t (a DESC, b); CREATE UNIQUE INDEX i2 ON t (lower(b)) WHERE c = 1; CREATE INDEX i3 ON t (a + c, b COLLATE NOCASE); CREATE INDEX i4 ON t (b) WHERE b LIKE 'x%'; CREATE INDEX i5 ON t (substr(b, 1, 2))`,
    expect: {
      'index i1': 'migrated',
      'index i2': 'migrated',
      'index i3': ['changed', /lower/],
      'index i4': 'migrated',
      'index i5': 'migrated',
    },
    works: [`INSERT INTO moved.t VALUES (1, 'X', 1), (1, 'x', 2)`],
    fails: [`INSERT INTO moved.t VALUES (1, 'x', 1)`],
  },
  {
    title: 'an index over the clock is named as impossible',
    sql: `CREATE TABLE t (a DATE); INSERT INTO t VALUES ('2024-01-01'); CREATE INDEX i ON t (date(a))`,
    expect: { 'index i': ['not-migrated', /index/] },
  },
  {
    title: 'names of indexes and constraints never meet, though PostgreSQL keeps them with the tables',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, a INT UNIQUE); CREATE TABLE t_pkey (a INT); CREATE INDEX t_a_key ON t_pkey (a); CREATE INDEX "${LONG}" ON t (a)`,
    expect: {
      'table t_pkey': 'migrated',
      'primary-key t.PRIMARY KEY (id)': 'migrated',
      'unique t.UNIQUE (a)': 'migrated',
      [`index ${LONG}`]: ['changed', /named/],
    },
  },
  // ---- names
  {
    title: 'any name is kept exactly: capitals, spaces, quotes, reserved words and other scripts',
    sql: `CREATE TABLE "Select" ("Order ID" INTEGER PRIMARY KEY, "a""b" TEXT, "c.d" INT, "名前" TEXT, "user" INT, "a'b" INT CHECK ("a'b" > 0)); CREATE INDEX "my ""index""" ON "Select" ("a""b", "名前"); CREATE VIEW "v w" AS SELECT "名前", "a""b" AS "x ""y" FROM "Select" AS "s t"`,
    expect: {
      'table Select': 'migrated',
      'column Select.a"b': 'migrated',
      'column Select.名前': 'migrated',
      'index my "index"': 'migrated',
      'view v w': 'migrated',
      [`check Select.CHECK ("a'b" > 0)`]: 'migrated',
    },
    gives: { 'SELECT count("x ""y") FROM moved."v w"': '0' },
  },
  {
    title: 'empty names and names PostgreSQL reserves get others',
    sql: `CREATE TABLE "" ("" INT, xmin INT, ctid TEXT); CREATE VIEW v AS SELECT "", xmin FROM ""`,
    expect: {
      'table ': ['changed', /named table/],
      'column .': ['changed', /named column_1/],
      'column .xmin': ['changed', /named xmin_2/],
      'view v': 'migrated',
    },
    works: ['INSERT INTO moved."table" (column_1, xmin_2, ctid_2) VALUES (1, 2, 3)'],
    gives: { 'SELECT xmin_2 FROM moved.v': '2' },
  },
  {
    title: 'long names that agree in their first 63 bytes stay apart',
    sql: `CREATE TABLE ${LONG}_1 (${LONG}_a INT, ${LONG}_b INT); CREATE TABLE ${LONG}_2 (${'é'.repeat(40)} INT)`,
    expect: {
      [`table ${LONG}_1`]: 'changed',
      [`table ${LONG}_2`]: 'changed',
      [`column ${LONG}_1.${LONG}_a`]: 'changed',
      [`column ${LONG}_2.${'é'.repeat(40)}`]: 'changed',
    },
  },
  {
    title: 'snake case is an option, and names that meet are numbered',
    sql: 'CREATE TABLE OrderDetails (OrderID INTEGER PRIMARY KEY, "order id" INT, HTTPStatus INT); CREATE TABLE "Order Details" (a INT); CREATE VIEW TopOrders AS SELECT OrderID, HTTPStatus FROM OrderDetails',
    options: { naming: 'snake-case' },
    expect: {
      'table OrderDetails': ['changed', /named order_details_2/],
      'table Order Details': ['changed', /named order_details/],
      'view TopOrders': ['changed', /top_orders/],
    },
    works: ['SELECT order_id_2, http_status FROM moved.order_details_2', 'SELECT order_id, http_status FROM moved.top_orders'],
  },
  // ---- views, triggers, virtual tables
  {
    title: 'a view over a view is made after it, whatever the order in the file',
    sql: 'CREATE TABLE t (a INT); CREATE VIEW first AS SELECT a + 1 AS b FROM t; CREATE VIEW outer_one AS SELECT b * 2 AS c FROM first; DROP VIEW first; CREATE VIEW first AS SELECT a + 1 AS b FROM t; INSERT INTO t VALUES (3)',
    expect: { 'view first': 'migrated', 'view outer_one': 'migrated' },
    gives: { 'SELECT c FROM moved.outer_one': '8' },
  },
  {
    title: 'views over what is gone, and those over them, are named',
    sql: `CREATE TABLE t (a INT); CREATE VIEW v AS SELECT * FROM t; CREATE VIEW w AS SELECT * FROM v; CREATE VIEW loop1 AS SELECT * FROM t; PRAGMA legacy_alter_table = 1; DROP TABLE t`,
    expect: { 'view v': ['not-migrated', /reads t/], 'view w': ['not-migrated', /reads v/] },
  },
  {
    title: 'triggers are listed with their text',
    sql: 'CREATE TABLE t (a INT, b INT); CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET b = 1; END',
    expect: { 'trigger tr': ['not-migrated', /PL\/pgSQL/] },
  },
  {
    title: 'full-text and R*Tree tables bring their rows and a proposal, their shadows nothing',
    sql: `CREATE VIRTUAL TABLE docs USING fts5(title, body); INSERT INTO docs VALUES ('a', 'b c'); CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1); INSERT INTO boxes VALUES (1, 0, 2.5); CREATE TABLE base (a TEXT); CREATE VIRTUAL TABLE ix USING fts5(a, content='base')`,
    expect: {
      'virtual-table docs': ['changed', /tsvector/],
      'virtual-table boxes': ['changed', /GiST/],
      'virtual-table ix': ['not-migrated', /tsvector/],
      'shadow-table docs_data': 'not-migrated',
      'shadow-table boxes_node': 'not-migrated',
      'table base': 'migrated',
    },
    gives: { 'SELECT body FROM moved.docs': 'b c', 'SELECT x1 FROM moved.boxes': '2.5' },
  },
  {
    title: 'values of mixed classes widen their column, and what compared them is named',
    sql: `CREATE TABLE t (a INT CHECK (a > 0), b TEXT); INSERT INTO t VALUES (1, 'x'), ('two', 'y'); CREATE VIEW v AS SELECT a, b FROM t; CREATE VIEW w AS SELECT a + 1 FROM t`,
    expect: {
      'check t.CHECK (a > 0)': ['not-migrated', /different kinds/],
      'view v': 'migrated',
      'view w': ['not-migrated', /not a number/],
    },
  },
];

for (const server of testServers()) {
  let target: TestDatabase;
  before(async () => {
    target = await testDatabase(undefined, { server });
  });
  after(async () => {
    await target[Symbol.asyncDispose]();
  });

  for (const quirk of QUIRKS.filter(({ onlyOn }) => onlyOn === undefined || onlyOn === server.name)) {
    test(`${quirk.title} (PostgreSQL ${server.name})`, async () => {
      using source = sourceWith(quirk.sql);
      const moved = await move(source, target.pool, { serverVersion: Number(server.name), ...quirk.options });
      for (const [id, expected] of Object.entries(quirk.expect)) checkObject(moved, id, expected);
      assert.deepEqual(
        moved.objects.filter(({ reason }) => reason.includes('PostgreSQL refused')),
        [],
      );
      for (const sql of quirk.works ?? []) await target.pool.query(sql);
      for (const sql of quirk.fails ?? []) await assert.rejects(target.pool.query(sql), sql);
      for (const [sql, expected] of Object.entries(quirk.gives ?? {})) assert.equal(await onlyValue(target, sql), expected, sql);
    });
  }
}

function checkObject(moved: Moved, id: string, expected: ObjectState | readonly [ObjectState, RegExp]): void {
  const [state, reason] = typeof expected === 'string' ? [expected, /(?:)/] : expected;
  assert.equal(stateOf(moved, id), state, `${id}: ${moved.objects.find((object) => object.id === id)?.reason ?? ''}`);
  assert.match(moved.objects.find((object) => object.id === id)?.reason ?? '', reason, id);
}

async function onlyValue({ pool }: TestDatabase, sql: string): Promise<string | null> {
  const results: unknown = await pool.query({ text: sql, rowMode: 'array', types: { getTypeParser: () => String } });
  // Several statements in one text give an array of results.
  const result = (Array.isArray(results) ? results.at(-1) : results) as { readonly rows: readonly (readonly (string | null)[])[] };
  return result.rows[0]?.[0] ?? null;
}

test('a table of more columns than PostgreSQL has is a reason to refuse before loading', () => {
  using source = sourceWith(`CREATE TABLE wide (${Array.from({ length: 1_700 }, (_, at) => `c${at} INT`).join(', ')})`);
  const { plan } = planFor(source);
  assert.deepEqual(plan.blockers, [
    { object: 'table wide', reason: 'wide has 1700 columns; a PostgreSQL table holds 1600 at most' },
  ]);
});

test('the same names are shortened in the same way every time', () => {
  using source = sourceWith(`CREATE TABLE ${LONG} (a INT)`);
  assert.deepEqual(planFor(source).plan.names, planFor(source).plan.names);
  assert.equal(planFor(source).plan.names[0]?.target, 'a_name_that_is_longer_than_the_sixty_three_bytes_of_a__71842ced');
});
