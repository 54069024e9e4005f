import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { exportSubject } from '../actions/export-subject.ts';
import { parseSubject } from '../actions/ground.ts';
import { workbench, type Workbench } from './workbench.ts';

const everything = { from: null, to: null };
const TABLES = 6;
const PEOPLE = 6;
const ROWS = 24;

type Parent = {
  /** Which earlier table it refers to (0 is the people). */
  readonly to: number;
  /** By a key of two columns. */
  readonly composite: boolean;
  /** It refers to a second person, where it refers to people at all. */
  readonly second: boolean;
  /** What that makes of it: a row of both, or a row of the first that the second wrote. */
  readonly secondIs: 'shared' | 'created_by';
  /** The map says that what stands in it is of both. */
  readonly joint: boolean;
  readonly nullable: boolean;
  /** Rows refer to rows of their own table. */
  readonly self: boolean;
  /** What no foreign key guards. */
  readonly keyed: boolean;
  /** People stand in it by a table between: one row has one or two of them. */
  readonly joined: boolean;
};

type Shape = {
  readonly parents: readonly Parent[];
  readonly rows: readonly (readonly number[])[];
  readonly mode: 'anonymise' | 'delete';
  readonly person: number;
};

const shape: fc.Arbitrary<Shape> = fc.record({
  parents: fc.array(
    fc.record({
      to: fc.nat(TABLES),
      composite: fc.boolean(),
      second: fc.boolean(),
      secondIs: fc.constantFrom('shared', 'created_by'),
      joint: fc.boolean(),
      nullable: fc.boolean(),
      self: fc.boolean(),
      keyed: fc.boolean(),
      joined: fc.boolean(),
    }),
    { minLength: 2, maxLength: TABLES },
  ),
  rows: fc.array(fc.array(fc.nat(30), { minLength: ROWS, maxLength: ROWS }), { minLength: TABLES, maxLength: TABLES }),
  mode: fc.constantFrom('anonymise', 'delete'),
  person: fc.integer({ min: 1, max: PEOPLE - 1 }),
});

type Made = {
  readonly sql: string;
  readonly map: object;
  readonly tables: readonly string[];
  /** Who stands in a row that one path leads several people to, by its secret. */
  readonly holders: ReadonlyMap<string, readonly number[]>;
};

/** A schema where each table hangs on an earlier one, some on two people at once, some on rows of their own, and what the map says of it. */
function schemaOf(space: string, { parents, rows }: Shape): Made {
  const none = { category: 'none' };
  const secret = { category: 'user.content.private' };
  const sql = [
    `create schema ${space}`,
    `create table ${space}.t0 (a bigint not null, id bigint primary key, secret text, unique (a, id))`,
    `insert into ${space}.t0 select 1, n, 'secret 0.' || n from generate_series(1, ${PEOPLE}) as n`,
  ];
  const tables: Record<string, object> = { [`${space}.t0`]: { columns: { a: none, id: { category: 'user.unique_id' }, secret } } };
  const paths: string[] = [''];
  const holders = new Map<string, readonly number[]>();
  for (const [index, drawn] of parents.entries()) {
    const table = drawn.joined
      ? joinedTable(space, index, { drawn, rows: rows[index] ?? [] })
      : tableOf(space, index, { drawn, rows: rows[index] ?? [], paths, holders });
    sql.push(...table.sql);
    paths.push(table.path);
    for (const [row, people] of table.holders) holders.set(`secret ${index + 1}.${row}`, people);
    if (drawn.joined)
      tables[`${space}.j${index + 1}`] = { of: { person: 'person' }, columns: { id: none, place: none, person: none } };
    tables[`${space}.t${index + 1}`] = {
      of: { person: table.of },
      columns: { a: none, id: none, parent: none, other: none, prior: none, secret: { ...secret, ...table.secret } },
    };
  }
  const subject = { table: `${space}.t0`, key: 'id', find_by: ['secret'], label: 'secret' };
  return {
    sql: sql.join(';\n'),
    map: { version: 1, tenant: 'fixed', subjects: { person: subject }, tables },
    tables: Object.keys(tables),
    holders,
  };
}

type MadeTable = {
  readonly sql: readonly string[];
  readonly path: string;
  readonly of: unknown;
  readonly secret: object;
  readonly holders: ReadonlyMap<number, readonly number[]>;
};

