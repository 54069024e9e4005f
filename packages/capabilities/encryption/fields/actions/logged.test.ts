import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { isSafekeepError, Secret, type ErrorCode } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { testServers } from '@safekeep/postgres/testing';
import { agreed, workbench } from '../testing/workbench.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const EMAIL = 'public.people.email';
const is = (code: ErrorCode) => (error: unknown) => isSafekeepError(error, code);

/** All that the server wrote into its own log. */
function logOf(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

for (const server of testServers())
  test(`a server that logs parameters gets no value of a column from us, and where it would the work is refused (PostgreSQL ${server.name})`, async (t) => {
    const mark = `planted-${randomBytes(8).toString('hex')}`;
    const role = `logged_${randomBytes(6).toString('hex')}`;
    const bench = await workbench(t, { server, setUp: 'create table people (id integer primary key, email text)' });
    const { pool, order } = bench;
    const { column } = order(EMAIL);
    const { rows } = await pool.query<{ database: string; me: string; owner: string }>(
      `select current_database() as database, current_user as me, pg_get_userbyid(nspowner) as owner from pg_namespace where nspname = 'safekeep'`,
    );
    const { database: name, me, owner } = rows[0] ?? assert.fail('there is no schema safekeep');
    await pool.query(`insert into people select n, '${mark}-' || n from generate_series(1, 50) as n`);
    const quoted = pg.escapeIdentifier(name);
    for (const setting of [
      'log_min_duration_statement = 0',
      'log_parameter_max_length = -1',
      'log_parameter_max_length_on_error = -1',
      'log_error_verbosity = default',
    ])
      await pool.query(`alter database ${quoted} set ${setting}`);
    await pool.query(`create role ${role} login password 'x'; grant ${pg.escapeIdentifier(owner)} to ${role};
      alter table people owner to ${role}; grant all on schema public to ${role}`);
    const url = new URL(bench.url.reveal());
    [url.username, url.password] = [role, 'x'];
    const unprivileged = await openDatabase(new Secret(url.href));
    const database = await openDatabase(bench.url);
    try {
      const ground = { ...bench.ground, database: unprivileged };
      await assert.rejects(encryptField(ground, order(EMAIL), agreed), is('field-values-logged'));
      await encryptField({ ...ground, database }, order(EMAIL), agreed);
      await assert.rejects(finishField(ground, column, agreed), is('field-values-logged'));
      await finishField({ ...ground, database }, column, agreed);
      await assert.rejects(decryptField(ground, column, agreed), is('field-values-logged'));
      await pool.query(`grant set on parameter log_parameter_max_length to ${role}`);
      await decryptField(ground, column, agreed);
      assert.equal((await pool.query(`select from people where email = '${mark}-' || id`)).rowCount, 50);
    } finally {
      await unprivileged.close();
      await database.close();
      await pool.query(`reassign owned by ${role} to ${pg.escapeIdentifier(me)}; drop owned by ${role};
        revoke set on parameter log_parameter_max_length from ${role}; drop role ${role}`);
    }
    // The statement that planted them stands there; what has it is a line of ours.
    const lines = logOf(server.logDirectory).split('\n');
    assert.ok(
      lines.some((line) => line.includes('update') && line.includes('people')),
      'statements are logged',
    );
    assert.deepEqual(
      lines.filter((line) => line.includes(mark) && !line.includes('generate_series') && !line.includes('|| id')),
      [],
    );
  });
