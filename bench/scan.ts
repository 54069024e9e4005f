import pg from 'pg';
import { scanDatabase } from '@safekeep/capabilities/discovery';
import { Secret, systemClock } from '@safekeep/core';
import { openDatabase, readCatalog } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';

/** Of one table in schema `large`, by the number of tables. */
const LARGE_ROWS = [
  [100, 200_000],
  [1000, 2_000_000],
  [5000, 20_000_000],
] as const;
const COLUMNS = 8;

/** Eight columns each, of names that say all, something and nothing. The two schemas differ in the size of one table alone. */
async function makeTables(pool: pg.Pool, tables: number): Promise<void> {
  const large = LARGE_ROWS.find(([count]) => count >= tables)?.[1] ?? 0;
  for (const schema of ['small', 'large']) {
    await pool.query(`create schema ${schema}`);
    for (let number = 1; number <= tables; number += 1) {
      const rows = schema === 'large' && number === 1 ? large : 60;
      await pool.query(`
        create table ${schema}.table_${number} (id bigint primary key, full_name text, email varchar(254), col_7 text, remark text, code varchar(20), amount numeric(12, 2), created_at timestamptz);
        insert into ${schema}.table_${number}
          select n, 'Ada ' || n, 'user' || n || '@example.org', case when ${number} % 5 = 0 then 'person' || n || '@example.net' else md5(n::text) end, repeat('some words of no account ', 4) || n, 'C-' || n % 40, n, now()
            from generate_series(1, ${rows}) as n`);
    }
  }
  // Otherwise autovacuum would do it in the middle of a run.
  await pool.query('vacuum analyze');
}

function scanning(schema: string) {
  return async ({ fixture, size }: ContenderContext<DatabaseFixture>): Promise<Prepared> => {
    const database = await openDatabase(new Secret(fixture.url), { poolMax: 1, applicationName: 'bench scan' });
    return {
      run: async () => {
        const { columns } = await scanDatabase(database, {
          tenant: 'default',
          clock: systemClock,
          signal: new AbortController().signal,
          schemas: [schema],
        });
        const found = columns.filter(({ decision }) => decision !== 'none').length;
        if (columns.length !== size * COLUMNS || found < size)
          throw new Error(`${found} of ${columns.length} columns are personal`);
        return { units: columns.length };
      },
      close: database.close,
    };
  };
}

/** What no scan can do without: the structure, and the statistics of each column. */
async function bareReading({ fixture, size }: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const pool = new pg.Pool({ connectionString: fixture.url, max: 1, idleTimeoutMillis: 0, application_name: 'bench statistics' });
  return {
    run: async () => {
      await readCatalog(pool, { schemas: ['small'] });
      await pool.query(
        `select tablename, attname, null_frac, most_common_vals::text, histogram_bounds::text from pg_stats where schemaname = 'small'`,
      );
      return { units: size * COLUMNS };
    },
    close: () => pool.end(),
  };
}

const SOURCE = 'issue 6, limits of the design';

export const bench = defineBench<DatabaseFixture>({
  question: 'How long does it take to judge every column of a database, and does the size of its tables matter?',
  unit: 'columns',
  sizes: { small: 100, medium: 1000, large: 5000 },
  warmups: 2,
  stage: ({ size }) => stageDatabase((pool) => makeTables(pool, size)),
  contenders: [
    { name: 'scan', kind: 'ours', isolate: true, prepare: scanning('small') },
    { name: 'scan with a large table', kind: 'ours', isolate: true, prepare: scanning('large') },
    { name: 'catalogue and statistics', kind: 'limit', isolate: true, prepare: bareReading },
  ],
  limits: [
    { contender: 'scan', measure: 'seconds', relation: 'at-most', bound: 5, scales: ['small', 'medium'], source: SOURCE },
    {
      contender: 'scan',
      measure: 'peakRssBytes',
      relation: 'at-most',
      bound: 200_000_000,
      scales: ['small', 'medium'],
      source: SOURCE,
    },
    { contender: 'scan with a large table', measure: 'seconds', relation: 'at-most', bound: 1.2, against: 'scan', source: SOURCE },
  ],
});