/** Like an account with its holders. */
function joinedTable(
  space: string,
  index: number,
  { drawn: { joint }, rows }: { readonly drawn: Parent; readonly rows: readonly number[] },
): MadeTable {
  const [name, between] = [`${space}.t${index + 1}`, `${space}.j${index + 1}`];
  const holders = new Map(
    rows.map((value, row) => [row + 1, [...new Set([1 + (value % PEOPLE), 1 + (((value * 7) % (PEOPLE + 1)) % PEOPLE)])]]),
  );
  const pairs = [...holders].flatMap(([row, people]) => people.map((person) => `(${row * 10 + person}, ${row}, ${person})`));
  const path = `id <- ${between}.place -> person`;
  return {
    sql: [
      `create table ${name} (a bigint not null, id bigint primary key, parent bigint, other bigint, prior bigint, secret text, unique (a, id))`,
      `insert into ${name} values ${rows.map((_, row) => `(1, ${row + 1}, null, null, null, 'secret ${index + 1}.${row + 1}')`).join(', ')}`,
      `create table ${between} (id bigint primary key, place bigint not null references ${name}, person bigint not null references ${space}.t0)`,
      `insert into ${between} values ${pairs.join(', ')}`,
    ],
    path,
    of: path,
    secret: joint ? { of: path } : {},
    holders,
  };
}

function tableOf(
  space: string,
  index: number,
  {
    drawn,
    rows,
    paths,
    holders,
  }: {
    readonly drawn: Parent;
    readonly rows: readonly number[];
    readonly paths: readonly string[];
    readonly holders: Made['holders'];
  },
): MadeTable {
  const { to, composite, second, secondIs, joint, nullable, self } = drawn;
  const name = `${space}.t${index + 1}`;
  const parent = to % (index + 1);
  const hasSecond = second && parent === 0;
  const columns = composite ? '(a, parent)' : '(parent)';
  // A path without a foreign key names the columns that it arrives at; only one straight to the people is drawn so.
  const isKeyed = drawn.keyed || parent !== 0;
  const constraints = [
    ...(isKeyed ? [`foreign key ${columns} references ${space}.t${parent} ${composite ? '(a, id)' : '(id)'}`] : []),
    ...(hasSecond ? [`foreign key (other) references ${space}.t0 (id)`] : []),
    ...(self ? [`foreign key (prior) references ${name} (id)`] : []),
  ];
  const values = rows.map((value, row) => {
    const up = 1 + (value % (parent === 0 ? PEOPLE : ROWS));
    const prior = self && row > 0 && value % 3 === 0 ? String(1 + (value % row)) : 'null';
    return `(1, ${row + 1}, ${nullable && value % 7 === 0 ? 'null' : up}, ${1 + (value % 5)}, ${prior}, 'secret ${index + 1}.${row + 1}')`;
  });
  const step = composite ? '[a, parent]' : 'parent';
  const arrival = composite ? `${space}.t${parent}.[a, id]` : `${space}.t${parent}.id`;
  const path = parent === 0 ? (isKeyed ? step : `${step} -> ${arrival}`) : `${step} -> ${arrival} -> ${paths[parent] ?? ''}`;
  const isOfSeveral = path.includes('<-');
  const one = { path, meaning: isOfSeveral || (hasSecond && secondIs === 'shared') ? 'shared' : 'owns' };
  const upward = rows.map((value, row) => [row + 1, nullable && value % 7 === 0 ? 0 : 1 + (value % ROWS)] as const);
  return {
    sql: [
      `create table ${name} (a bigint not null, id bigint primary key, parent bigint ${nullable ? '' : 'not null'}, other bigint, prior bigint, secret text,
         unique (a, id)${constraints.map((each) => `, ${each}`).join('')})`,
      `create index on ${name} (parent)`,
      `insert into ${name} values ${values.join(', ')}`,
    ],
    path,
    of: hasSecond ? [one, { path: 'other', meaning: secondIs }] : one,
    secret: hasSecond && joint ? { of: [path, 'other'] } : {},
    holders: new Map(isOfSeveral ? upward.map(([row, up]) => [row, holders.get(`secret ${parent}.${up}`) ?? []]) : []),
  };
}

/**
 * Random schemas, maps and people: what an export shows an erasure deals with, row for row, and no row of anybody else changes. All
 * in one database, a schema for each.
 */
