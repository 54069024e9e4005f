import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import pg from 'pg';
import type { Secret } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { columnComments } from '../contributors/column-comments.ts';
import { complianceFields } from '../contributors/compliance-fields.ts';
import { rowSecurity } from '../contributors/row-security.ts';
import { mapEverything, mapOf, userCatalog, workbench, type Workbench } from '../testing/workbench.ts';

const PG_DUMP = '/usr/lib/postgresql/15/bin/pg_dump';
const NORTHWIND = join(import.meta.dirname, '../../../../../shared/data/schemas/northwind.sql');
const fifteen = testServers().find(({ name }) => name === '15');

/** The user's schemas as pg_dump writes them, comments and row security included, without its version and the random key of \restrict. */
async function dump(url: Secret): Promise<string> {
  const args = ['--schema-only', '--exclude-schema=safekeep', '--no-owner', url.reveal()];
  const { stdout } = await promisify(execFile)(PG_DUMP, args, { maxBuffer: 1 << 26 });
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

/** One table of a random schema; `refers` names others by their place, in circles too. */
type TablePlan = {
  readonly key: readonly string[];
  readonly columns: readonly string[];
  readonly refers: readonly number[];
  readonly partitioned: boolean;
  readonly comment: string | null;
  readonly secured: boolean;
  readonly form: 'columns' | 'side-table' | null;
  readonly isolated: boolean;
};

const NAMES = ['a', 'B b', 'c.d', 'e"f', "g'h", 'order', 'ñ'] as const;
const tablePlan: fc.Arbitrary<TablePlan> = fc.record({
  key: fc.constantFrom([], ['k1'], ['k1', 'K 2']),
  columns: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 5 }),
  refers: fc.array(fc.nat({ max: 3 }), { maxLength: 3 }),
  partitioned: fc.boolean(),
  comment: fc.option(fc.constantFrom('plain', "it's", 'two\nlines\n', 'x\n[safekeep category=x protect=none]', 'back\\slash')),
  secured: fc.boolean(),
  form: fc.constantFrom('columns', 'side-table', null),
  isolated: fc.boolean(),
});

const quote = (name: string): string => pg.escapeIdentifier(name);
const tableName = (place: number): string => `Table ${place} "of" x.y`;

function creation(plans: readonly TablePlan[]): string {
  const tables = plans.map(({ key, columns, partitioned }, place) => {
    const parts = [...key.map((name) => `${quote(name)} integer`), ...columns.map((name) => `${quote(name)} text`), 'tenant text'];
    if (key.length > 0) parts.push(`primary key (${key.map(quote).join(', ')})`);
    const [divider = columns[0] ?? ''] = key;
    const table = quote(tableName(place));
    const rest = partitioned
      ? `partition by hash (${quote(divider)}); create table ${quote(`part ${place}`)} partition of ${table} for values with (modulus 1, remainder 0)`
      : '';
    return `create table ${table} (${parts.join(', ')}) ${rest}`;
  });
  const extras = plans.flatMap(({ refers, comment, secured, columns }, place) => {
    const table = quote(tableName(place));
    const links = [...new Set(refers)].flatMap((other) => {
      const key = plans[other]?.key ?? [];
      if (key.length === 0) return [];
      const own = key.map((_, part) => `ref ${other} ${part}`);
      return [
        ...own.map((name) => `alter table ${table} add column ${quote(name)} integer`),
        `alter table ${table} add foreign key (${own.map(quote).join(', ')}) references ${quote(tableName(other))}`,
      ];
    });
    const first = quote(columns[0] ?? 'tenant');
    return [
      ...links,
      ...(comment === null ? [] : [`comment on column ${table}.${first} is ${pg.escapeLiteral(comment)}`]),
      ...(secured ? [`alter table ${table} enable row level security`, `create policy own on ${table} using (tenant = 'x')`] : []),
      `create view ${quote(`view ${place}`)} as select ${first} from ${table}`,
    ];
  });
  return [...tables, ...extras].join(';\n');
}

function intentOf(bench: Workbench, plans: readonly TablePlan[], tables: object) {
  const planOf = (name: string): TablePlan | undefined => plans.find((_, place) => name.includes(`Table ${place} `));
  const contributors = [
    columnComments,
    complianceFields((_, name) => {
      const plan = planOf(name);
      return plan?.form === 'side-table' && plan.key.length === 0 ? null : (plan?.form ?? null);
    }),
    rowSecurity((_, name) => ({ isolate: planOf(name)?.isolated ?? false, hideDeleted: planOf(name)?.form === 'columns' })),
  ];
  return { tenant: bench.ground.tenant, contributors, read: mapOf({ tables, tenant: { column: 'tenant' } }) };
}

for (const server of testServers()) {
  test(
    `any schema and map: apply then unapply is the identity, and apply twice is apply once (PostgreSQL ${server.name})`,
    { timeout: 120_000 },
    async (t) => {
      const bench = await workbench(t, { server });
      await fc.assert(
        fc.asyncProperty(fc.array(tablePlan, { minLength: 1, maxLength: 4 }), async (plans) => {
          await bench.pool.query('drop schema if exists public cascade; create schema public');
          await bench.pool.query(creation(plans));
          const before = await bench.userState();
          const dumped = server.name === '15' ? await dump(bench.url) : '';
          const tables = mapEverything(await userCatalog(bench.pool));
          const intent = intentOf(bench, plans, tables);

          const { steps } = await bench.apply(intent);
          assert.ok(steps.length > 0);
          const applied = await bench.userState();
          assert.notDeepEqual(applied, before);
          assert.deepEqual((await bench.apply(intent)).steps, []);
          assert.deepEqual(await bench.userState(), applied);
          const { drift, pending } = await bench.status(intent);
          assert.deepEqual({ drift, pending }, { drift: [], pending: [] });

          const out = await bench.unapply();
          assert.deepEqual([out.restored, out.changedSince, out.fingerprint], [true, [], before.fingerprint]);
          assert.deepEqual(await bench.userState(), before);
          if (server.name === '15') assert.equal(await dump(bench.url), dumped);
        }),
        { numRuns: 12 },
      );
    },
  );
}

const missing =
  fifteen === undefined ? 'no PostgreSQL 15 here' : existsSync(NORTHWIND) ? false : 'skipped: ../shared/data not present';

test(
  'northwind on PostgreSQL 15: planned, applied, drifted by a column added by hand, and given back to the letter',
  { skip: missing },
  async (t) => {
    assert.ok(fifteen);
    const bench = await workbench(t, { server: fifteen });
    const session = await bench.pool.connect();
    await session.query(readFileSync(NORTHWIND, 'utf8'));
    session.release(true);
    const [before, dumped] = [await bench.userState(), await dump(bench.url)];
    const intent = bench.intent(mapEverything(await userCatalog(bench.pool)), [
      columnComments,
      complianceFields((_, name) => (name === 'public.customers' ? 'columns' : 'side-table')),
    ]);
    const { hash, steps } = await bench.plan(intent);
    await bench.apply(intent, { hash });
    assert.equal((await bench.status(intent)).applied, steps.length);
    await bench.pool.query('alter table customers add column birthday date');
    const { ok, drift } = await bench.status(intent);
    assert.deepEqual(
      [ok, drift.map(({ object, change }) => [object, change])],
      [false, [['column public.customers.birthday', 'added']]],
    );
    await bench.pool.query('alter table customers drop column birthday');
    assert.equal((await bench.unapply()).restored, true);
    assert.deepEqual(await bench.userState(), before);
    assert.equal(await dump(bench.url), dumped);
  },
);
