import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { workbench } from '../testing/workbench.ts';
import { exportSubject } from './export-subject.ts';
import { parseSubject } from './ground.ts';

const everything = { from: null, to: null };
const TABLES = 6;

type Shape = {
  /** For each table: which earlier table it refers to (0 is the people), by a key of one column or two, and what that means. */
  readonly parents: readonly {
    readonly to: number;
    readonly composite: boolean;
    readonly second: number | null;
    readonly nullable: boolean;
  }[];
  readonly rows: readonly (readonly number[])[];
  readonly mode: 'anonymise' | 'delete';
  readonly person: number;
};

const shape: fc.Arbitrary<Shape> = fc.record({
  parents: fc.array(
    fc.record({ to: fc.nat(TABLES), composite: fc.boolean(), second: fc.option(fc.nat(4)), nullable: fc.boolean() }),
    { minLength: 2, maxLength: TABLES },
  ),
  rows: fc.array(fc.array(fc.nat(30), { minLength: 24, maxLength: 24 }), { minLength: TABLES, maxLength: TABLES }),
  mode: fc.constantFrom('anonymise', 'delete'),
  person: fc.integer({ min: 1, max: 5 }),
});

type Made = { readonly sql: string; readonly map: object; readonly tables: readonly string[] };

/** A schema where each table hangs on an earlier one, some on two people at once, and what the map says of it. */
function schemaOf({ parents, rows }: Shape): Made {
  const none = { category: 'none' };
  const secret = { category: 'user.content.private' };
  const sql = [
    `create table public.t0 (a bigint not null, id bigint primary key, secret text, unique (a, id)); insert into t0 select 1, n, 'secret 0.' || n from generate_series(1, 6) as n`,
  ];
  const tables: Record<string, object> = { 'public.t0': { columns: { a: none, id: { category: 'user.unique_id' }, secret } } };
  const paths: string[] = [''];
  for (const [index, { to, composite, second, nullable }] of parents.entries()) {
    const name = `t${index + 1}`;
    const parent = to % (index + 1);
    const refers = composite
      ? `foreign key (a, parent) references t${parent} (a, id)`
      : `foreign key (parent) references t${parent} (id)`;
    const hasSecond = second !== null && parent === 0;
    sql.push(
      `create table public.${name} (a bigint not null, id bigint primary key, parent bigint ${nullable ? '' : 'not null'}, other bigint, secret text, unique (a, id), ${refers}${hasSecond ? ', foreign key (other) references t0 (id)' : ''})`,
      `create index on ${name} (parent)`,
    );
    const values = (rows[index] ?? []).map(
      (value, row) =>
        `(1, ${row + 1}, ${1 + (value % (parent === 0 ? 6 : 24))}, ${1 + (value % 5)}, 'secret ${index + 1}.${row + 1}')`,
    );
    sql.push(`insert into ${name} values ${values.join(', ')}`);
    const step = composite ? '[a, parent]' : 'parent';
    const up =
      parent === 0
        ? ''
        : ` -> t${parent}.${composite ? '[a, id] -> ' : ''}${(paths[parent] ?? '').replace(/^\[a, parent\]/, composite ? '[a, parent]' : '[a, parent]')}`;
    paths[index + 1] = `${step}${up}`;
    const meaning = hasSecond ? 'shared' : 'owns';
    tables[`public.${name}`] = {
      of: {
        person: hasSecond
          ? [
              { path: paths[index + 1], meaning },
              { path: 'other', meaning },
            ]
          : { path: paths[index + 1], meaning },
      },
      columns: { a: none, id: none, parent: none, other: none, secret },
    };
  }
  return {
    sql: sql.join(';\n'),
    map: {
      version: 1,
      tenant: 'fixed',
      subjects: { person: { table: 'public.t0', key: 'id', find_by: ['secret'], label: 'secret' } },
      tables,
    },
    tables: Object.keys(tables),
  };
}

test(
  'over random schemas and people: what an export shows an erasure deals with, and no row of anybody else changes',
  { timeout: 120_000 },
  async (t) => {
    await fc.assert(
      fc.asyncProperty(shape, async (drawn) => {
        const endings: (() => Promise<void>)[] = [];
        const ending = { after: (run: () => Promise<void>) => void endings.unshift(run) };
        const { sql, map, tables } = schemaOf(drawn);
        const bench = await workbench(ending, { schema: sql, map });
        try {
          const subject = `person:${drawn.person}`;
          const before = new Map<string, readonly string[]>();
          for (const table of tables) before.set(table, await bench.rows(table));
          const out = join(bench.folder, 'export.json');
          const exported = await exportSubject(
            { ...bench.ground, directory: bench.folder, key: randomBytes(32) },
            { ...parseSubject(bench.ground.map, subject), format: 'json', window: everything, out },
          );
          const text = await readFile(out, 'utf8');
          await rm(out);
          const plan = await bench.plan(subject, drawn.mode);
          assert.deepEqual(plan.blocked, []);
          const planned = new Map<string, number>();
          for (const { table, rows } of plan.tables) planned.set(table, (planned.get(table) ?? 0) + rows);
          assert.deepEqual(
            Object.fromEntries(exported.tables.filter(({ rows }) => rows > 0).map(({ table, rows }) => [table, rows])),
            Object.fromEntries(planned),
          );
          await bench.approve(subject, plan.hash);
          for (const table of tables) {
            const after = new Set(await bench.rows(table));
            for (const row of before.get(table) ?? []) {
              const secret = /secret \d+\.\d+/.exec(row)?.[0] ?? '';
              // A row that was not in the export is as it was.
              if (!text.includes(`"${secret}"`)) assert.ok(after.has(row), `${table}: ${row}`);
            }
          }
        } finally {
          for (const end of endings) await end();
        }
      }),
      { numRuns: 8 },
    );
    assert.ok(t.name);
  },
);