export async function compareAndErase(t: Parameters<typeof workbench>[0], runs: number): Promise<number> {
  const bench = await workbench(t, {
    schema: 'select',
    map: schemaOf('none', { parents: [], rows: [], mode: 'delete', person: 1 }).map,
  });
  let erased = 0;
  await fc.assert(
    fc.asyncProperty(shape, async (drawn) => {
      erased += 1;
      const made = schemaOf(`s${erased}`, drawn);
      await bench.pool.query(made.sql);
      try {
        await comparePerson(bench, made, drawn);
      } finally {
        await bench.pool.query(`drop schema s${erased} cascade`);
      }
    }),
    { numRuns: runs, endOnFailure: true },
  );
  return erased;
}

async function comparePerson(bench: Workbench, { map, tables, holders }: Made, { person, mode }: Shape): Promise<void> {
  const ground = await bench.refresh(map);
  const subject = `person:${person}`;
  const before = await allRows(bench, tables);
  const out = join(bench.folder, 'export.json');
  const exported = await exportSubject(
    { ...ground, directory: bench.folder, key: randomBytes(32) },
    { ...parseSubject(ground.map, subject), format: 'json', window: everything, out },
  );
  const text = await readFile(out, 'utf8');
  const shown = new Set([...text.matchAll(/"id":(\d+)|"table":"([^"]+)"/g)].reduce(rowsOfTables, { table: '', rows: [] }).rows);
  await rm(out);
  await rm(`${out}.manifest.json`);
  const plan = await bench.plan(subject, mode, ground);
  assert.deepEqual(plan.blocked, []);
  const planned = new Map<string, number>();
  for (const { table, rows } of plan.tables) planned.set(table, (planned.get(table) ?? 0) + rows);
  assert.deepEqual(
    Object.fromEntries(exported.tables.filter(({ rows }) => rows > 0).map(({ table, rows }) => [table, rows])),
    Object.fromEntries(planned),
  );
  assert.equal((await bench.approve(subject, plan.hash, { ground })).state, 'done');
  const after = await allRows(bench, tables);
  const left = new Set(secretsOf([...after.values()].join('\n')));
  const gone = secretsOf([...before.values()].join('\n')).filter((secret) => !left.has(secret));
  const given = secretsOf(text);
  const staying = given.filter((secret) => left.has(secret));
  assert.deepEqual(
    given.filter((secret) => !left.has(secret)),
    gone,
    'what the export gives of a row is what an erasure takes from it',
  );
  const joint = new Set(jointTables(map));
  for (const secret of staying)
    assert.ok(joint.has(secret.replace(/^secret (\d+)\..*/, '$1')), `${secret} is nobody else's, and stays`);
  for (const [secret, people] of holders) {
    const isShared = people.some((each) => each !== person);
    assert.equal(gone.includes(secret), people.includes(person) && !isShared, `${secret} is of ${people.join(' and ')}`);
    const isGiven = !isShared || joint.has(secret.replace(/^secret (\d+)\..*/, '$1'));
    assert.equal(given.includes(secret), people.includes(person) && isGiven, `${secret} is of ${people.join(' and ')}`);
  }
  for (const [name, text] of before) {
    if (after.get(name) !== text) assert.ok(shown.has(name), `${name} changed and was not in the export`);
  }
  assert.deepEqual(
    [...after.keys()].filter((name) => !before.has(name)),
    [],
    'no row came',
  );
}

/** The numbers of tables whose secrets are of two people. */
function jointTables(map: object): readonly string[] {
  const { tables } = map as { readonly tables: Readonly<Record<string, { readonly columns: { readonly secret?: object } }>> }; // Made above.
  return Object.entries(tables).flatMap(([name, { columns }]) =>
    'of' in (columns.secret ?? {}) ? [name.replace(/^.*\.t/, '')] : [],
  );
}

/** Each row has one that no other has. */
function secretsOf(text: string): readonly string[] {
  return [...text.matchAll(/secret \d+\.\d+/g)].map(([secret]) => secret).toSorted();
}

type Reading = { readonly table: string; readonly rows: readonly string[] };

function rowsOfTables({ table, rows }: Reading, [, id, name]: RegExpMatchArray): Reading {
  return name === undefined ? { table, rows: [...rows, `${table} ${id}`] } : { table: name, rows };
}

/** Every row of the tables, by table and id. */
async function allRows({ pool }: Workbench, tables: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const selects = tables.map((table) => `select '${table} ' || id as name, t::text as text from ${table} as t`);
  const { rows } = await pool.query<{ name: string; text: string }>(selects.join(' union all '));
  return new Map(rows.map(({ name, text }) => [name, text]));
}
