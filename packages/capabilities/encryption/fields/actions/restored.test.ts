import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openTexts } from '@safekeep/crypto';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import type { Field } from '../model.ts';
import { agreed, workbench } from '../testing/workbench.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const execute = promisify(execFile);
const BINARIES = '/usr/lib/postgresql/15/bin';
const server = testServers().find(({ name }) => name === '15');
const skip = server !== undefined && existsSync(join(BINARIES, 'pg_restore')) ? false : 'skipped: no pg_dump of PostgreSQL 15 here';

/** Runs a program of PostgreSQL on a database; the password goes by the environment, not by the list of processes. */
async function run(program: string, url: string, args: readonly string[]): Promise<void> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const env = {
    ...process.env,
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
  };
  await execute(join(BINARIES, program), args, { env });
}

test(
  'a dump that is restored, whole or as data into a schema that stands, seals nothing twice and opens as before',
  { skip },
  async (t) => {
    assert.ok(server);
    const bench = await workbench(t, {
      server,
      setUp: `create table people (id integer primary key, email text, phone text, note text);
      insert into people select n, 'person' || n || '@example.org', '555-' || n, 'note ' || n from generate_series(1, 300) as n`,
    });
    const fields: Field[] = [];
    // One is finished, one stands in both forms, one is a client's: every trigger of ours is there.
    for (const [column, mode] of [
      ['email', 'database'],
      ['phone', 'database'],
      ['note', 'client'],
    ] as const)
      fields.push((await encryptField(bench.ground, bench.order(`public.people.${column}`, { mode }), agreed)).field);
    await finishField(bench.ground, bench.order('public.people.email').column, agreed);
    const everything = 'select * from people order by id';
    const { rows: original } = await bench.pool.query(everything);

    const folder = await mkdtemp(join(tmpdir(), 'safekeep-dump-'));
    t.after(() => rm(folder, { recursive: true }));
    const dump = join(folder, 'dump');
    await run('pg_dump', bench.url.reveal(), ['--format=custom', `--file=${dump}`]);
    const restored = await testDatabase(t, { server });
    await run('pg_restore', restored.url.reveal(), [
      '--exit-on-error',
      '--dbname',
      new URL(restored.url.reveal()).pathname.slice(1),
      dump,
    ]);
    assert.deepEqual((await restored.pool.query(everything)).rows, original);

    // Data alone, into the schema with its triggers firing.
    await restored.pool.query('truncate people');
    await run('pg_restore', restored.url.reveal(), [
      '--exit-on-error',
      '--data-only',
      '--table=people',
      '--dbname',
      new URL(restored.url.reveal()).pathname.slice(1),
      dump,
    ]);
    assert.deepEqual((await restored.pool.query(everything)).rows, original);

    for (const { column, encryptedColumn, ...field } of fields) {
      const { rows } = await restored.pool.query<Record<string, Buffer>>(`select ${encryptedColumn} from people order by id`);
      const sealed = rows.flatMap((row) => row[encryptedColumn] ?? []);
      const opened = await openTexts(bench.keys, field, sealed);
      assert.equal(opened.length, 300);
      assert.match(opened[6] ?? '', /7/, column);
    }
    const client = await restored.pool.connect();
    await client.query('begin');
    await client.query('select safekeep.unlock($1)', [bench.keys.bundle(fields[0] ?? assert.fail())]);
    assert.deepEqual((await client.query('select email from people_decrypted where id = 7')).rows, [
      { email: 'person7@example.org' },
    ]);
    await client.query('rollback');
    client.release();
    await assert.rejects(restored.pool.query(`insert into people (id, email) values (999, 'x')`), /takes no plaintext/);
  },
);
