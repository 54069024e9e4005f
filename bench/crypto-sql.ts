import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Secret } from '@safekeep/core';
import { createSealingKey, unlockBundle } from '@safekeep/crypto';
import { migrateUp, openDatabase } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';

// One statement over many values, so that what is left is the function. A value of 16 bytes, as most fields have.
const PLACE = { tenant: 'default', field: '01994b0e-7c4a-7000-8000-5f2f6d8b9c10' };
const VALUE = 'abcdefghijklmno0';
const SOURCE = 'issue 8';

type Side = {
  /** Of `$1` values; answers how many bytes or characters came out, so that nothing is left out as unused. */
  readonly statement: string;
  /** What stands in the statement as `$2`. */
  readonly second: (connection: pg.Client, key: Buffer) => Promise<unknown>;
};

function working({ statement, second }: Side) {
  return async ({ fixture, size, watch }: ContenderContext<DatabaseFixture>): Promise<Prepared> => {
    const connection = new pg.Client({ connectionString: fixture.url, application_name: 'bench crypto-sql' });
    await connection.connect();
    const { rows } = await connection.query<{ pid: number }>('select pg_backend_pid() as pid');
    for (const { pid } of rows) watch(pid);
    // Where pgcrypto lies, so that the rival is found.
    await connection.query(`select pg_catalog.set_config('search_path', pg_catalog.format('public, %I', n.nspname), false)
      from pg_catalog.pg_extension as e join pg_catalog.pg_namespace as n on n.oid = e.extnamespace where e.extname = 'pgcrypto'`);
    const { id, bytes } = createSealingKey();
    const wrapped = unlockBundle([{ use: 'seal', id, bytes, ...PLACE }]);
    return {
      beforeRun: async () => {
        await connection.query('begin');
        await connection.query('select safekeep.unlock($1)', [wrapped]);
      },
      run: async () => {
        const parameter = await second(connection, bytes);
        const startedMs = performance.now();
        await connection.query(statement, [size, parameter]);
        return { units: size, extra: { microsecondsEach: ((performance.now() - startedMs) * 1_000) / size } };
      },
      afterRun: async () => {
        await connection.query('rollback');
      },
      close: () => connection.end(),
    };
  };
}

const value = async (): Promise<string> => VALUE;
const passphrase = `'${randomBytes(16).toString('hex')}'`;

/** One value sealed by `expression`, to be opened many times. */
const sealedBy = (expression: string) => async (connection: pg.Client) =>
  (await connection.query<{ sealed: Buffer }>(`select ${expression} as sealed`, [VALUE])).rows[0]?.sealed;

const seal = `safekeep.seal_value('${PLACE.tenant}', '${PLACE.field}', 'text', $1::text)`;
const pgp = `pgp_sym_encrypt($1::text, ${passphrase})`;
// The number of the row takes part, so that no planner may work a function out once.
const over = (expression: string): string => `select sum(length(${expression})) from generate_series(1, $1::integer) as number`;

export const bench = defineBench<DatabaseFixture>({
  question: 'How long does PostgreSQL take to seal and open a value of 16 bytes by itself, beside pgp_sym_encrypt?',
  unit: 'values',
  sizes: { small: 5_000, medium: 20_000, large: 100_000 },
  warmups: 1,
  runs: 7,
  stage: () =>
    stageDatabase(async (pool) => {
      const { connectionString } = pool.options;
      if (connectionString === undefined) throw new TypeError('The pool of a stage has a connection string');
      const database = await openDatabase(new Secret(connectionString));
      try {
        await migrateUp(database);
      } finally {
        await database.close();
      }
    }),
  contenders: [
    {
      name: 'seal_value',
      kind: 'ours',
      prepare: working({
        statement: over(
          `safekeep.seal_value('${PLACE.tenant}', '${PLACE.field}', 'text', substr($2::text, 1, 10) || lpad(number::text, 6, '0'))`,
        ),
        second: value,
      }),
    },
    {
      name: 'open_value',
      kind: 'ours',
      prepare: working({ statement: over(`safekeep.open_value(case when number > 0 then $2::bytea end)`), second: sealedBy(seal) }),
    },
    {
      name: 'pgp_sym_encrypt',
      kind: 'rival',
      prepare: working({
        statement: over(`pgp_sym_encrypt(substr($2::text, 1, 10) || lpad(number::text, 6, '0'), ${passphrase})`),
        second: value,
      }),
    },
    {
      name: 'pgp_sym_decrypt',
      kind: 'rival',
      prepare: working({
        statement: over(`pgp_sym_decrypt(case when number > 0 then $2::bytea end, ${passphrase})`),
        second: sealedBy(pgp),
      }),
    },
  ],
  limits: [
    { contender: 'seal_value', measure: 'extra.microsecondsEach', relation: 'at-most', bound: 25, source: SOURCE },
    { contender: 'open_value', measure: 'extra.microsecondsEach', relation: 'at-most', bound: 25, source: SOURCE },
  ],
});
