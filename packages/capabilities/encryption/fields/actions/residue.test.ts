import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type pg from 'pg';
import { testServers } from '@safekeep/postgres/testing';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const EMAIL = 'public.people.email';

/** All that the server wrote into its own log. */
function logOf(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

async function position({ pool }: Workbench): Promise<string> {
  const { rows } = await pool.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
  return rows[0]?.lsn ?? '0/0';
}

/** How many of the write-ahead log's files between two positions hold these bytes: what a thief of the log would find. */
async function filesOfLogWith({ pool }: Workbench, bytes: Buffer, [from, to]: readonly [string, string]): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `with size as (select setting::int8 as bytes from pg_settings where name = 'wal_segment_size'),
          files as (select distinct pg_walfile_name('0/0'::pg_lsn + least(at, pg_wal_lsn_diff($3, '0/0'))) as name
                      from size, generate_series(pg_wal_lsn_diff($2, '0/0') + 1, pg_wal_lsn_diff($3, '0/0') + size.bytes, size.bytes) as at)
     select count(*)::integer as n from files
      where position($1::bytea in pg_read_binary_file('pg_wal/' || name,
              case when name = pg_walfile_name($2::pg_lsn + 1) then mod(pg_wal_lsn_diff($2, '0/0'), (select bytes from size))::int8 else 0 end, (select bytes from size))) > 0`,
    [bytes, from, to],
  );
  return rows[0]?.n ?? -1;
}

/** The table's own file, after a checkpoint: what a copy of the disk holds. */
async function tableFileHolds({ pool }: Workbench, bytes: Buffer): Promise<boolean> {
  await pool.query('checkpoint');
  const { rows } = await pool.query<{ found: boolean }>(
    `select position($1::bytea in pg_read_binary_file(pg_relation_filepath('people'))) > 0 as found`,
    [bytes],
  );
  return rows[0]?.found === true;
}

/** Everything that can be asked of the server with SQL: what anybody with a monitoring role sees. */
async function shownBySql({ pool }: Workbench, mark: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ place: string }>(
    `select 'rows' as place from people where people::text like $1
     union all select 'pg_stats' from pg_stats where schemaname = 'public' and (most_common_vals::text like $1 or histogram_bounds::text like $1)
     union all select 'pg_statistic_ext_data' from pg_stats_ext where most_common_vals::text like $1
     union all select 'pg_proc' from pg_proc where prosrc like $1
     union all select 'pg_trigger' from pg_trigger where pg_get_triggerdef(oid) like $1 or encode(tgargs, 'escape') like $1
     union all select 'pg_stat_activity' from pg_stat_activity where query like $1 and pid <> pg_backend_pid()
     union all select 'pg_prepared_statements' from pg_prepared_statements where statement like $1
     union all select 'fields' from safekeep.fields as f where f::text like $1`,
    [`%${mark}%`],
  );
  return rows.map(({ place }) => place);
}

for (const server of testServers()) {
  test(`planted plaintext and keys are found where the residue report says, and nowhere else (PostgreSQL ${server.name})`, async (t) => {
    const mark = `planted-${randomBytes(8).toString('hex')}`;
    const bench = await workbench(t, {
      server,
      setUp: `create table people (id integer primary key, email text, visits integer not null default 0);
        create index people_lower on people (lower(email)); create statistics people_both (mcv) on email, visits from people`,
    });
    const started = await position(bench);
    await bench.pool.query(`insert into people select n, $1 || '-' || n % 20 from generate_series(1, 500) as n`, [mark]);
    await bench.pool.query('analyze people');
    assert.deepEqual(
      [...new Set(await shownBySql(bench, mark))].toSorted(),
      ['pg_statistic_ext_data', 'pg_stats', 'rows'],
      'the search itself finds what is there',
    );

    await encryptField(bench.ground, bench.order(EMAIL, { mode: 'database' }), agreed);
    const { field, residue } = await finishField(bench.ground, bench.order(EMAIL).column, agreed);
    const finished = await position(bench);
    const report = residue.join('\n');
    assert.deepEqual(await shownBySql(bench, mark), []);
    assert.doesNotMatch(logOf(server.logDirectory), new RegExp(mark));

    // Said by the report, and so it is: the log of before, and what the table's file still has in its freed parts.
    assert.match(report, /write-ahead log holds it/);
    assert.ok((await filesOfLogWith(bench, Buffer.from(mark), [started, finished])) > 0);
    if (await tableFileHolds(bench, Buffer.from(mark))) assert.match(report, /until they are written over \(VACUUM FULL/);
    await bench.pool.query('vacuum full people');
    assert.equal(await tableFileHolds(bench, Buffer.from(mark)), false, 'VACUUM FULL does what the report says');

    // From here on: an application goes on with another planted value, which no log ever sees.
    const late = `late-${randomBytes(8).toString('hex')}`;
    const afterwards = await position(bench);
    const bundle = bench.keys.bundle(field);
    const unlocked = async (run: (client: pg.ClientBase) => Promise<unknown>): Promise<void> => {
      const client = await bench.pool.connect();
      await client.query('begin');
      await client.query('select safekeep.unlock($1)', [bundle]);
      await run(client);
      await client.query('commit');
      client.release();
    };
    await unlocked((client) => client.query('insert into people (id, email) values (900, $1)', [`${late}@example.org`]));
    await unlocked((client) =>
      client.query('update people_decrypted set email = $1, visits = 1 where id = 7', [`${late}@example.org`]),
    );
    await unlocked(async (client) => {
      const { rows } = await client.query('select id from people_decrypted where email = $1 order by id', [`${late}@example.org`]);
      assert.deepEqual(rows, [{ id: 7 }, { id: 900 }]);
    });
    // Without the key: refused, and no message quotes the value.
    for (const statement of [
      'insert into people (id, email) values (901, $1)',
      'update people set email = $1 where id = 8',
      'update people_decrypted set email = $1 where id = 8',
    ])
      await assert.rejects(
        bench.pool.query(statement, [`${late}@example.org`]),
        (error) => !JSON.stringify([String(error), error]).includes(late),
      );
    await bench.pool.query('analyze people');
    assert.deepEqual(await shownBySql(bench, late), []);
    assert.doesNotMatch(logOf(server.logDirectory), new RegExp(`${mark}|${late}`));
    const ended = await position(bench);
    assert.equal(await filesOfLogWith(bench, Buffer.from(late), [afterwards, ended]), 0);
    const key = bundle.subarray(13, 45);
    assert.equal(await filesOfLogWith(bench, key, [afterwards, ended]), 0);
    assert.equal(await filesOfLogWith(bench, Buffer.from(key.toString('hex')), [afterwards, ended]), 0);
    assert.ok(!logOf(server.logDirectory).includes(key.toString('hex')));
    assert.equal(await tableFileHolds(bench, Buffer.from(late)), false);
  });
}
